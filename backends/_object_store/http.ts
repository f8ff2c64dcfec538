import { StoreError } from "./store_error.ts";

/** The `fetch` that is used: the runtime's, or one that was given. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Sends a request. @throws {StoreError} `"network"` when no answer comes, or the signal's reason. */
export async function send(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    // An answer that sends us elsewhere must not get our credentials there.
    return await fetch(url, { ...init, redirect: "manual" });
  } catch (error) {
    if (init.signal?.aborted === true) throw init.signal.reason;
    throw networkError(error);
  }
}

/**
 * The whole body of an answer, in a buffer of its own.
 *
 * @throws {StoreError} `"truncated"` when it ends early.
 */
export async function readBytes(
  response: Response,
  signal: AbortSignal | null | undefined,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw truncation(error);
  }
  const length = lengthOf(response);
  if (length !== undefined && length !== bytes.length) throw new StoreError("truncated");
  return bytes;
}

/** The text of an answer that is not large. */
export async function readText(
  response: Response,
  signal: AbortSignal | null | undefined,
): Promise<string> {
  return new TextDecoder().decode(await readBytes(response, signal));
}

/** A refusal as far as HTTP goes. */
export interface Refusal {
  readonly status: number;
  /** Its body, empty where that is missing or breaks off. */
  readonly text: string;
  /** How long it asks to wait, in milliseconds. */
  readonly retryAfter: number | undefined;
}

/** Reads a refusal. */
export async function readRefusal(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<Refusal> {
  const text = await readText(response, signal).catch((error) => {
    signal?.throwIfAborted();
    if (!(error instanceof StoreError)) throw error;
    return "";
  });
  const retryAfter = retryAfterOf((name) => response.headers.get(name));
  return { status: response.status, text, retryAfter };
}

/** Lets go of a body that nobody wants, so that its connection is free. */
export async function dropBody(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** How long a body is to be, where the answer says so for what we get. */
export function lengthOf(response: Response): number | undefined {
  if (response.headers.has("content-encoding")) return undefined;
  const text = response.headers.get("content-length");
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** When an answer says that something was, epoch milliseconds. */
export function dateOf(text: string | null | undefined): number | undefined {
  const time = text === null || text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** Gives a header of an answer by its name in lower case. */
type HeaderOf = (name: string) => string | null | undefined;

/** How long an answer asks to wait, in milliseconds; where it names a time, by its own clock. */
export function retryAfterOf(headerOf: HeaderOf): number | undefined {
  const text = headerOf("retry-after") ?? "";
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000;
  const end = / GMT$/.test(text) ? dateOf(text) : undefined;
  const now = dateOf(headerOf("date"));
  return end === undefined || now === undefined ? undefined : Math.max(0, end - now);
}

/** A connection that could not be made, or was lost. */
export function networkError(error: unknown): StoreError {
  return new StoreError("network", { detail: systemCode(error) });
}

/** A body that broke off. */
export function truncation(error: unknown): StoreError {
  return new StoreError("truncated", { detail: systemCode(error) });
}

/** `fetch` hides what went wrong behind one or more causes. */
function systemCode(error: unknown): string | undefined {
  for (let depth = 0, at = error; at instanceof Error && depth < 4; depth++, at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^[A-Za-z]\w*$/.test(code)) return code;
  }
  return undefined;
}
