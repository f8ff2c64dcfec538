import { Buffer } from "node:buffer";
import { createClient, RESP_TYPES } from "redis";
import { hasRedis, startRedis } from "../../tests/servers/redis_server.ts";
import { openCacheStore } from "./cache_store.ts";
import { startLoopback } from "./loopback.ts";
import type { OpenTierKind, Store } from "./store.ts";
import { NETWORK_SIZES } from "./values.ts";

const MISSING = "redis-server is not on this machine: apt-get install redis-server";
const CLIENT = "node-redis";
const BRIDGE = "fetch of one command";

/** The Redis tier on loopback beside the client that is under it. */
export const openRedisKind: OpenTierKind = async () => {
  if (!hasRedis()) return { missing: MISSING };
  const server = await startRedis();
  return {
    sizes: NETWORK_SIZES,
    callsPerSample: 1,
    sources: [
      { name: CLIENT, open: () => openClient(server.url) },
      {
        name: "Strata redis",
        floor: CLIENT,
        open: () =>
          openCacheStore({
            type: "redis",
            redisUrl: server.url,
            prefix: "bench",
            maxValueBytes: "64MB",
          }),
      },
    ],
    close: () => server.stop(),
  };
};

/** The Upstash tier over a loopback bridge, beside a bare request to it. */
export const openUpstashKind: OpenTierKind = async () => {
  if (!hasRedis()) return { missing: MISSING };
  const server = await startRedis();
  const bridge = await startLoopback("upstash", server.port);
  const { url, token } = bridge;
  return {
    // The service refuses larger requests, and so does the bridge.
    sizes: NETWORK_SIZES.filter(({ bytes }) => bytes <= 100 << 10),
    callsPerSample: 1,
    sources: [
      { name: BRIDGE, open: () => openBridge(url, token) },
      {
        name: "Strata upstash",
        floor: BRIDGE,
        open: () => openCacheStore({ type: "upstash", url, token, prefix: "bench" }),
      },
    ],
    close: async () => {
      await bridge.stop();
      await server.stop();
    },
  };
};

async function openClient(url: string): Promise<Store> {
  const client = createClient({ url });
  client.on("error", (error) => console.log(String(error)));
  await client.connect();
  const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return {
    set: (key, value) =>
      client.set(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength)),
    get: async (key) => await bytes.get(key) as unknown as Buffer ?? undefined,
    delete: (key) => client.del(key),
    getMany: async (keys) => await bytes.mGet([...keys]),
    close: () => client.close(),
  };
}

/** What any client of the protocol has to do at least: one request, and base64 both ways. */
function openBridge(url: string, token: string): Store {
  const headers = { authorization: `Bearer ${token}`, "upstash-encoding": "base64" };
  const command = async (...words: readonly string[]): Promise<unknown> => {
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(words) });
    const { result } = await response.json() as { readonly result: unknown };
    return result;
  };
  const text = (base64: unknown): string => Buffer.from(base64 as string, "base64").toString();
  return {
    set: (key, value) => command("SET", key, Buffer.from(value).toString("base64")),
    get: async (key) => Buffer.from(text(await command("GET", key)), "base64"),
    delete: (key) => command("DEL", key),
    getMany: async (keys) => {
      const values = await command("MGET", ...keys) as readonly unknown[];
      return values.map((value) => Buffer.from(text(value), "base64"));
    },
    close: () => {},
  };
}
