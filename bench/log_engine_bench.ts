/**
 * The segment log beside its floor: append and positioned read on one open
 * file, in the same run. Every figure is the best of several rounds.
 *
 * Run with `deno run -A bench/log_engine_bench.ts`, `bun bench/log_engine_bench.ts`
 * or `node bench/log_engine_bench.ts`; `million` as argument adds 1,000,000
 * small entries.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import process from "node:process";
import type { SegmentLogOptions } from "../backends/filesystem/log/log_options.ts";
import { SegmentLog } from "../backends/filesystem/log/segment_log.ts";
import { systemClock } from "../src/clock.ts";
import { CacheEntry } from "../src/entry/entry.ts";
import { encodeFrame } from "../src/entry/frame.ts";
import { createEvictionPolicy } from "../src/eviction/policies.ts";

const ENTRIES = 10_000;
const VALUE_BYTES = 6_144;
const ROUNDS = 7;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "strata-bench-"));
const isMillion = process.argv.includes("million");

function line(name: string, value: number, unit: string, note: string = ""): void {
  console.log(`${name.padEnd(44)}${value.toFixed(2).padStart(9)} ${unit.padEnd(10)}${note}`);
}

/** A measure taken once a round; the rounds of all measures alternate, because a machine has moods. */
interface Measure {
  readonly name: string;
  readonly unit: string;
  /** The measure that it is compared with. */
  readonly floor?: string;
  readonly run: () => number | Promise<number>;
}

async function measure(measures: readonly Measure[]): Promise<ReadonlyMap<string, number>> {
  const least = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, run } of measures) {
      least.set(name, Math.min(least.get(name) ?? Infinity, await run()));
    }
  }
  for (const { name, unit, floor } of measures) {
    const value = least.get(name)!;
    const note = floor === undefined ? "" : `${(value / least.get(floor)!).toFixed(2)} x floor`;
    line(name, value, unit, note);
  }
  return least;
}

function frameOf(key: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(key.length);
  return encodeFrame(
    key,
    { createdAt: 0, expiresAt: Infinity, staleUntil: Infinity, version: 1, tags: [] },
    { bytes, rawLength: length, serializer: 0, codec: 0, dtype: 1 },
  );
}

function options(more: Partial<SegmentLogOptions> = {}): SegmentLogOptions {
  return {
    policy: (limits) => createEvictionPolicy("lru", limits),
    clock: systemClock,
    report: () => {},
    checkBodies: false,
    ...more,
  };
}

const keys = Array.from({ length: ENTRIES }, (_, at) => `embedding:text-model-3:${at}`);
const frames = keys.map((key) => frameOf(key, VALUE_BYTES));
const order = keys.map((_, at) => (at * 7919) % ENTRIES);

function perEntry(began: number): number {
  return (performance.now() - began) * 1000 / ENTRIES;
}

let sink = 0;
let numbers = 0;

function newPath(name: string): string {
  return path.join(directory, `${name}-${numbers++}`);
}

async function putAll(log: SegmentLog, prefix: string): Promise<void> {
  for (let at = 0; at < ENTRIES; at++) {
    const stored = log.put(prefix + keys[at]!, frames[at]!, Infinity);
    if (stored instanceof Promise) await stored;
  }
  await log.flush();
}

const floorPath = newPath("floor");
const log = await SegmentLog.open(newPath("log"), options({ io: "sync" }));
await putAll(log, "");
const reopened = newPath("reopened");
const toReopen = await SegmentLog.open(reopened, options());
await putAll(toReopen, "");
await toReopen.close();
const boundedOptions = { maxBytes: 64 * 1024 * 1024, segmentBytes: 4 * 1024 * 1024 };
const bounded = await SegmentLog.open(newPath("bounded"), options(boundedOptions));
await putAll(bounded, "a");

const measured = await measure([
  {
    name: "floor: append",
    unit: "us",
    run: () => {
      fs.rmSync(floorPath, { force: true });
      const file = fs.openSync(floorPath, "w+");
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at++) {
        fs.writeSync(file, frames[at]!, 0, VALUE_BYTES, at * VALUE_BYTES);
      }
      const took = perEntry(began);
      fs.closeSync(file);
      return took;
    },
  },
  {
    name: "put, new keys, flushed",
    unit: "us",
    floor: "floor: append",
    run: async () => {
      const place = newPath("put");
      const fresh = await SegmentLog.open(place, options());
      const began = performance.now();
      await putAll(fresh, "");
      const took = perEntry(began);
      await fresh.close();
      fs.rmSync(place, { recursive: true });
      return took;
    },
  },
  {
    name: "put over, each awaited",
    unit: "us",
    floor: "floor: append",
    run: async () => {
      const place = newPath("over");
      const fresh = await SegmentLog.open(place, options());
      await putAll(fresh, "");
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at++) await fresh.put(keys[at]!, frames[at]!, Infinity);
      const took = perEntry(began);
      await fresh.close();
      fs.rmSync(place, { recursive: true });
      return took;
    },
  },
  {
    name: "floor: positioned read into its own buffer",
    unit: "us",
    run: () => {
      const file = fs.openSync(floorPath, "r");
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at++) {
        const bytes = new Uint8Array(VALUE_BYTES);
        fs.readSync(file, bytes, 0, VALUE_BYTES, order[at]! * VALUE_BYTES);
        sink += bytes[0]!;
      }
      const took = perEntry(began);
      fs.closeSync(file);
      return took;
    },
  },
  {
    name: "get",
    unit: "us",
    floor: "floor: positioned read into its own buffer",
    run: () => {
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at++) {
        const entry = log.get(keys[order[at]!]!);
        if (entry === undefined || entry instanceof Promise) throw new Error("not there");
        sink += entry.body[0]!;
      }
      return perEntry(began);
    },
  },
  {
    name: "get, awaited and decoded",
    unit: "us",
    floor: "floor: positioned read into its own buffer",
    run: async () => {
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at++) {
        const key = keys[order[at]!]!;
        const entry = CacheEntry.decode(key, (await log.get(key))!.body);
        sink += (entry.value() as Uint8Array)[0]!;
      }
      return perEntry(began);
    },
  },
  {
    name: "getMany of 100 neighbours, each",
    unit: "us",
    floor: "floor: positioned read into its own buffer",
    run: async () => {
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at += 100) {
        sink += (await log.getMany(keys.slice(at, at + 100))).length;
      }
      return perEntry(began);
    },
  },
  {
    name: "get, miss",
    unit: "us",
    run: () => {
      const began = performance.now();
      for (let at = 0; at < ENTRIES; at++) sink += log.get(`x${at}`) === undefined ? 1 : 0;
      return perEntry(began);
    },
  },
  {
    name: "open, 10,000 entries",
    unit: "ms",
    run: async () => {
      const began = performance.now();
      const again = await SegmentLog.open(reopened, options());
      const took = performance.now() - began;
      if (again.stats().entries !== ENTRIES) throw new Error("not all there");
      await again.close();
      return took;
    },
  },
  {
    name: "put and evict one, 4 MiB segments",
    unit: "us",
    run: async () => {
      const began = performance.now();
      await putAll(bounded, String(numbers++));
      return perEntry(began);
    },
  },
  {
    name: "put without evicting, 4 MiB segments",
    unit: "us",
    run: async () => {
      const place = newPath("unbounded");
      const segmentBytes = boundedOptions.segmentBytes;
      const unbounded = await SegmentLog.open(place, options({ segmentBytes }));
      const began = performance.now();
      await putAll(unbounded, String(numbers++));
      const took = perEntry(began);
      await unbounded.close();
      fs.rmSync(place, { recursive: true });
      return took;
    },
  },
]);
line(
  "evict, the difference",
  measured.get("put and evict one, 4 MiB segments")! -
    measured.get("put without evicting, 4 MiB segments")!,
  "us",
  `${bounded.stats().writeAmplification.toFixed(3)} x written`,
);
await bounded.close();
await log.close();

if (isMillion) await million();
fs.rmSync(directory, { recursive: true });
if (sink === 0) throw new Error("nothing was read");

async function million(): Promise<void> {
  const count = 1_000_000;
  const small = frameOf("small", 64);
  const place = path.join(directory, "million");
  const writer = await SegmentLog.open(place, options());
  const began = performance.now();
  for (let at = 0; at < count; at++) {
    const stored = writer.put(`k:${at}`, small, Infinity);
    if (stored instanceof Promise) await stored;
  }
  await writer.flush();
  line("put, 1,000,000 small", (performance.now() - began) * 1000 / count, "us");
  await writer.close();
  let least = Infinity;
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    const again = await SegmentLog.open(place, options());
    least = Math.min(least, performance.now() - started);
    const stats = again.stats();
    if (stats.entries !== count) throw new Error(`only ${stats.entries} there`);
    if (round === 0) line("index", stats.indexBytes / count, "bytes/entry");
    await again.close();
  }
  line("open, 1,000,000 small entries", least, "ms");
}
