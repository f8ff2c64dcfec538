import { after, before } from "node:test";
import { MemoryBackend } from "../../backends/memory.ts";
import { createShardedBackend } from "../../backends/sharded.ts";
import { backendSuite } from "../backend_suite.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";

/** Real time goes on while the suite's clock stands still: the server must not be first. */
const EXPIRY_GRACE = "10m";

const servers: RedisServer[] = [];
const prefixes = new WeakMap<object, string>();
let opened = 0;

before(async () => servers.push(...await Promise.all([startRedis(), startRedis(), startRedis()])));
after(() => Promise.all(servers.map((server) => server.stop())));

backendSuite("ShardedBackend over memory", (context) =>
  createShardedBackend({
    shards: ["a", "b", "c"].map((name) => ({ type: "memory", name, maxEntries: 1000 })),
  }, context));

backendSuite(
  "ShardedBackend over a given backend and weighted ones",
  (context) =>
    createShardedBackend({
      shards: [
        new MapBackend(context.clock),
        { backend: new MemoryBackend({ name: "heavy" }, context), weight: 3 },
        { id: "own", type: "memory", weight: 0.5 },
      ],
    }, context),
);

const overRedis = async (prefix: string, context: Parameters<typeof createShardedBackend>[1]) => {
  const backend = await createShardedBackend({
    shards: servers.map(({ url }, at) => ({
      id: `redis ${at}`,
      type: "redis",
      redisUrl: url,
      prefix,
      expiryGrace: EXPIRY_GRACE,
    })),
  }, context);
  prefixes.set(backend, prefix);
  return backend;
};
backendSuite("ShardedBackend over Redis", (context) => overRedis(`suite:${++opened}`, context), {
  movesStreams: true,
  reopen: (closed, context) => overRedis(prefixes.get(closed) as string, context),
});
