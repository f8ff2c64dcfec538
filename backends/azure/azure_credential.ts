import type { Clock } from "../../src/types.ts";
import { CredentialCache } from "../_object_store/credential_cache.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { AzureTokenCredential } from "./azure_config.ts";

type Token = NonNullable<Awaited<ReturnType<AzureTokenCredential["getToken"]>>>;

/** What the client asks with; `claims` when the store wants another token than the last. */
interface GetTokenOptions {
  readonly tenantId?: string;
  readonly claims?: string;
}

/** A credential that keeps its token until the store refuses it. */
export interface KeptCredential extends AzureTokenCredential {
  /** The token that was given last. */
  readonly given: Token | undefined;
  /** Forgets a token that the store refuses, unless it has been replaced. */
  refuse(token: Token | undefined): void;
}

/**
 * A credential that never lets the client wait for long. The client's own keeper
 * of tokens waits for ever for a call that does not answer, and leaves the
 * rejection of one that it makes ahead of time unhandled. To it each token ends
 * at once: it asks before each request, and keeps none that the store refuses.
 */
export function cachedCredential(
  credential: AzureTokenCredential,
  clock: Clock,
): KeptCredential {
  let wanted = "";
  let given: Token | undefined;
  let cache: CredentialCache<Token> | undefined;
  const ask = async (
    scopes: string | string[],
    options: unknown,
    signal: AbortSignal,
  ): Promise<Token> => {
    const token = await credential.getToken(scopes, { ...options as object, abortSignal: signal });
    if (typeof token?.token === "string") return token;
    throw new StoreError("credentials", { detail: "token.none" });
  };
  return {
    get given() {
      return given;
    },
    refuse(token) {
      if (token !== undefined) cache?.refuse(token);
    },
    async getToken(scopes, options) {
      const { tenantId, claims } = (options ?? {}) as GetTokenOptions;
      const key = JSON.stringify([scopes, tenantId, claims]);
      if (cache === undefined || key !== wanted) {
        wanted = key;
        cache = new CredentialCache({
          ask: (signal) => ask(scopes, options, signal),
          endOf: ({ expiresOnTimestamp }) => expiresOnTimestamp,
          clock,
        });
      }
      given = await cache.get();
      return { ...given, expiresOnTimestamp: 0 };
    },
  };
}
