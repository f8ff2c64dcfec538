import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../../src/types.ts";
import { CredentialCache } from "../_object_store/credential_cache.ts";
import type { S3Credentials } from "../_s3_api/s3_credentials.ts";

/** What is used of the resolved config of a client. */
interface ResolvedConfig {
  /** Those that requests are signed with. */
  credentials: () => Promise<S3Credentials>;
  /** Makes the client's own chain, which keeps what it is asked for. */
  readonly credentialDefaultProvider?: (config: object) => ChainProvider;
}

type ChainProvider = (options: { readonly callerClientConfig: object }) => Promise<S3Credentials>;

/**
 * Has a client keep credentials of its own chain in a {@linkcode CredentialCache}.
 * A process or a metadata server that the chain asks may not answer, and the
 * chain would join all later calls to the one that hangs: each is one of a new chain.
 */
export function keepCredentialsOfChain(client: S3Client, clock: Clock): void {
  const config = client.config as unknown as ResolvedConfig;
  const { credentialDefaultProvider } = config;
  if (credentialDefaultProvider === undefined) return;
  const cache = new CredentialCache({
    ask: async () => {
      const provider = credentialDefaultProvider({ ...config, parentClientConfig: config });
      return await provider({ callerClientConfig: config });
    },
    endOf: ({ expiration }) => expiration?.getTime(),
    clock,
  });
  config.credentials = () => cache.get();
}
