/*
 * The Redis tier on loopback beside the raw client, in one run and taking
 * turns: one get at a time, 64 at once, 100 keys in one call, and how long an
 * invalidation travels. Values are vectors of 1,536 floats (6 KB); for many
 * keys also small records, since with large ones it is the bytes that take time.
 *
 *   --quick   short, shows only that it works
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { parseArgs } from "node:util";
import { createClient, RESP_TYPES } from "redis";
import { RedisBackend } from "../backends/redis.ts";
import { nativeCrc32 } from "../codecs/_native_crc32.ts";
import { useNativeCrc32 } from "../src/entry/checksum.ts";
import { entryOf } from "../tests/fakes/entries.ts";
import { hasRedis, startRedis } from "../tests/servers/redis_server.ts";

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });

const ROUNDS = values.quick ? 2 : 40;
const GETS = values.quick ? 50 : 300;
const CONCURRENT = 64;
const BURSTS = values.quick ? 5 : 40;
const KEYS = 100;

if (!hasRedis()) {
  console.log("redis-server is not on this machine: install the package redis-server");
  process.exit(1);
}
if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);

const server = await startRedis();
const backend = new RedisBackend({ redisUrl: server.url, prefix: "bench" });
const raw = createClient({ url: server.url });
raw.on("error", (error) => console.log(String(error)));
await raw.connect();
const bytes = raw.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

const vector = Float32Array.from({ length: 1536 }, (_, at) => Math.sin(at));
const keys = Array.from({ length: KEYS }, (_, at) => `key:${at}`);
const smallKeys = keys.map((key) => `small:${key}`);
const record = { id: "doc:1234", title: "What a cache is good for", score: 0.87, page: 3 };
for (const key of keys) await backend.set(key, entryOf(key, vector));
for (const key of smallKeys) await backend.set(key, entryOf(key, record));
const key = keys[0] as string;
const stored = `bench::${key}`;

let sink = 0;
async function getFromBackend(): Promise<void> {
  const vector = await (await backend.get(key))?.value() as Float32Array;
  sink += vector[7] as number;
}
async function getRaw(): Promise<void> {
  sink += ((await bytes.get(stored)) as unknown as Buffer)[99] as number;
}

/** Microseconds of each call, one after another. */
async function latencies(get: () => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < GETS; turn++) {
    const start = performance.now();
    await get();
    times.push((performance.now() - start) * 1000);
  }
  return times;
}

/** Gets in a second, 64 callers each with one under way. */
async function throughput(get: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await Promise.all(Array.from({ length: CONCURRENT }, async () => {
    for (let turn = 0; turn < BURSTS; turn++) await get();
  }));
  return CONCURRENT * BURSTS * 1000 / (performance.now() - start);
}

const one = { raw: [] as number[], backend: [] as number[] };
const many = { raw: [] as number[], backend: [] as number[] };
const batches = [
  {
    name: "100 vectors",
    keys,
    single: [] as number[],
    together: [] as number[],
    raw: [] as number[],
  },
  {
    name: "100 records",
    keys: smallKeys,
    single: [] as number[],
    together: [] as number[],
    raw: [] as number[],
  },
];
for (let round = 0; round < ROUNDS; round++) {
  one.raw.push(...await latencies(getRaw));
  one.backend.push(...await latencies(getFromBackend));
  many.raw.push(await throughput(getRaw));
  many.backend.push(await throughput(getFromBackend));
  for (const { keys, single, together, raw } of [...batches, ...batches, ...batches]) {
    let start = performance.now();
    for (const key of keys) sink += await backend.get(key) === undefined ? 1 : 0;
    single.push(performance.now() - start);
    start = performance.now();
    sink += (await backend.getMany(keys)).length;
    together.push(performance.now() - start);
    const stored = keys.map((key) => `bench::${key}`);
    start = performance.now();
    sink += (await bytes.mGet(stored)).length;
    raw.push(performance.now() - start);
  }
}

const sender = backend.createInvalidationBus();
const receiver = new RedisBackend({ redisUrl: server.url, prefix: "bench" });
const bus = receiver.createInvalidationBus();
const travel: number[] = [];
let arrived = (): void => {};
await new Promise<void>((resolve) => {
  bus.subscribe({
    connected: resolve,
    disconnected: (error) => console.log(error.message),
    invalidated: () => arrived(),
  });
});
for (let turn = 0; turn < (values.quick ? 20 : 500); turn++) {
  const start = performance.now();
  const arrival = new Promise<void>((resolve) => arrived = resolve);
  await sender.publish([{ kind: "key", key, version: turn }]);
  await arrival;
  travel.push(performance.now() - start);
}

console.log("get, 6 KB                          raw client       backend    backend/raw  goal");
report("one at a time, median µs", median(one.raw), median(one.backend), "≤ 1.10");
report(`${CONCURRENT} at once, gets/s`, median(many.raw), median(many.backend), "≥ 0.90");
for (const { name, single, together, raw } of batches) {
  const [one, all, bare] = [single, together, raw].map(median) as [number, number, number];
  console.log(
    `${name}: one by one ${one.toFixed(2)} ms, getMany ${all.toFixed(2)} ms, ${
      (one / all).toFixed(1)
    } times faster, goal 20; the raw client's mGet ${bare.toFixed(2)} ms`,
  );
}
console.log(`invalidation to a listener: median ${median(travel).toFixed(2)} ms, goal 5`);

await sender.close();
await bus.close();
await receiver.close();
await backend.close();
raw.destroy();
await server.stop();
if (sink === 0.5) process.exitCode = 1;

function report(name: string, first: number, second: number, goal: string): void {
  const [left, right] = [first, second].map((value) => value.toFixed(1).padStart(13));
  console.log(
    `${name.padEnd(32)} ${left} ${right} ${(second / first).toFixed(2).padStart(13)}  ${goal}`,
  );
}

function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)] as number;
}
