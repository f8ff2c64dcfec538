import type { OperationOptions } from "../../src/types.ts";
import { dropBody, type Fetch, readText, send } from "../_object_store/http.ts";
import type { ObjectUpload } from "../_object_store/object_store.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { gcsAnswerOf, gcsError } from "./gcs_error.ts";

/**
 * A resumable upload. The store is told only with the last bytes that they are
 * the last, so one part is held back. After a failure the store says how much
 * of it has arrived.
 */
export class GcsUpload implements ObjectUpload {
  readonly #session: string;
  readonly #fetch: Fetch;
  #held: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** The number of the part that is held back. */
  #heldAt = -1;
  /** Bytes before the part that is held back. */
  #start = 0;
  #isUncertain = false;

  constructor(session: string, fetch: Fetch) {
    this.#session = session;
    this.#fetch = fetch;
  }

  async part(
    bytes: Uint8Array,
    at: number,
    { signal }: OperationOptions,
  ): Promise<Uint8Array | undefined> {
    if (at === this.#heldAt) return undefined;
    let arrived: Uint8Array | undefined;
    if (this.#heldAt >= 0) {
      await this.#sendHeld(undefined, signal);
      arrived = this.#held;
      this.#start += arrived.length;
    }
    this.#held = bytes;
    this.#heldAt = at;
    return arrived;
  }

  async complete({ signal }: OperationOptions): Promise<string | "conflict"> {
    const total = this.#start + this.#held.length;
    const done = await this.#sendHeld(total, signal);
    return done ?? "conflict";
  }

  async abort({ signal }: OperationOptions): Promise<void> {
    const response = await this.#put("DELETE", {}, undefined, signal);
    // 499 says that it is called off, and others that there is none any more.
    if (response.status >= 500) throw gcsError(await gcsAnswerOf(response, signal));
    await dropBody(response);
  }

  /** Sends what is held back. @returns the tag of the object when those were the last bytes and its condition holds. */
  async #sendHeld(
    total: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    let sent = 0;
    if (this.#isUncertain) {
      const size = total === undefined ? "*" : String(total);
      const headers = { "content-range": `bytes */${size}` };
      const response = await this.#put("PUT", headers, undefined, signal);
      if (response.status !== 308) return await this.#tagOf(response, signal);
      await dropBody(response);
      sent = Math.max(0, receivedOf(response) - this.#start);
    }
    while (true) {
      const rest = this.#held.subarray(sent);
      if (rest.length === 0 && total === undefined) break;
      const from = this.#start + sent;
      const headers = {
        "content-range": `bytes ${from}-${from + rest.length - 1}/${total ?? "*"}`,
      };
      this.#isUncertain = true;
      const response = await this.#put("PUT", headers, rest, signal);
      if (response.status !== 308) return await this.#tagOf(response, signal);
      await dropBody(response);
      const received = receivedOf(response) - this.#start;
      if (received <= sent) throw new StoreError("server", { detail: "308" });
      sent = received;
      this.#isUncertain = false;
      if (total === undefined && sent >= this.#held.length) break;
    }
    this.#isUncertain = false;
    return undefined;
  }

  async #tagOf(response: Response, signal: AbortSignal | undefined): Promise<string | undefined> {
    if (!response.ok) {
      const answer = await gcsAnswerOf(response, signal);
      if (answer.status === 412) return undefined;
      throw gcsError(answer);
    }
    const text = await readText(response, signal);
    try {
      return String(JSON.parse(text).generation);
    } catch {
      throw new StoreError("foreign");
    }
  }

  #put(
    method: string,
    headers: Record<string, string>,
    body: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    return send(this.#fetch, this.#session, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** How many bytes the store has. */
function receivedOf(response: Response): number {
  const last = /^bytes=0-(\d+)$/.exec(response.headers.get("range") ?? "")?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}
