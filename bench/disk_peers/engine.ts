import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { scaled } from "../suite/scale.ts";
import { entryOf, openBackend } from "./filesystem_backend.ts";
import { setAll } from "./measure.ts";
import type { Item } from "./peer.ts";
import { frameOf, openLog } from "./segment_log.ts";
import { timed, type Timing } from "./timing.ts";

/** What only the engine is measured by. */
export interface EngineFigures {
  /** To open a log. */
  readonly openLog: Timing;
  /** Until an opened backend knows its entries. */
  readonly openBackend: Timing;
  /** To evict what nobody has read. */
  readonly evict: Eviction;
  /** The same where one is read for four that are put, so that some are carried over. */
  readonly evictHot: Eviction;
}

/** What it takes to evict. */
export interface Eviction {
  /** An entry. */
  readonly each: Timing;
  /** Bytes written for each byte put. */
  readonly writeAmplification: number;
}

/** In full runs as of a log with a limit of 512 MB or more. */
const SEGMENT_BYTES = scaled(1, 16) * 1024 * 1024;
const EVICTION_LIMIT = 12 * SEGMENT_BYTES;
const EVICTION_TURNS = scaled(3, 12);

/** Measures once, in an empty folder. */
export async function measureEngine(
  folder: string,
  items: readonly Item[],
): Promise<EngineFigures> {
  const logFolder = join(folder, "log");
  const backendFolder = join(folder, "backend");
  for (const path of [logFolder, backendFolder]) mkdirSync(path);
  const frames = items.map(frameOf);

  const log = await openLog(logFolder);
  await setAll({ set: ({ at, key }) => log.put(key, frames[at]!, Infinity) }, items);
  await log.close();
  const backend = await openBackend(backendFolder);
  await setAll({ set: (item) => backend.set(item.key, entryOf(item)) }, items);
  await backend.close();

  const openLogAgain = async (): Promise<void> => {
    const again = await openLog(logFolder);
    if (again.stats().entries !== items.length) throw new Error("Entries of the log are missing");
    await again.close();
  };
  const openBackendAgain = async (): Promise<void> => {
    const again = await openBackend(backendFolder);
    const { entries } = await again.getStats();
    if (entries !== items.length) throw new Error("Entries of the backend are missing");
    await again.close();
  };
  return {
    openLog: await timed(openLogAgain),
    openBackend: await timed(openBackendAgain),
    evict: await measureEviction(join(folder, "cold"), items, frames, 0),
    evictHot: await measureEviction(join(folder, "hot"), items, frames, 0.25),
  };
}

/**
 * Lets a full log make room, as for a large file, by whole segments: policy,
 * choice and removal of segments, and the lock, but no put. Between these
 * turns, untimed, puts fill it again, and reads decide what is carried over.
 *
 * @param readShare reads for each put.
 */
async function measureEviction(
  folder: string,
  items: readonly Item[],
  frames: readonly Uint8Array[],
  readShare: number,
): Promise<Eviction> {
  const log = await openLog(folder, { maxBytes: EVICTION_LIMIT, segmentBytes: SEGMENT_BYTES });
  const keys: string[] = [];
  let random = 0x2545_f491;
  const put = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done++) {
      const { at, key } = items[keys.length % items.length]!;
      keys.push(`${keys.length}${key}`);
      const answer = log.put(keys.at(-1)!, frames[at]!, Infinity);
      if (answer instanceof Promise) await answer;
      if (Math.floor((done + 1) * readShare) === Math.floor(done * readShare)) continue;
      const held = Math.min(keys.length, log.stats().entries);
      random = Math.imul(random, 1_664_525) + 1_013_904_223 >>> 0;
      log.get(keys.at(-1 - Math.floor(random / 2 ** 32 * held))!);
    }
    await log.flush();
  };
  await put(Math.ceil(2 * EVICTION_LIMIT / frames[0]!.length));
  let us = 0;
  let cpuUs = 0;
  let evicted = 0;
  for (let turn = 0; turn < EVICTION_TURNS; turn++) {
    const before = log.stats().evictions;
    const timing = await timed(async () => {
      if (!await log.reserve(SEGMENT_BYTES)) throw new Error("The log made no room");
    });
    us += timing.us;
    cpuUs += timing.cpuUs;
    const gone = log.stats().evictions - before;
    evicted += gone;
    log.release(SEGMENT_BYTES);
    await put(gone);
  }
  const { writeAmplification } = log.stats();
  await log.close();
  return { each: { us: us / evicted, cpuUs: cpuUs / evicted }, writeAmplification };
}
