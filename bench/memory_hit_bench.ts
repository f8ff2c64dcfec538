/*
 * A hit in memory: what the memory tier takes beside the least that the runtime
 * takes, and beside lru-cache.
 *
 *   --quick         short, shows only that it works
 *   --policy NAME   eviction policy of the memory tier
 */

// deno-lint-ignore-file require-await -- the floor is an async function that waits for nothing

import { LRUCache } from "lru-cache";
import process from "node:process";
import { parseArgs } from "node:util";
import { MemoryBackend } from "../backends/memory.ts";
import { CacheEntry } from "../src/entry/entry.ts";
import { jsonSerializer } from "../src/serializers/json.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    policy: { type: "string", default: "s3-fifo" },
  },
});

const ENTRIES = 1000;
const ROUNDS = values.quick ? 3 : 400;

const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
const now = Date.now();
const FOREVER = { createdAt: now, expiresAt: Infinity, staleUntil: Infinity, tags: [], version: 1 };
const HOUR_MS = 3_600_000;

const keys = Array.from({ length: ENTRIES }, (_, n) => `user:${n * 7919}:profile`);
/** Every key once, in an order that is not the one in which they came. */
const asked = keys.map((_, n) => keys[(n * 617) % ENTRIES] as string);

const config = { maxSizeMb: 64, maxEntries: 2 * ENTRIES, evictionPolicy: values.policy };
const backend = new MemoryBackend(config);
const expiring = new MemoryBackend(config);
const map = new Map<string, CacheEntry>();
const lru = new LRUCache<string, CacheEntry>({ max: 2 * ENTRIES });
const lruExpiring = new LRUCache<string, CacheEntry>({ max: 2 * ENTRIES, ttl: HOUR_MS });
for (const key of keys) {
  const entry = CacheEntry.of(key, { key }, FOREVER, FORMAT);
  map.set(key, entry);
  lru.set(key, entry);
  lruExpiring.set(key, entry);
  await backend.set(key, entry);
  await expiring.set(key, entry.withTimes(now + HOUR_MS, now + HOUR_MS));
}

async function getFromMap(key: string): Promise<CacheEntry | undefined> {
  return map.get(key);
}

async function getFromLru(key: string): Promise<CacheEntry | undefined> {
  return lru.get(key);
}

let hits = 0;
// Each case has a loop of its own, so that none is slowed down by the kinds of objects that the others use.
const cases: readonly [name: string, run: () => void | Promise<void>][] = [
  ["await an async function around Map.get", async () => {
    for (const key of asked) if (await getFromMap(key) !== undefined) hits++;
  }],
  ["await one around lru-cache get", async () => {
    for (const key of asked) if (await getFromLru(key) !== undefined) hits++;
  }],
  ["await get", async () => {
    for (const key of asked) if (await backend.get(key) !== undefined) hits++;
  }],
  ["await get, with a TTL", async () => {
    for (const key of asked) if (await expiring.get(key) !== undefined) hits++;
  }],
  ["Map.get", () => {
    for (const key of asked) if (map.get(key) !== undefined) hits++;
  }],
  ["lru-cache peek", () => {
    for (const key of asked) if (lru.peek(key) !== undefined) hits++;
  }],
  ["peek", () => {
    for (const key of asked) if (backend.peek(key) !== undefined) hits++;
  }],
  ["lru-cache get", () => {
    for (const key of asked) if (lru.get(key) !== undefined) hits++;
  }],
  ["getSync", () => {
    for (const key of asked) if (backend.getSync(key) !== undefined) hits++;
  }],
  ["lru-cache get, with a TTL", () => {
    for (const key of asked) if (lruExpiring.get(key) !== undefined) hits++;
  }],
  ["getSync, with a TTL", () => {
    for (const key of asked) if (expiring.getSync(key) !== undefined) hits++;
  }],
  ["peek, with a TTL", () => {
    for (const key of asked) if (expiring.peek(key) !== undefined) hits++;
  }],
];

// The cases take turns in short rounds, and the median counts.
const times = cases.map((): number[] => []);
for (let round = 0; round < ROUNDS; round++) {
  for (const [at, [, run]] of cases.entries()) {
    const start = performance.now();
    const running = run();
    if (running !== undefined) await running;
    times[at]!.push((performance.now() - start) * 1e6 / ENTRIES);
  }
}

const medians = new Map<string, number>();
for (const [at, [name]] of cases.entries()) {
  const sorted = times[at]!.sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] as number;
  medians.set(name, median);
  console.log(`${name.padEnd(40)} ${median.toFixed(1).padStart(7)} ns`);
}
const floor = medians.get("await an async function around Map.get") as number;
console.log(
  `await get is ${((medians.get("await get") as number) / floor).toFixed(2)} × the floor`,
);
const peekRatio = (medians.get("peek") as number) / (medians.get("lru-cache get") as number);
console.log(`peek is ${peekRatio.toFixed(2)} × lru-cache's get`);
if (hits !== cases.length * ROUNDS * ENTRIES) {
  console.log("Some reads were misses");
  process.exitCode = 1;
}
await backend.close();
await expiring.close();
