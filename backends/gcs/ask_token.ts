import type { Fetch } from "../_object_store/http.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { defaultToken } from "./default_credentials.ts";
import type { GcsConfig, GcsToken, GcsTokenCredentials } from "./gcs_config.ts";
import { tokenOfServiceAccount } from "./service_account.ts";

/** Asks for a token where the config says. */
export function askToken(
  credentials: GcsTokenCredentials,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<GcsToken> {
  switch (credentials.kind) {
    case "serviceAccount":
      return tokenOfServiceAccount(credentials.account, fetch, signal);
    case "token":
      return askFunction(credentials.token, signal);
    default:
      return defaultToken(fetch, signal);
  }
}

async function askFunction(
  ask: NonNullable<GcsConfig["token"]>,
  signal: AbortSignal,
): Promise<GcsToken> {
  let given: string | GcsToken;
  try {
    given = await ask({ signal });
  } catch {
    // What it says may hold a secret.
    throw new StoreError("credentials", { detail: "token.function" });
  }
  const token = typeof given === "string" ? { token: given } : given;
  if (typeof token?.token === "string" && /^[\x21-\x7e]+$/.test(token.token)) return token;
  throw new StoreError("credentials", { detail: "token.none" });
}
