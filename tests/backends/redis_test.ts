import { after, before } from "node:test";
import { createClient, createCluster, createSentinel } from "redis";
import { createRedisBackend } from "../../backends/redis.ts";
import type { BackendContext, CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import {
  type RedisServer,
  startRedis,
  startRedisCluster,
  startSentinel,
} from "../servers/redis_server.ts";

/** Real time goes on while the suite's clock stands still: the server must not be first. */
const EXPIRY_GRACE = "10m";
const PASSWORD = "p@ss/w:rd?#%";

const servers: RedisServer[] = [];
const clients: { destroy(): void }[] = [];
const prefixes = new WeakMap<CacheBackend, string>();
let opened = 0;

/** The forms in which a server can be given, by the config that each makes. */
const forms: Record<string, Record<string, unknown>> = {};

before(async () => {
  const plain = await startRedis();
  const sentinel = await startSentinel(plain);
  const secured = await startRedis({ password: PASSWORD, tls: true });
  const nodes = await startRedisCluster();
  servers.push(plain, sentinel, secured, ...nodes);
  const client = createClient({ url: plain.url });
  const cluster = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) });
  const watched = createSentinel({
    name: "primary",
    sentinelRootNodes: [{ host: "127.0.0.1", port: sentinel.port }],
  });
  for (const given of [client, cluster, watched]) {
    given.on("error", () => {});
    await given.connect();
    clients.push(given);
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join();
  Object.assign(forms, {
    "one server": { redisUrl: plain.url },
    "TLS, a password and a database": {
      redisUrl: `${secured.url.replace("//", `//default:${encodeURIComponent(PASSWORD)}@`)}/3`,
      tls: { ca: secured.ca },
    },
    "a cluster": { redisUrl: `redis+cluster://${hosts}` },
    "sentinels": { redisUrl: `redis+sentinel://127.0.0.1:${sentinel.port}/primary/1` },
    "a client": { client },
    "a client of a cluster": { client: cluster },
    "a client of sentinels": { client: watched },
  });
});

after(async () => {
  for (const client of clients) client.destroy();
  await Promise.all(servers.map((server) => server.stop()));
});

const FORMS = [
  "one server",
  "TLS, a password and a database",
  "a cluster",
  "sentinels",
  "a client",
  "a client of a cluster",
  "a client of sentinels",
];

for (const form of FORMS) {
  const open = (prefix: string, context: BackendContext): CacheBackend => {
    const config = { ...forms[form], prefix, expiryGrace: EXPIRY_GRACE };
    const backend = createRedisBackend(config, context);
    prefixes.set(backend, prefix);
    return backend;
  };
  backendSuite(`RedisBackend over ${form}`, (context) => open(`suite:${++opened}`, context), {
    keepsNewest: true,
    movesStreams: true,
    reopen: (closed, context) => open(prefixes.get(closed) as string, context),
  });
}
