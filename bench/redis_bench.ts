/*
 * The Redis tier on loopback beside the raw client, taking turns: get and set,
 * one call after another and 64 at once, 100 keys in one call beside 100 calls,
 * what a hit in memory costs while the invalidation bus is attached, and how
 * long it takes until another process has heard of a change. Values are vectors
 * of 1,536 floats (6 KB); for many keys also small records, since with large
 * ones it is the bytes that take time.
 *
 *   --quick   short, shows only that it works
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { createClient, RESP_TYPES } from "redis";
import { RedisBackend } from "../backends/redis.ts";
import { nativeCrc32 } from "../codecs/_native_crc32.ts";
import { type BackendConfig, CacheManager } from "../mod.ts";
import { useNativeCrc32 } from "../src/entry/checksum.ts";
import { entryOf } from "../tests/fakes/entries.ts";
import { hasRedis, startRedis } from "../tests/servers/redis_server.ts";
import { medianOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { startListener } from "./redis/travel.ts";
import type { Goal } from "./suite/figure.ts";
import { note, record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { type Contender, takeTurns } from "./suite/take_turns.ts";

const SECONDS = scaled(0.1, 2);
const CALLS = scaled(100, 300);
const AT_ONCE = 64;
const BURSTS = scaled(5, 30);
const BATCH = 100;
const CHANGES = scaled(20, 500);

if (!hasRedis()) {
  note("redis-server is not on this machine: apt-get install redis-server");
  process.exit();
}
if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);

const server = await startRedis();
const tier: BackendConfig = { type: "redis", redisUrl: server.url, prefix: "bench" };
const backend = new RedisBackend({ redisUrl: server.url, prefix: "bench" });
const cache = await CacheManager.open({ backends: [tier] });
const raw = createClient({ url: server.url });
raw.on("error", (error) => console.log(String(error)));
await raw.connect();
const bytes = raw.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

const vector = Float32Array.from({ length: 1536 }, (_, at) => Math.sin(at));
const vectorBytes = new Uint8Array(vector.buffer);
const keys = Array.from({ length: BATCH }, (_, at) => `key:${at}`);
const smallKeys = keys.map((key) => `small:${key}`);
const rawKeys = new Map([...keys, ...smallKeys].map((key) => [key, `raw:${key}`]));
const small = { id: "doc:1234", title: "What a cache is good for", score: 0.87, page: 3 };
for (const key of keys) {
  await cache.set(key, vector);
  await raw.set(rawKeys.get(key)!, Buffer.from(vectorBytes));
}
for (const key of smallKeys) {
  await cache.set(key, small);
  await raw.set(rawKeys.get(key)!, JSON.stringify(small));
}

const RAW = "node-redis";
const rows: string[][] = [];
let sink = 0;
let next = 0;
let version = 1;
const nextKey = (): string => keys[next++ % BATCH]!;

/** Lets some take turns, the first being the floor. */
async function compare(
  group: string,
  contenders: readonly Contender[],
  goals: Readonly<Record<string, Goal>> = {},
): Promise<void> {
  const turns = await takeTurns(contenders, { seconds: SECONDS });
  const floor = contenders[0]!.name;
  for (const [subject, { us, spread, samples }] of turns) {
    const goal = goals[subject];
    record({
      group,
      subject,
      metric: "time",
      unit: "us",
      value: us,
      spread,
      samples,
      ...(subject === floor ? {} : { floor }),
      ...(goal === undefined ? {} : { goal }),
    });
    const ratio = us / turns.get(floor)!.us;
    rows.push([group, subject, us.toFixed(2), ratio.toFixed(2), goalText(goal)]);
  }
}

function goalText(goal: Goal | undefined): string {
  if (goal === undefined) return "";
  return goal.atMost === undefined ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

/** One call after another. */
function inTurn(name: string, call: () => Promise<unknown>): Contender {
  return {
    name,
    operations: CALLS,
    run: async () => {
      for (let at = 0; at < CALLS; at++) if (await call() === undefined) sink++;
    },
  };
}

/** Many callers, each with one call under way: the time of a call is the whole time by their number. */
function atOnce(name: string, call: () => Promise<unknown>): Contender {
  return {
    name,
    operations: AT_ONCE * BURSTS,
    run: () =>
      Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let burst = 0; burst < BURSTS; burst++) if (await call() === undefined) sink++;
      })),
  };
}

const gets: readonly [string, () => Promise<unknown>][] = [
  [RAW, () => bytes.get(rawKeys.get(nextKey())!)],
  ["Strata, backend", async () => (await backend.get(nextKey()))?.value()],
  ["Strata, CacheManager", () => cache.get(nextKey())],
];
const sets: readonly [string, () => Promise<unknown>][] = [
  // A buffer of its own, as every value has in a program.
  [RAW, () => raw.set(rawKeys.get(nextKey())!, Buffer.from(vectorBytes))],
  [
    "Strata, backend",
    () => backend.setNewest([entryOf(nextKey(), vector, { version: version++ })]),
  ],
  ["Strata, CacheManager", () => cache.set(nextKey(), vector)],
];
const near: Goal = { of: "ratio", atMost: 1.1 };
const nearWhenMany: Goal = { of: "ratio", atMost: 1.11 };
await compare(
  "redis, get of 6 KB, one after another",
  gets.map((each) => inTurn(...each)),
  { "Strata, backend": near, "Strata, CacheManager": near },
);
await compare(
  `redis, get of 6 KB, ${AT_ONCE} at once`,
  gets.map((each) => atOnce(...each)),
  { "Strata, backend": nearWhenMany, "Strata, CacheManager": nearWhenMany },
);
await compare("redis, set of 6 KB, one after another", sets.map((each) => inTurn(...each)));
await compare(`redis, set of 6 KB, ${AT_ONCE} at once`, sets.map((each) => atOnce(...each)));

for (const [kind, some] of [["vectors of 6 KB", keys], ["small records", smallKeys]] as const) {
  const stored = some.map((key) => rawKeys.get(key)!);
  await compare(`redis, ${BATCH} ${kind}`, [
    { name: `${RAW}, mGet`, operations: 1, run: () => bytes.mGet(stored) },
    { name: "Strata, getMany", operations: 1, run: () => cache.getMany(some) },
    {
      name: "Strata, one get after another",
      operations: 1,
      run: async () => {
        for (const key of some) if (await cache.get(key) === undefined) sink++;
      },
    },
  ]);
}

const memory: BackendConfig = { type: "memory", maxSizeMb: 64 };
const alone = await CacheManager.open({ backends: [memory, tier], coordination: { bus: false } });
const together = await CacheManager.open({ backends: [memory, tier] });
for (const each of [alone, together]) await each.getMany(keys);
await compare("hit in memory over redis", [
  inTurn("without a bus", () => alone.get(nextKey())),
  inTurn("with the bus", () => together.get(nextKey())),
], { "with the bus": near });

const listener = await startListener(server.url, "bench");
const travel: number[] = [];
for (let turn = 0; turn < CHANGES; turn++) {
  const start = performance.now();
  const heard = listener.heard();
  await together.set(keys[0]!, vector);
  await heard;
  travel.push(performance.now() - start);
}
await listener.stop();
record({
  group: "redis, until another process has heard of a set",
  subject: "Strata",
  metric: "time",
  unit: "ms",
  value: medianOf(travel),
  samples: travel.length,
  goal: { of: "value", atMost: 5 },
});

printTable(["", "", "µs", "× first", "goal"], rows);
console.log(
  `until another process has heard of a set: median ${medianOf(travel).toFixed(2)} ms, goal ≤ 5`,
);
for (const each of [alone, together, cache, backend]) await each.close();
raw.destroy();
await server.stop();
if (sink > 0) throw new Error(`Cannot bench: ${sink} gets found nothing`);
