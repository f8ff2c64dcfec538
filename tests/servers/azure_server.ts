import process from "node:process";
import { AZURE_VARIABLE, AZURITE_ACCOUNT, startAzurite } from "./azurite_server.ts";
import "./slow_hooks.ts";

/** A store that speaks the Azure Blob API, for one test file. */
export interface AzureServer {
  /** The URL of the account. */
  readonly url: string;
  /** Its name and key. */
  readonly account: typeof AZURITE_ACCOUNT;
  /** What says all that in one. */
  readonly connectionString: string;
  /** Ends it, unless it is the test run's. */
  stop(): Promise<void>;
}

/** The test run's server, or one that is started for a file that runs alone. */
export async function azureServer(): Promise<AzureServer> {
  const shared = process.env[AZURE_VARIABLE];
  const { url, stop } = shared === undefined
    ? await startAzurite()
    : { url: shared, stop: async () => {} };
  const { name, key } = AZURITE_ACCOUNT;
  const protocol = "DefaultEndpointsProtocol=http";
  const connectionString = `${protocol};AccountName=${name};AccountKey=${key};BlobEndpoint=${url};`;
  return { url, account: AZURITE_ACCOUNT, connectionString, stop };
}
