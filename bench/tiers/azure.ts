import { Readable } from "node:stream";
import type { ReadableStream as WebStream } from "node:stream/web";
import { ContainerClient } from "@azure/storage-blob";
import { type AzureServer, azureServer } from "../../tests/servers/azure_server.ts";
import { openCacheStore } from "./cache_store.ts";
import type { OpenTierKind, Store } from "./store.ts";
import { NETWORK_SIZES } from "./values.ts";

const SDK = "Azure SDK";
const CONTAINER = "bench";

/** The Azure tier over Azurite on loopback, beside the vendor's client. */
export const openAzureKind: OpenTierKind = async () => {
  let server: AzureServer;
  try {
    server = await azureServer();
  } catch (error) {
    return { missing: `Azurite does not run here: ${(error as Error).message}` };
  }
  const { connectionString } = server;
  const client = new ContainerClient(connectionString, CONTAINER);
  await client.createIfNotExists();
  const tier = { type: "azure", container: CONTAINER, connectionString, prefix: "strata" };
  return {
    sizes: NETWORK_SIZES,
    callsPerSample: 1,
    sources: [
      { name: SDK, open: () => openSdk(client) },
      { name: "Strata azure", floor: SDK, open: () => openCacheStore(tier) },
    ],
    close: () => server.stop(),
  };
};

function openSdk(container: ContainerClient): Store {
  const blob = (key: string) => container.getBlockBlobClient(`raw/${key}`);
  return {
    set: (key, value) => blob(key).uploadData(value),
    get: async (key) => await blob(key).downloadToBuffer(),
    setStream: (key, value) => blob(key).uploadStream(Readable.fromWeb(value as WebStream)),
    getStream: async (key) => {
      const { readableStreamBody } = await blob(key).download();
      return Readable.toWeb(readableStreamBody as Readable) as ReadableStream<Uint8Array>;
    },
    delete: (key) => blob(key).delete(),
    close: () => {},
  };
}
