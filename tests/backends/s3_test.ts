import { S3Client } from "@aws-sdk/client-s3";
import { after, before } from "node:test";
import { createS3Backend } from "../../backends/s3.ts";
import type { BackendContext, CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { type S3Server, s3Server } from "../servers/s3_server.ts";
import { servedContext } from "../servers/served_context.ts";

const prefixes = new WeakMap<CacheBackend, string>();
let server: S3Server;
let client: S3Client;
let opened = 0;

before(async () => {
  server = await s3Server();
  client = new S3Client({ ...server.awsConfig, maxAttempts: 1 });
});
after(async () => {
  client.destroy();
  await server.stop();
});

const forms = {
  // A client of our own is made of the config in other tests; all else is the same.
  "a client, with shards": () => ({ client, hashShards: 4 }),
  fetch: () => ({ transport: "fetch", awsConfig: server.awsConfig }),
};

for (const [form, config] of Object.entries(forms)) {
  const open = (prefix: string, context: BackendContext): CacheBackend => {
    const backend = createS3Backend(
      { ...config(), bucket: server.bucket, prefix },
      servedContext(context),
    );
    prefixes.set(backend, prefix);
    return backend;
  };
  backendSuite(`S3Backend over ${form}`, (context) => open(`suite/${++opened}`, context), {
    keepsNewest: true,
    movesStreams: true,
    reopen: (closed, context) => open(prefixes.get(closed) as string, context),
  });
}
