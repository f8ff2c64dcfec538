import { dateOf, dropBody, type Fetch, readText, send } from "../_object_store/http.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { GcsToken } from "./gcs_config.ts";

/** The key of a service account, as its JSON file says. */
export interface GcsServiceAccount {
  /** Names the account. */
  readonly client_email: string;
  /** PKCS #8, as PEM. */
  readonly private_key: string;
  /** Names the key. */
  readonly private_key_id?: string;
  /** Where tokens are given. @default "https://oauth2.googleapis.com/token" */
  readonly token_uri?: string;
}

/** What lets a user's own tools act for them, as `gcloud auth application-default login` stores it. */
export interface GcsAuthorizedUser {
  /** Names the tool. */
  readonly client_id: string;
  /** The tool's secret. */
  readonly client_secret: string;
  /** Stands for the user. */
  readonly refresh_token: string;
  /** Where tokens are given. @default "https://oauth2.googleapis.com/token" */
  readonly token_uri?: string;
}

const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
const TOKEN_URL = "https://oauth2.googleapis.com/token";
const LIFE_S = 3600;

/** A clock that differs by less is not why a JWT is refused. */
const MIN_SKEW_MS = 60_000;

/**
 * A token for a service account: a JWT signed with its key is exchanged for it
 * (RFC 7523). One that is refused where this machine's clock differs from the
 * server's is made again by the server's.
 */
export async function tokenOfServiceAccount(
  account: GcsServiceAccount,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<GcsToken> {
  const url = account.token_uri ?? TOKEN_URL;
  const ask = async (time: number): Promise<Response> => {
    const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    const assertion = await assertionOf(account, url, time);
    return await post(url, { grant_type, assertion }, fetch, signal);
  };
  const now = Date.now();
  const response = await ask(now);
  const serverTime = dateOf(response.headers.get("date")) ?? now;
  const isSkewed = Math.abs(serverTime - now) >= MIN_SKEW_MS;
  if (response.status !== 400 || !isSkewed) return await parseToken(response, signal);
  await dropBody(response);
  return await parseToken(await ask(serverTime), signal);
}

/** The JWT of an account. @param time of the server, in epoch milliseconds. */
async function assertionOf(
  account: GcsServiceAccount,
  url: string,
  time: number,
): Promise<string> {
  const now = Math.floor(time / 1000);
  const header = { alg: "RS256", typ: "JWT", kid: account.private_key_id };
  const claims = { iss: account.client_email, scope: SCOPE, aud: url, iat: now, exp: now + LIFE_S };
  const text = `${base64Url(JSON.stringify(header))}.${base64Url(JSON.stringify(claims))}`;
  const signature = await crypto.subtle.sign(
    "RSASSA-PKCS1-v1_5",
    await importKey(account.private_key),
    new TextEncoder().encode(text),
  );
  return `${text}.${base64Url(String.fromCharCode(...new Uint8Array(signature)))}`;
}

/** A token for a user, for the refresh token that stands for them. */
export async function tokenOfUser(
  { client_id, client_secret, refresh_token, token_uri = TOKEN_URL }: GcsAuthorizedUser,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<GcsToken> {
  const fields = { grant_type: "refresh_token", client_id, client_secret, refresh_token };
  return await parseToken(await post(token_uri, fields, fetch, signal), signal);
}

/** What a token server answers. @throws {StoreError} `"credentials"` when it gives none. */
export async function parseToken(
  response: Response,
  signal: AbortSignal,
): Promise<GcsToken> {
  const text = await readText(response, signal);
  if (response.status === 429 || response.status >= 500) {
    throw new StoreError("server", { detail: `token.${response.status}` });
  }
  if (!response.ok) throw new StoreError("credentials", { detail: `token.${response.status}` });
  try {
    const { access_token: token, expires_in: seconds } = JSON.parse(text);
    if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) {
      const expiresAt = typeof seconds === "number" ? Date.now() + seconds * 1000 : undefined;
      return { token, expiresAt };
    }
  } catch {
    // It is no JSON.
  }
  throw new StoreError("credentials", { detail: "token.foreign" });
}

function post(
  url: string,
  fields: Record<string, string>,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<Response> {
  return send(fetch, url, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
    signal,
  });
}

async function importKey(pem: string): Promise<CryptoKey> {
  try {
    const base64 = pem.replace(/-----[^-]+-----|\s/g, "");
    const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  } catch {
    // What it says may repeat the key.
    throw new StoreError("credentials", { detail: "private_key" });
  }
}

function base64Url(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
