import { mkdirSync } from "node:fs";
import { join } from "node:path";
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
  /** What a put takes more where each evicts an entry. */
  readonly evict: Timing;
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
    ...await measureEviction(folder, items, frames),
  };
}

/** The same puts into a log that is full, and into one without a limit. */
async function measureEviction(
  folder: string,
  items: readonly Item[],
  frames: readonly Uint8Array[],
): Promise<Pick<EngineFigures, "evict" | "writeAmplification">> {
  const wanted = items.length * frames[0]!.length * LIMIT_SHARE;
  const maxBytes = Math.max(8 * SEGMENT_BYTES, wanted);
  const full = await openLog(join(folder, "full"), { maxBytes, segmentBytes: SEGMENT_BYTES });
  const fillers = Math.ceil(maxBytes / frames[0]!.length / items.length);
  for (let turn = 0; turn < fillers; turn++) {
    await setAll({ set: ({ at, key }) => full.put(`${turn}${key}`, frames[at]!, Infinity) }, items);
  }
  await full.flush();
  const free = await openLog(join(folder, "free"), { segmentBytes: SEGMENT_BYTES });

  const put = (log: typeof full): Promise<Timing> =>
    timed(() =>
      setAll({
        set: ({ at, key }) => log.put(key, frames[at]!, Infinity),
        flush: () => log.flush(),
      }, items)
    );
  const freely = await put(free);
  const before = full.stats().evictions;
  const evicting = await put(full);
  const { evictions, writeAmplification } = full.stats();
  if (evictions - before < items.length / 2) throw new Error("The log did not evict");
  await free.close();
  await full.close();
  const each = (field: keyof Timing): number =>
    (evicting[field] - freely[field]) / (evictions - before);
  return { evict: { us: each("us"), cpuUs: each("cpuUs") }, writeAmplification };
}
