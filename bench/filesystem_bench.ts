/*
 * The filesystem tier with 6,144-byte values beside its floor, append and
 * positioned read on one open file, in the same run: µs an operation, the
 * median of several rounds that alternate.
 *
 *   --quick         short, shows only that it works
 *   --entries N     entries written and read in each round
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { FilesystemBackend } from "../backends/filesystem.ts";
import { nativeCrc32 } from "../codecs/_native_crc32.ts";
import { CacheManager } from "../mod.ts";
import { systemClock } from "../src/clock.ts";
import { useNativeCrc32 } from "../src/entry/checksum.ts";
import { CacheEntry } from "../src/entry/entry.ts";
import { jsonSerializer } from "../src/serializers/json.ts";
import { medianOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { record } from "./suite/record.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    entries: { type: "string", default: "4000" },
  },
});

const ENTRIES = values.quick ? 400 : Number(values.entries);
const ROUNDS = values.quick ? 2 : 7;
const AT_ONCE = 64;
const BATCH = 100;
const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
const VALUE = new Float32Array(1536).fill(0.25);

if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);
const directory = fs.mkdtempSync(join(tmpdir(), "strata-bench-"));
process.on("exit", () => fs.rmSync(directory, { recursive: true }));

const keys = Array.from({ length: ENTRIES }, (_, at) => `embedding:text-model-3:${at}`);
/** Not the order in which they were written. */
const order = keys.map((_, at) => (at * 7919) % ENTRIES);
let sink = 0;
let round = 0;

function entryOf(key: string, version: number): CacheEntry {
  const createdAt = systemClock.recent();
  return CacheEntry.of(key, VALUE, {
    createdAt,
    expiresAt: Infinity,
    staleUntil: Infinity,
    version,
    tags: [],
  }, FORMAT);
}

const context = { clock: systemClock, report: () => {} };
const FULL = { maxBytes: Infinity, segmentBytes: "16MB" } as const;
const read = await FilesystemBackend.open({ basePath: join(directory, "read"), ...FULL }, context);
for (const key of keys) await read.set(key, entryOf(key, 1));
await read.flush();
const large = await FilesystemBackend.open(
  { basePath: join(directory, "large"), maxInlineBytes: 1 },
  context,
);
const largeKeys = keys.slice(0, ENTRIES / 8);
for (const key of largeKeys) await large.set(key, entryOf(key, 1));

async function openManager(name: string): Promise<CacheManager> {
  return await CacheManager.open({
    backends: [
      { type: "memory", maxEntries: 1 },
      { type: "filesystem", basePath: join(directory, name), ...FULL },
    ],
  });
}
const manager = await openManager("manager");
for (const key of keys) await manager.set(key, VALUE);
await manager.flush();

const frame = Uint8Array.from(await entryOf(keys[0]!, 1).encode());
const floor = fs.openSync(join(directory, "floor"), "w+");

/** One measure: what it does, how often an operation, and what it is compared with. */
interface Measure {
  readonly name: string;
  readonly floor?: string;
  readonly operations: number;
  readonly run: () => void | Promise<void>;
  /** Makes ready for `run`, outside of the time. */
  readonly prepare?: () => Promise<void>;
}

let written = read;
let setting = manager;
const READ = "floor: positioned read";
const APPEND = "floor: append";

const measures: readonly Measure[] = [
  {
    name: APPEND,
    operations: ENTRIES,
    run: () => {
      for (let at = 0; at < ENTRIES; at++) {
        fs.writeSync(floor, frame, 0, frame.length, at * frame.length);
      }
    },
    prepare: () => Promise.resolve(fs.ftruncateSync(floor, 0)),
  },
  {
    name: READ,
    operations: ENTRIES,
    run: () => {
      for (const at of order) {
        const bytes = new Uint8Array(frame.length);
        sink += fs.readSync(floor, bytes, 0, frame.length, at * frame.length);
      }
    },
  },
  {
    name: "backend: set, new key",
    floor: APPEND,
    operations: ENTRIES,
    prepare: async () => {
      written = await FilesystemBackend.open(
        { basePath: join(directory, `write-${round}`), ...FULL },
        context,
      );
    },
    run: async () => {
      for (const key of keys) await written.set(key, entryOf(key, 1));
      await written.flush();
    },
  },
  {
    name: "backend: set, key that is there",
    floor: APPEND,
    operations: ENTRIES,
    run: async () => {
      for (const key of keys) await written.set(key, entryOf(key, 2));
    },
  },
  {
    name: `backend: setMany of ${BATCH}`,
    floor: APPEND,
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at += BATCH) {
        await written.setMany(keys.slice(at, at + BATCH).map((key) => entryOf(key, 3)));
      }
    },
  },
  {
    name: "backend: delete",
    operations: ENTRIES,
    run: async () => {
      for (const key of keys) await written.delete(key);
      await written.close();
      fs.rmSync(join(directory, `write-${round}`), { recursive: true });
    },
  },
  {
    name: "backend: get",
    floor: READ,
    operations: ENTRIES,
    run: async () => {
      for (const at of order) sink += (await read.get(keys[at]!))!.version;
    },
  },
  {
    name: `backend: get, ${AT_ONCE} at once`,
    floor: READ,
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at += AT_ONCE) {
        await Promise.all(order.slice(at, at + AT_ONCE).map((place) => read.get(keys[place]!)));
      }
    },
  },
  {
    name: `backend: getMany of ${BATCH}, neighbours`,
    floor: READ,
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at += BATCH) await read.getMany(keys.slice(at, at + BATCH));
    },
  },
  {
    name: `backend: getMany of ${BATCH}, scattered`,
    floor: READ,
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at += BATCH) {
        await read.getMany(order.slice(at, at + BATCH).map((place) => keys[place]!));
      }
    },
  },
  {
    name: "backend: get, miss",
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at++) await read.get("missing");
    },
  },
  {
    name: "backend: get, in a file of its own",
    operations: largeKeys.length,
    run: async () => {
      for (const key of largeKeys) await large.get(key);
    },
  },
  {
    name: "backend: set, in a file of its own",
    operations: largeKeys.length,
    run: async () => {
      for (const key of largeKeys) await large.set(key, entryOf(key, 2));
    },
  },
  {
    name: "CacheManager: set, new key",
    floor: APPEND,
    operations: ENTRIES,
    prepare: async () => {
      setting = await openManager(`set-${round}`);
    },
    run: async () => {
      for (const key of keys) await setting.set(key, VALUE);
      await setting.flush();
    },
  },
  {
    name: "CacheManager: get, memory misses",
    floor: READ,
    operations: ENTRIES,
    prepare: async () => {
      await setting.close();
      fs.rmSync(join(directory, `set-${round}`), { recursive: true });
    },
    run: async () => {
      for (const at of order) sink += (await manager.get(keys[at]!) as Float32Array)[0]!;
    },
  },
  {
    name: `CacheManager: get, ${AT_ONCE} at once`,
    floor: READ,
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at += AT_ONCE) {
        await Promise.all(order.slice(at, at + AT_ONCE).map((place) => manager.get(keys[place]!)));
      }
    },
  },
  {
    name: `CacheManager: getMany of ${BATCH}, neighbours`,
    floor: READ,
    operations: ENTRIES,
    run: async () => {
      for (let at = 0; at < ENTRIES; at += BATCH) {
        await manager.getMany(keys.slice(at, at + BATCH));
      }
    },
  },
];

const GOALS: Readonly<Record<string, number>> = {
  "backend: set, new key": 2,
  "backend: set, key that is there": 2,
  "backend: get": 2,
  "CacheManager: get, memory misses": 3,
};

const times = new Map<string, number[]>(measures.map(({ name }) => [name, []]));
for (; round < ROUNDS; round++) {
  for (const { name, operations, prepare, run } of measures) {
    await prepare?.();
    const began = performance.now();
    await run();
    times.get(name)!.push((performance.now() - began) * 1000 / operations);
  }
}
const medians = new Map([...times].map(([name, samples]) => [name, medianOf(samples)]));
const rows = measures.map(({ name, floor: base }) => {
  const value = medians.get(name)!;
  const limit = GOALS[name];
  // What has a floor is shown beside it; groups hold what may be compared.
  for (const subject of base === undefined || base === name ? [name] : [name, base]) {
    record({
      group: `filesystem tier, ${name}`,
      subject,
      metric: "time",
      unit: "us",
      value: medians.get(subject)!,
      samples: ROUNDS,
      ...(subject === name && base !== undefined ? { floor: base } : {}),
      ...(subject === name && limit !== undefined ? { goal: { of: "ratio", atMost: limit } } : {}),
    });
  }
  return [
    name,
    value.toFixed(2),
    base === undefined ? "" : (value / medians.get(base)!).toFixed(2),
    limit === undefined ? "" : `≤ ${limit}`,
  ];
});
printTable(["values of 6 KB", "µs", "× floor", "goal"], rows);
await Promise.all([read.close(), large.close(), manager.close()]);
fs.closeSync(floor);
if (!(sink > 0)) throw new Error("Cannot bench: nothing was read");
