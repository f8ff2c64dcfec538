import type { Fetch } from "../_object_store/http.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { defaultToken } from "./default_credentials.ts";
import type { GcsCredentials, GcsToken } from "./gcs_config.ts";
import { tokenOfServiceAccount } from "./service_account.ts";

/** How long before its end a token is asked for anew, in milliseconds. */
const EARLY_MS = 60_000;

/** Gives the token of requests, and asks for another when it ends. */
export class TokenSource {
  readonly #credentials: GcsCredentials;
  readonly #fetch: Fetch;
  #token: GcsToken | undefined;
  #asking: Promise<GcsToken> | undefined;

  constructor(credentials: GcsCredentials, fetch: Fetch) {
    this.#credentials = credentials;
    this.#fetch = fetch;
  }

  /** A token that has not ended. */
  async get(): Promise<string> {
    const known = this.#token;
    if (known !== undefined && (known.expiresAt ?? Infinity) - Date.now() > EARLY_MS) {
      return known.token;
    }
    // Once for all who want one meanwhile, and so without the signal of one of them.
    this.#asking ??= this.#ask().finally(() => this.#asking = undefined);
    return (await this.#asking).token;
  }

  /** Forgets a token that the store refuses. */
  refuse(token: string): void {
    if (this.#token?.token === token) this.#token = undefined;
  }

  async #ask(): Promise<GcsToken> {
    const credentials = this.#credentials;
    switch (credentials.kind) {
      case "serviceAccount":
        return this.#token = await tokenOfServiceAccount(
          credentials.account,
          this.#fetch,
          undefined,
        );
      case "token":
        return this.#token = await askFunction(credentials.token);
      default:
        return this.#token = await defaultToken(this.#fetch, undefined);
    }
  }
}

async function askFunction(ask: () => Promise<string | GcsToken>): Promise<GcsToken> {
  let given: string | GcsToken;
  try {
    given = await ask();
  } catch {
    // What it says may hold a secret.
    throw new StoreError("credentials", { detail: "token.function" });
  }
  const token = typeof given === "string" ? { token: given } : given;
  if (typeof token?.token === "string" && /^[\x21-\x7e]+$/.test(token.token)) return token;
  throw new StoreError("credentials", { detail: "token.none" });
}
