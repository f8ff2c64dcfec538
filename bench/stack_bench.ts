/*
 * A whole stack of memory, disk and Redis with vectors of 6 KB: what a hit in
 * each tier costs, promotion included, what a miss of all and a write to all
 * do, beside the bare calls under them; how long the stack takes to open, and
 * what an entry takes in memory.
 *
 *   --quick   short, shows only that it works
 */

import { Buffer } from "node:buffer";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { createClient, RESP_TYPES } from "redis";
import { type BackendConfig, CacheManager } from "../mod.ts";
import { SKEW_MS } from "../src/entry/version.ts";
import { hasRedis, startRedis } from "../tests/servers/redis_server.ts";
import { percentileOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { note, record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";

const ENTRIES = scaled(300, 3000);
const ROUNDS = scaled(1, 5);
const OPENED_ENTRIES = scaled(2000, 50_000);
const DIMENSIONS = 1536;
const GROUP = "path, three tiers, 6 KB";

const folder = mkdtempSync(join(tmpdir(), "strata-stack-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const redis = hasRedis() ? await startRedis() : undefined;
if (redis === undefined) {
  note("Without Redis, since it is not on this machine: apt-get install redis-server");
}

const disk: BackendConfig = { type: "filesystem", basePath: join(folder, "disk"), maxSizeMb: 4000 };
const shared: BackendConfig[] = redis === undefined
  ? []
  : [{ type: "redis", redisUrl: redis.url, prefix: "bench" }];
const keys = Array.from({ length: ENTRIES }, (_, at) => `document:${at}`);
const vectors = keys.map((_, at) => new Float32Array(DIMENSIONS).fill(at + 1));

/** The bare calls, and what they are the least of. */
const MAP = "bare Map";
const READ = "bare read of an open file";
const CLIENT = "bare Redis client, get";
const FLOORS: Readonly<Record<string, string>> = {
  "hit in memory": MAP,
  "hit on disk, promoted": READ,
  "hit in Redis, promoted": CLIENT,
};
const map = new Map(keys.map((key, at) => [key, vectors[at]!]));
const bytes = Buffer.alloc(DIMENSIONS * 4);
const file = join(folder, "bare");
writeFileSync(file, Buffer.alloc(keys.length * bytes.length));
const fd = openSync(file, "r");
const client = redis && createClient({
  url: redis.url,
  commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
});
await client?.connect();
for (const key of keys) await client?.set(key, bytes);

const times = new Map<string, number[]>();

/** Times each call with one key after another, and checks what it gives. */
async function time(path: string, call: (key: string, at: number) => Promise<unknown>) {
  const samples = times.get(path) ?? [];
  for (const [at, key] of keys.entries()) {
    const start = performance.now();
    await call(key, at);
    samples.push((performance.now() - start) * 1000);
  }
  times.set(path, samples);
}

async function open(...backends: BackendConfig[]): Promise<CacheManager> {
  return await CacheManager.open({ backends });
}

const memory: BackendConfig = { type: "memory", maxSizeMb: 256 };

async function hit(cache: CacheManager, key: string, at: number): Promise<void> {
  const vector = await cache.get<Float32Array>(key);
  if (vector === undefined) throw new Error(`No value for ${key}`);
  if (vector[7] !== at + 1) throw new Error(`Wrong value for ${key}: ${vector[7]}`);
}

for (let round = 0; round < ROUNDS; round++) {
  // To this round's cache the one before is another process, whose deletes win over what it
  // writes within the skew of clocks that is allowed for.
  if (round > 0) await wait(2 * SKEW_MS);
  await using whole = await open(memory, disk, ...shared);
  await time("write to all tiers", (key, at) => whole.set(key, vectors[at]));
  await time("hit in memory", (key, at) => hit(whole, key, at));
  // deno-lint-ignore require-await -- a floor is an async function too
  await time(MAP, async (key) => map.get(key));
  // deno-lint-ignore require-await -- as above
  await time(READ, async (_, at) => readSync(fd, bytes, 0, bytes.length, at * bytes.length));
  if (client !== undefined) await time(CLIENT, (key) => client.get(key));
  await time("miss of all tiers", (key) => whole.get(`none:${key}`));
  await whole.flush();
  {
    await using cold = await open(memory, { ...disk, name: "disk, again" }, ...shared);
    await time("hit on disk, promoted", (key, at) => hit(cold, key, at));
  }
  if (redis !== undefined) {
    const empty = { ...disk, basePath: join(folder, `empty-${round}`) };
    await using colder = await open(memory, empty, ...shared);
    await time("hit in Redis, promoted", (key, at) => hit(colder, key, at));
  }
  await time("delete from all tiers", (key) => whole.delete(key));
}

const rows = [...times].map(([path, samples]) => {
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentileOf(samples, share));
  const { length } = samples;
  const of = {
    ...{ group: GROUP, subject: path, unit: "us" as const, samples: length },
    floor: FLOORS[path],
  };
  record(
    { ...of, metric: "p50", value: p50! },
    { ...of, metric: "p99", value: p99! },
    { ...of, metric: "p99.9", value: p999! },
  );
  return [path, ...[p50!, p99!, p999!].map((us) => us.toFixed(1))];
});
printTable([GROUP, "p50 µs", "p99", "p99.9"], rows);
closeSync(fd);
client?.destroy();
await redis?.stop();

await measureOpening();
await measureMemory();

/** How long a directory with many entries takes until its first hit. */
async function measureOpening(): Promise<void> {
  const filled = { type: "filesystem", basePath: join(folder, "filled"), maxSizeMb: 4000 };
  const vector = new Float32Array(DIMENSIONS).fill(1);
  {
    await using cache = await open(filled);
    for (let at = 0; at < OPENED_ENTRIES; at += 500) {
      await cache.setMany(
        Array.from({ length: 500 }, (_, more) => ({ key: `key:${at + more}`, value: vector })),
      );
    }
  }
  const samples: number[] = [];
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    await using cache = await open(filled);
    if (await cache.get("key:7") === undefined) throw new Error("Cannot find what was stored");
    samples.push(performance.now() - start);
  }
  const value = percentileOf(samples, 0.5);
  const group = `open, filesystem, ${OPENED_ENTRIES.toLocaleString("en-US")} entries`;
  record({
    group,
    subject: "Strata filesystem",
    metric: "first hit",
    unit: "ms",
    value,
    samples: 3,
  });
  console.log(`\n${group}: first hit after ${value.toFixed(1)} ms`);
}

/** What the process grows by for each entry, the vector itself left out. */
async function measureMemory(): Promise<void> {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) {
    note("Memory an entry was not measured: the runtime does not let garbage be collected");
    return;
  }
  const used = (): number => {
    for (let time = 0; time < 3; time++) collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const count = scaled(20_000, 100_000);
  const size = 100;
  for (
    const [name, backend, held] of [
      ["memory", { type: "memory", maxSizeMb: 1000 }, size],
      ["filesystem", { type: "filesystem", basePath: join(folder, "small") }, 0],
    ] as const
  ) {
    await using cache = await open({ ...backend });
    await cache.set("first", new Uint8Array(size));
    const before = used();
    for (let at = 0; at < count; at++) {
      await cache.set(`document:${at}`, new Uint8Array(size).fill(at));
    }
    await cache.flush();
    const value = (used() - before) / count - held;
    const group = `memory an entry, keys of 15 characters, values of ${size} bytes left out`;
    record({ group, subject: `Strata ${name}`, metric: "bytes", unit: "bytes", value });
    console.log(`${name}: ${value.toFixed(0)} bytes of memory an entry beside its value`);
  }
}
