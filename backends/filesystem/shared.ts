import type { BackendReport, Clock } from "../../src/types.ts";
import type { Directories } from "./directories.ts";
import type { Disk } from "./disk.ts";
import type { FileIndex } from "./file_index.ts";
import type { Lanes } from "./lanes.ts";
import { TEMPORARY, type TemporaryNames } from "./names.ts";
import type { Semaphore } from "./semaphore.ts";
import type { Space } from "./space.ts";

/** What the parts of one file store work on together. */
export interface Shared {
  readonly disk: Disk;
  /** The layout's folder. */
  readonly root: string;
  readonly directories: Directories;
  readonly index: FileIndex;
  /** Changes of one entry, in order; named by {@linkcode entryPath}. */
  readonly lanes: Lanes;
  /** Entries whose file is being changed right now, and when that will be over. */
  readonly active: Map<string, Promise<void>>;
  readonly space: Space;
  /** Bounds the files open at once. */
  readonly files: Semaphore;
  readonly clock: Clock;
  readonly report: (report: BackendReport) => void;
  readonly counters: Counters;
  /** Temporary files of other processes, as of the last look. */
  readonly others: { bytes: number };
  readonly temporaries: TemporaryNames;
}

/** What happened since open. */
export interface Counters {
  evictions: number;
  expirations: number;
  corruptions: number;
}

/** Changes an entry's file while it is marked as being changed. */
export async function whileActive<T>(
  { active }: Shared,
  name: string,
  change: () => Promise<T>,
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<void>();
  active.set(name, promise);
  try {
    return await change();
  } finally {
    active.delete(name);
    resolve();
  }
}

/** The path of a temporary file that nobody else uses. */
export function temporaryPath({ root, temporaries }: Shared): string {
  return `${root}/${TEMPORARY}/${temporaries.next()}`;
}
