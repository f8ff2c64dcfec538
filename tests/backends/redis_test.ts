import { after, before } from "node:test";
import { createRedisBackend } from "../../backends/redis.ts";
import type { CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";

/** Real time goes on while the suite's clock stands still: the server must not be first. */
const GRACE = "10m";
const prefixes = new WeakMap<CacheBackend, string>();
let server: RedisServer;
let opened = 0;

before(async () => {
  server = await startRedis();
});
after(() => server.stop());

backendSuite("RedisBackend", (context) => {
  const prefix = `suite:${++opened}`;
  const backend = createRedisBackend({ redisUrl: server.url, prefix, expiryGrace: GRACE }, context);
  prefixes.set(backend, prefix);
  return backend;
}, {
  reopen: (closed, context) =>
    createRedisBackend(
      { redisUrl: server.url, prefix: prefixes.get(closed), expiryGrace: GRACE },
      context,
    ),
});
