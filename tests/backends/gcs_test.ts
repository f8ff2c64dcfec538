import { after, before } from "node:test";
import { createGcsBackend } from "../../backends/gcs.ts";
import type { BackendContext, CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { type GcsServer, startGcs } from "../servers/gcs_server.ts";
import { servedContext } from "../servers/served_context.ts";

const BUCKET = "suite";
const prefixes = new WeakMap<CacheBackend, string>();
let server: GcsServer;
let opened = 0;

before(async () => {
  server = await startGcs();
  server.buckets.create(BUCKET);
});
after(() => server.stop());

const open = (prefix: string, context: BackendContext): CacheBackend => {
  const { endpoint, tokens: { account: serviceAccount } } = server;
  const config = { bucket: BUCKET, prefix, endpoint, serviceAccount };
  const backend = createGcsBackend(config, servedContext(context));
  prefixes.set(backend, prefix);
  return backend;
};

backendSuite("GcsBackend", (context) => open(`suite/${++opened}`, context), {
  keepsNewest: true,
  movesStreams: true,
  reopen: (closed, context) => open(prefixes.get(closed) as string, context),
});
