import { after, before } from "node:test";
import { createUpstashBackend } from "../../backends/upstash.ts";
import type { CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";
import { startUpstashBridge, type UpstashBridge } from "../servers/upstash_bridge.ts";

/** Real time goes on while the suite's clock stands still: the server must not be first. */
const GRACE = "10m";
const prefixes = new WeakMap<CacheBackend, string>();
let server: RedisServer;
let bridge: UpstashBridge;
let opened = 0;

before(async () => {
  server = await startRedis();
  bridge = await startUpstashBridge({ redisPort: server.port, maxRequestBytes: 10_000_000 });
});
after(async () => {
  await bridge.stop();
  await server.stop();
});

const config = () => ({
  url: bridge.url,
  token: bridge.token,
  expiryGrace: GRACE,
  maxRequestBytes: "10MB",
});

backendSuite("UpstashBackend", (context) => {
  const prefix = `suite:${++opened}`;
  const backend = createUpstashBackend({ ...config(), prefix }, context);
  prefixes.set(backend, prefix);
  return backend;
}, {
  reopen: (closed, context) =>
    createUpstashBackend({ ...config(), prefix: prefixes.get(closed) }, context),
});
