import { lstatSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Disk } from "../../../backends/filesystem/disk.ts";
import { FilesystemBackend, type FilesystemConfig } from "../../../backends/filesystem.ts";
import type { BackendReport, Clock } from "../../../src/types.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

/** A directory of a test's own, and backends over it. */
export interface Scratch {
  readonly path: string;
  readonly clock: FakeClock;
  readonly reports: BackendReport[];
  /** Opens a backend over the directory; it is closed when the test ends. */
  readonly open: (
    config?: Partial<FilesystemConfig>,
    disk?: Disk,
    clock?: Clock,
  ) => Promise<FilesystemBackend>;
  /** Paths of the files of large values. */
  readonly largeFiles: () => string[];
}

/** Runs a test with a directory that is gone afterwards. */
export async function withScratch(body: (scratch: Scratch) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), "strata-"));
  const clock = new FakeClock();
  const reports: BackendReport[] = [];
  const opened: FilesystemBackend[] = [];
  const open: Scratch["open"] = async (config, disk, time = clock) => {
    const context = { clock: time, report: (report: BackendReport) => void reports.push(report) };
    const backend = await FilesystemBackend.open({ basePath: path, ...config }, context, disk);
    opened.push(backend);
    return backend;
  };
  const largeFiles = (): string[] => filesBelow(path).filter((file) => file.endsWith(".value"));
  try {
    await body({ path, clock, reports, open, largeFiles });
  } finally {
    for (const backend of opened) await backend.close();
    await rm(path, { recursive: true });
  }
}

/** Bytes that `du` counts for a directory and all below it; what vanishes meanwhile counts nothing. */
export function diskUsage(path: string): number {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return 0;
  let bytes = status.blocks * 512;
  if (status.isDirectory()) {
    for (const name of namesIn(path)) bytes += diskUsage(join(path, name));
  }
  return bytes;
}

/** Paths of all files below a directory. */
export function filesBelow(path: string): string[] {
  return namesIn(path).flatMap((name) => {
    const inside = join(path, name);
    return lstatSync(inside, { throwIfNoEntry: false })?.isDirectory()
      ? filesBelow(inside)
      : [inside];
  });
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // The directory was removed between two looks.
    return [];
  }
}
