/*
 * A million values of 6,144 bytes on the disk: time to fill, to open, to read
 * at random and to evict, and what the process grows by meanwhile. Needs as
 * much free disk as its limit says, and some minutes; no part of quick runs.
 *
 *   --entries N     values (1,000,000); limit, reads and evictions go with it
 *   --engine NAME   log, backend or cache (backend)
 *   --until NAME    ends after fill, open, read, lower or evict (evict): for a profiler
 *   --folder PATH   where the files are made, in a folder of their own (the system's for such)
 *
 * Run with `deno run -A --v8-flags=--expose-gc`, `bun` or `node --expose-gc`.
 *
 * Where memory is larger than the data, reads meet the page cache of the
 * system: what is measured is the store, not the disk. Beside each time by the
 * clock stands the CPU time of the process with all its threads.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, freemem, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { thisRuntime } from "./demo/spawned.ts";
import { DIMENSIONS } from "./disk_peers/items.ts";
import { emptyStore, ENGINES, type Holdings, type LargeStore } from "./disk_peers/large_store.ts";
import { isValueOf, keyOf, makeNumbered } from "./disk_peers/numbered_values.ts";
import { appendRaw, readRaw } from "./disk_peers/raw_files.ts";
import { mapTiming, timed, type Timing } from "./disk_peers/timing.ts";

const PHASES = ["fill", "open", "read", "lower", "evict"];

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "1000000" },
    engine: { type: "string", default: "backend" },
    until: { type: "string", default: "evict" },
    folder: { type: "string", default: tmpdir() },
  },
});

const openStore = ENGINES[values.engine];
if (openStore === undefined) {
  const known = Object.keys(ENGINES).join(", ");
  throw new TypeError(`Cannot measure "${values.engine}": known are ${known}`);
}
if (!PHASES.includes(values.until)) {
  throw new TypeError(`Cannot end after "${values.until}": known are ${PHASES.join(", ")}`);
}

const MIB = 1024 * 1024;
const ENTRIES = Number(values.entries);
const LIMIT_MB = Math.ceil(8000 * ENTRIES / 1_000_000);
const READS = ENTRIES / 5;
const EVICTED = ENTRIES / 5;
/** Values are made, and compared, between chunks, while the clock stands. */
const CHUNK = 500;
/** What the caller alone makes of memory is not the store's: so many values go nowhere before the baseline is taken. */
const WARM_UP = 50_000;

const FLOOR_OPERATIONS = 20_000;

const MAX_GROWTH_MB = 150;
const MAX_OPEN_MS = 1_000;
const MAX_INDEX_BYTES = 64;
const MAX_EVICT_US = 1;

const directory = mkdtempSync(join(values.folder, "strata-million-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

let baseline = 0;
let peak = 0;
let misses = 0;
let randomState = 0x2545_f491;
const missed: string[] = [];

function line(what: string, figure: string, goal?: string, isMet: boolean = true): void {
  if (!isMet) missed.push(what.trim());
  const verdict = goal === undefined ? "" : `   ${goal}${isMet ? "" : ": MISSED"}`;
  console.log(`  ${what.padEnd(44)}${figure.padStart(24)}${verdict}`);
}

function inUs({ us, cpuUs }: Timing): string {
  return `${us.toFixed(2)} us, CPU ${cpuUs.toFixed(2)}`;
}

function inMs({ us, cpuUs }: Timing): string {
  return `${(us / 1000).toFixed(0)} ms, CPU ${(cpuUs / 1000).toFixed(0)}`;
}

function describe({ entries, bytes, writeAmplification }: Holdings): string {
  const written = writeAmplification === undefined
    ? ""
    : `, ${writeAmplification.toFixed(3)} x written`;
  return `    ${entries} entries, ${(bytes / MIB).toFixed(0)} MB${written}`;
}

function lookAtMemory(): void {
  peak = Math.max(peak, process.memoryUsage().rss);
}

/** Collects garbage in full; where the runtime has not been told to allow it, nothing happens. */
async function collect(): Promise<void> {
  const { Bun, gc } = globalThis as {
    Bun?: { gc(force: boolean): void };
    gc?: (options: Readonly<Record<string, string>>) => void;
  };
  for (let turn = 0; turn < 4; turn++) {
    if (Bun !== undefined) Bun.gc(true);
    // Only the last resort gives free pages back to the system.
    else gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Tells what the process has grown by: at most since the last call, and once garbage is collected. */
async function reportGrowth(after: string): Promise<void> {
  lookAtMemory();
  const most = (peak - baseline) / MIB;
  await collect();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const [heap, outside, buffers] = [heapUsed, external, arrayBuffers].map((bytes) =>
    (bytes / MIB).toFixed(0)
  );
  const figures = `${most.toFixed(0)} MB, then ${((rss - baseline) / MIB).toFixed(0)}`;
  const isMet = most < MAX_GROWTH_MB;
  line(`  growth at most, ${after}`, figures, `< ${MAX_GROWTH_MB} MB`, isMet);
  console.log(`      heap ${heap}, external ${outside}, of it array buffers ${buffers} MB`);
  peak = rss;
}

async function timedSum(chunks: number, run: (chunk: number) => Promise<Timing>): Promise<Timing> {
  let us = 0;
  let cpuUs = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const timing = await run(chunk);
    us += timing.us;
    cpuUs += timing.cpuUs;
    lookAtMemory();
  }
  return { us, cpuUs };
}

/** Sets numbers one after another. @returns the time of each. */
async function fill(store: LargeStore, first: number, count: number): Promise<Timing> {
  const sum = await timedSum(count / CHUNK, (chunk) => {
    const items = makeNumbered(first + chunk * CHUNK, CHUNK);
    const isLast = (chunk + 1) * CHUNK >= count;
    return timed(async () => {
      for (const item of items) {
        const answer = store.set(item);
        const stored = answer instanceof Promise ? await answer : answer;
        if (!stored) throw new Error(`Cannot set ${item.key}`);
      }
      if (isLast) await store.flush();
    }, false);
  });
  return mapTiming(sum, (us) => us / count);
}

/** Reads numbers below `end` at random and compares every value. @returns the time of each. */
async function read(store: LargeStore, count: number, end: number): Promise<Timing> {
  misses = 0;
  const sum = await timedSum(count / CHUNK, async () => {
    const asked = Array.from({ length: CHUNK }, () => {
      randomState = Math.imul(randomState, 1_664_525) + 1_013_904_223 >>> 0;
      const at = Math.floor(randomState / 2 ** 32 * end);
      return { at, key: keyOf(at) };
    });
    const found: (Uint8Array | Float32Array | undefined)[] = [];
    const timing = await timed(async () => {
      for (const item of asked) {
        const answer = store.get(item);
        found.push(answer instanceof Promise ? await answer : answer);
      }
    }, false);
    for (const [index, { at, key }] of asked.entries()) {
      const value = found[index];
      if (value === undefined) misses++;
      else if (!isValueOf(at, value)) throw new Error(`Wrong value for ${key}`);
    }
    return timing;
  });
  return mapTiming(sum, (us) => us / count);
}

interface Opened {
  store: LargeStore;
  readonly holdings: Holdings;
  readonly timing: Timing;
}

/** Opens a directory that is full, and waits until the store knows what is in it. */
async function reopen(folder: string, limitMb: number): Promise<Opened> {
  await collect();
  let store = emptyStore();
  let holdings = await store.holds();
  const timing = await timed(async () => {
    store = await openStore!(folder, limitMb);
    holdings = await store.holds();
  });
  return { store, holdings, timing };
}

async function main(): Promise<void> {
  const df = execFileSync("df", ["-Pk", directory], { encoding: "utf8" });
  const freeMb = Number(df.trim().split("\n").at(-1)!.split(/\s+/)[3]) / 1024;
  console.log(
    `${thisRuntime().title}, ${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}: ` +
      `${ENTRIES} values of ${
        DIMENSIONS * 4
      } bytes into "${values.engine}", limit ${LIMIT_MB} MB; ` +
      `free are ${freeMb.toFixed(0)} MB of disk, ${(freemem() / MIB).toFixed(0)} MB of memory`,
  );
  if (freeMb < LIMIT_MB * 1.1) throw new Error(`Cannot run: ${LIMIT_MB} MB of disk are not free`);

  await fill(emptyStore(), 0, WARM_UP);
  await collect();
  baseline = process.memoryUsage().rss;
  peak = baseline;
  console.log(`  the process takes ${(baseline / MIB).toFixed(0)} MB without a store`);

  const floorOfSet = await appendRaw(join(directory, "floor"), FLOOR_OPERATIONS, CHUNK);
  line("floor: append to one file", inUs(floorOfSet));

  const folder = join(directory, "store");
  let store = await openStore!(folder, LIMIT_MB);
  const filling = await fill(store, 0, ENTRIES);
  line("fill, each", inUs(filling));
  const filled = await store.holds();
  console.log(describe(filled));
  if (filled.indexBytes !== undefined) {
    const each = filled.indexBytes / ENTRIES;
    const isMet = each <= MAX_INDEX_BYTES;
    line("index, each", `${each.toFixed(1)} bytes`, `<= ${MAX_INDEX_BYTES} bytes`, isMet);
  }
  await reportGrowth("filling");
  line("close", inMs(await timed(async () => await store.close())));
  if (values.until === "fill") return;

  // Nothing may hold a store that is closed: what it had in memory would count as growth.
  store = emptyStore();
  const opened = await reopen(folder, LIMIT_MB);
  const opening = opened.timing;
  store = opened.store;
  line("open", inMs(opening), `<= ${MAX_OPEN_MS} ms`, opening.us <= MAX_OPEN_MS * 1000);
  const { entries } = opened.holdings;
  if (entries !== ENTRIES) throw new Error(`Only ${entries} entries are there`);
  await reportGrowth("opening");
  if (values.until === "open") return await store.close();

  line("floor: read anywhere in its files", inUs(await readRaw(folder, FLOOR_OPERATIONS, CHUNK)));
  line(`get at random, ${READS} times`, inUs(await read(store, READS, ENTRIES)));
  if (misses > 0) throw new Error(`${misses} entries are missing`);
  await reportGrowth("reading");
  await store.close();
  if (values.until === "read") return;

  store = emptyStore();
  opened.store = store;
  const tightMb = Math.ceil(filled.bytes / MIB * 0.8);
  const lowered = await reopen(folder, tightMb);
  store = lowered.store;
  const gone = ENTRIES - lowered.holdings.entries;
  line(`open with a limit of ${tightMb} MB`, inMs(lowered.timing), `${gone} evicted`);
  const each = {
    us: (lowered.timing.us - opening.us) / gone,
    cpuUs: (lowered.timing.cpuUs - opening.cpuUs) / gone,
  };
  line("  evict by it, an entry", inUs(each), `<= ${MAX_EVICT_US} us`, each.us <= MAX_EVICT_US);
  await reportGrowth("lowering the limit");
  if (values.until === "lower") return await store.close();

  // Entries that have just been used are carried over when their neighbours leave.
  await read(store, READS, ENTRIES);
  const before = await store.holds();
  const evicting = await fill(store, ENTRIES, EVICTED);
  const after = await store.holds();
  const evictions = after.evictions - before.evictions;
  line(`set when full, ${EVICTED} times`, inUs(evicting), `${evictions} evicted`);
  const share = EVICTED / evictions;
  const evict = {
    us: (evicting.us - filling.us) * share,
    cpuUs: (evicting.cpuUs - filling.cpuUs) * share,
  };
  line("  evict by it, an entry", inUs(evict), `<= ${MAX_EVICT_US} us`, evict.us <= MAX_EVICT_US);
  console.log(describe(after));
  await reportGrowth("evicting");
  const reading = await read(store, READS, ENTRIES + EVICTED);
  line(`get when full, ${READS} times`, inUs(reading), `${misses} misses`);
  const du = execFileSync("du", ["-sm", folder], { encoding: "utf8" }).split("\t")[0]!;
  line("disk used", `${du} MB`, `<= ${tightMb} MB`, Number(du) <= tightMb);
  await store.close();
}

await main();
const verdict = missed.length === 0 ? "all goals met" : `missed: ${missed.join(", ")}`;
console.log(`  load ${loadavg()[0]!.toFixed(1)}; ${verdict}`);
