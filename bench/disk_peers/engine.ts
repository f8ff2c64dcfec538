import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { entryOf, openBackend } from "./filesystem_backend.ts";
import { setAll } from "./measure.ts";
import type { Item } from "./peer.ts";
import { frameOf, openLog } from "./segment_log.ts";

/** What only the engine is measured by. */
export interface EngineFigures {
  /** Milliseconds to open a log. */
  readonly openLogMs: number;
  /** Milliseconds until an opened backend knows its entries. */
  readonly openBackendMs: number;
  /** Microseconds that a put takes longer where each evicts an entry. */
  readonly evictUs: number;
  /** Bytes written for each byte put, while evicting. */
  readonly writeAmplification: number;
}

const SEGMENT_BYTES = 4 * 1024 * 1024;
/** A limit that holds fewer than half of the items. */
const LIMIT_SHARE = 0.4;

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

  let began = performance.now();
  const logAgain = await openLog(logFolder);
  const openLogMs = performance.now() - began;
  if (logAgain.stats().entries !== items.length) throw new Error("Entries of the log are missing");
  await logAgain.close();

  began = performance.now();
  const backendAgain = await openBackend(backendFolder);
  const { entries } = await backendAgain.getStats();
  const openBackendMs = performance.now() - began;
  if (entries !== items.length) throw new Error("Entries of the backend are missing");
  await backendAgain.close();

  return { openLogMs, openBackendMs, ...await measureEviction(folder, items, frames) };
}

/** The same puts into a log that is full, and into one without a limit. */
async function measureEviction(
  folder: string,
  items: readonly Item[],
  frames: readonly Uint8Array[],
): Promise<Pick<EngineFigures, "evictUs" | "writeAmplification">> {
  const wanted = items.length * frames[0]!.length * LIMIT_SHARE;
  const maxBytes = Math.max(8 * SEGMENT_BYTES, wanted);
  const full = await openLog(join(folder, "full"), { maxBytes, segmentBytes: SEGMENT_BYTES });
  const fillers = Math.ceil(maxBytes / frames[0]!.length / items.length);
  for (let turn = 0; turn < fillers; turn++) {
    await setAll({ set: ({ at, key }) => full.put(`${turn}${key}`, frames[at]!, Infinity) }, items);
  }
  await full.flush();
  const free = await openLog(join(folder, "free"), { segmentBytes: SEGMENT_BYTES });

  const put = async (log: typeof full): Promise<number> => {
    (globalThis as { gc?: () => void }).gc?.();
    const began = performance.now();
    await setAll({
      set: ({ at, key }) => log.put(key, frames[at]!, Infinity),
      flush: () => log.flush(),
    }, items);
    return (performance.now() - began) * 1000;
  };
  const freely = await put(free);
  const before = full.stats().evictions;
  const evicting = await put(full);
  const { evictions, writeAmplification } = full.stats();
  if (evictions - before < items.length / 2) throw new Error("The log did not evict");
  await free.close();
  await full.close();
  return { evictUs: (evicting - freely) / (evictions - before), writeAmplification };
}
