import { ContainerClient } from "@azure/storage-blob";
import { after, before } from "node:test";
import { createAzureBackend } from "../../backends/azure.ts";
import type { BackendContext, CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { type AzureServer, azureServer } from "../servers/azure_server.ts";
import { servedContext } from "../servers/served_context.ts";

const container = `suite-${crypto.randomUUID()}`;
const prefixes = new WeakMap<CacheBackend, string>();
let server: AzureServer;
let opened = 0;

before(async () => {
  server = await azureServer();
  await new ContainerClient(server.connectionString, container).create();
});
after(() => server.stop());

const open = (prefix: string, context: BackendContext): CacheBackend => {
  const { connectionString } = server;
  const backend = createAzureBackend(
    { connectionString, container, prefix },
    servedContext(context),
  );
  prefixes.set(backend, prefix);
  return backend;
};

backendSuite("AzureBackend", (context) => open(`suite/${++opened}`, context), {
  keepsNewest: true,
  movesStreams: true,
  reopen: (closed, context) => open(prefixes.get(closed) as string, context),
});
