import type { Clock } from "../../src/types.ts";
import { CredentialCache } from "../_object_store/credential_cache.ts";
import { StoreError } from "../_object_store/store_error.ts";

/** Keys of an account. */
export interface S3Credentials {
  /** Names the key. */
  readonly accessKeyId: string;
  /** The secret. */
  readonly secretAccessKey: string;
  /** Goes with temporary ones. */
  readonly sessionToken?: string | undefined;
  /** When temporary ones end. */
  readonly expiration?: Date | undefined;
}

/**
 * Credentials, or what gives them. It is called again before those that it
 * gave end; a call that takes more than ten seconds is not waited for.
 */
export type S3CredentialSource = S3Credentials | (() => Promise<S3Credentials>);

/** What gives credentials, made to be called for every request. */
export function cachedCredentials(
  source: S3CredentialSource,
  clock: Clock,
): () => Promise<S3Credentials> {
  if (typeof source !== "function") return () => Promise.resolve(source);
  const cache = new CredentialCache({
    ask: async () => {
      try {
        return await source();
      } catch {
        // What it says may hold a secret.
        throw new StoreError("credentials", { detail: "credentials.function" });
      }
    },
    endOf: ({ expiration }: S3Credentials) => expiration?.getTime(),
    clock,
  });
  return () => cache.get();
}
