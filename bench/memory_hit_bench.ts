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
import { CacheManager } from "../mod.ts";
import { CacheEntry } from "../src/entry/entry.ts";
import { jsonSerializer } from "../src/serializers/json.ts";
import { printTable } from "./demo/table.ts";
import type { Goal } from "./suite/figure.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { takeTurns } from "./suite/take_turns.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    policy: { type: "string" },
  },
});

const ENTRIES = 1000;
const SECONDS = scaled(0.2, 8);

const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
const now = Date.now();
const FOREVER = { createdAt: now, expiresAt: Infinity, staleUntil: Infinity, tags: [], version: 1 };
const HOUR_MS = 3_600_000;

const keys = Array.from({ length: ENTRIES }, (_, n) => `user:${n * 7919}:profile`);
/** Every key once, in an order that is not the one in which they came. */
const asked = keys.map((_, n) => keys[(n * 617) % ENTRIES] as string);

const config = {
  maxSizeMb: 64,
  maxEntries: 2 * ENTRIES,
  ...(values.policy === undefined ? {} : { evictionPolicy: values.policy }),
};
const backend = new MemoryBackend(config);
const expiring = new MemoryBackend(config);
const cache = await CacheManager.open({
  backends: [{ type: "memory", ...config }],
  defaultTtl: 60,
});
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
  await cache.set(key, { key });
}

async function getFromMap(key: string): Promise<CacheEntry | undefined> {
  return map.get(key);
}

async function getFromLru(key: string): Promise<CacheEntry | undefined> {
  return lru.get(key);
}

interface Case {
  readonly name: string;
  readonly run: () => void | Promise<void>;
  readonly floor?: string;
  readonly goal?: Goal;
}

const AWAITED_FLOOR = "an async function around Map.get";
const SYNCHRONOUS_FLOOR = "lru-cache get";

let hits = 0;
// Each case has a loop of its own, so that none is slowed down by the kinds of objects that the others use.
const awaited: readonly Case[] = [
  {
    name: AWAITED_FLOOR,
    run: async () => {
      for (const key of asked) if (await getFromMap(key) !== undefined) hits++;
    },
  },
  {
    name: "an async function around lru-cache get",
    run: async () => {
      for (const key of asked) if (await getFromLru(key) !== undefined) hits++;
    },
  },
  {
    name: "CacheManager get, with a TTL",
    floor: AWAITED_FLOOR,
    goal: { of: "ratio", atMost: 2 },
    run: async () => {
      for (const key of asked) if (await cache.get(key) !== undefined) hits++;
    },
  },
  {
    name: "memory tier get",
    floor: AWAITED_FLOOR,
    run: async () => {
      for (const key of asked) if (await backend.get(key) !== undefined) hits++;
    },
  },
  {
    name: "memory tier get, with a TTL",
    floor: AWAITED_FLOOR,
    run: async () => {
      for (const key of asked) if (await expiring.get(key) !== undefined) hits++;
    },
  },
];
const synchronous: readonly Case[] = [
  {
    name: "Map.get",
    run: () => {
      for (const key of asked) if (map.get(key) !== undefined) hits++;
    },
  },
  {
    name: SYNCHRONOUS_FLOOR,
    run: () => {
      for (const key of asked) if (lru.get(key) !== undefined) hits++;
    },
  },
  {
    name: "lru-cache peek",
    run: () => {
      for (const key of asked) if (lru.peek(key) !== undefined) hits++;
    },
  },
  {
    name: "memory tier peek",
    floor: SYNCHRONOUS_FLOOR,
    goal: { of: "ratio", atMost: 1 },
    run: () => {
      for (const key of asked) if (backend.peek(key) !== undefined) hits++;
    },
  },
  {
    name: "CacheManager peek, with a TTL",
    floor: SYNCHRONOUS_FLOOR,
    run: () => {
      for (const key of asked) if (cache.peek(key) !== undefined) hits++;
    },
  },
  {
    name: "memory tier getSync",
    floor: SYNCHRONOUS_FLOOR,
    run: () => {
      for (const key of asked) if (backend.getSync(key) !== undefined) hits++;
    },
  },
  {
    name: "lru-cache get, with a TTL",
    run: () => {
      for (const key of asked) if (lruExpiring.get(key) !== undefined) hits++;
    },
  },
  {
    name: "memory tier getSync, with a TTL",
    floor: SYNCHRONOUS_FLOOR,
    run: () => {
      for (const key of asked) if (expiring.getSync(key) !== undefined) hits++;
    },
  },
  {
    name: "memory tier peek, with a TTL",
    floor: SYNCHRONOUS_FLOOR,
    run: () => {
      for (const key of asked) if (expiring.peek(key) !== undefined) hits++;
    },
  },
];

let runs = 0;
for (
  const [group, cases] of [["hit, awaited", awaited], ["hit, synchronous", synchronous]] as const
) {
  const turns = await takeTurns(
    cases.map(({ name, run }) => ({
      name,
      operations: ENTRIES,
      run: () => {
        runs++;
        return run();
      },
    })),
    { seconds: SECONDS / 2 },
  );
  const rows = cases.map(({ name: subject, floor, goal }) => {
    const { us, spread, samples } = turns.get(subject)!;
    record({
      group,
      subject,
      metric: "time",
      unit: "ns",
      value: us * 1000,
      spread,
      samples,
      floor,
      goal,
    });
    const ratio = floor === undefined ? "" : (us / turns.get(floor)!.us).toFixed(2);
    return [subject, (us * 1000).toFixed(1), ratio, goal === undefined ? "" : `≤ ${goal.atMost}`];
  });
  printTable([group, "ns", "× floor", "goal"], rows);
  console.log("");
}
if (hits !== runs * ENTRIES) {
  console.log("Some reads were misses");
  process.exitCode = 1;
}
await backend.close();
await expiring.close();
await cache.close();
