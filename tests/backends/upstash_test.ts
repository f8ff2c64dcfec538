import { after, before } from "node:test";
import { Redis } from "@upstash/redis";
import { createUpstashBackend } from "../../backends/upstash.ts";
import type { BackendContext, CacheBackend } from "../../src/types.ts";
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

const forms = {
  "a URL": () => ({ url: bridge.url, token: bridge.token }),
  "a client": () => ({ client: new Redis({ url: bridge.url, token: bridge.token }) }),
};

for (const [form, address] of Object.entries(forms)) {
  const open = (prefix: string, context: BackendContext): CacheBackend => {
    const config = { ...address(), prefix, expiryGrace: GRACE, maxRequestBytes: "10MB" };
    const backend = createUpstashBackend(config, context);
    prefixes.set(backend, prefix);
    return backend;
  };
  backendSuite(`UpstashBackend over ${form}`, (context) => open(`suite:${++opened}`, context), {
    keepsNewest: true,
    movesStreams: true,
    reopen: (closed, context) => open(prefixes.get(closed) as string, context),
  });
}
