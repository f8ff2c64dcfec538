import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import process from "node:process";
import type { SegmentLogOptions } from "../../../../backends/filesystem/log/log_options.ts";
import { SegmentLog } from "../../../../backends/filesystem/log/segment_log.ts";
import type { StoredEntry } from "../../../../backends/filesystem/log/reader.ts";
import { systemClock } from "../../../../src/clock.ts";
import { CacheEntry } from "../../../../src/entry/entry.ts";
import { encodeFrame } from "../../../../src/entry/frame.ts";
import type { EvictionPolicy } from "../../../../src/eviction/eviction_policy.ts";
import type { BackendReport } from "../../../../src/types.ts";

/** First in, first out, over a linked list of slots. */
export class FifoPolicy implements EvictionPolicy {
  readonly name = "fifo";
  readonly usesHash = false;
  readonly #order = new Set<number>();

  add(slot: number): void {
    if (this.#order.has(slot)) throw new Error(`slot ${slot} is in use`);
    this.#order.add(slot);
  }

  touch(slot: number): void {
    this.#assertKnown(slot);
  }

  reweigh(slot: number): void {
    this.#assertKnown(slot);
  }

  remove(slot: number): void {
    this.#assertKnown(slot);
    this.#order.delete(slot);
  }

  evict(): number {
    const { value, done } = this.#order.values().next();
    if (done === true) return -1;
    this.#order.delete(value);
    return value;
  }

  clear(): void {
    this.#order.clear();
  }

  #assertKnown(slot: number): void {
    if (!this.#order.has(slot)) throw new Error(`slot ${slot} is not in use`);
  }
}

/** Random numbers that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return (mixed ^ mixed >>> 14) >>> 0;
  };
}

/** A number from 0 to `below`, exclusive. */
export function pick(random: () => number, below: number): number {
  return random() % below;
}

/** Runs with a directory that is removed afterwards. */
export async function withDirectory<T>(run: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "strata-log-"));
  try {
    return await run(directory);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** Opens a log with reports collected. */
export async function openLog(
  directory: string,
  options: Partial<SegmentLogOptions> = {},
): Promise<SegmentLog & { readonly reports: BackendReport[] }> {
  const reports: BackendReport[] = [];
  const log = await SegmentLog.open(directory, {
    policy: () => new FifoPolicy(),
    clock: systemClock,
    report: (report) => reports.push(report),
    ...options,
  });
  return Object.assign(log, { reports });
}

/** The frame of a key whose value is text that says which key and version it is of, and is `length` bytes long. */
export function frameOf(key: string, version: number, length: number = 64): Uint8Array {
  const bytes = new Uint8Array(length);
  const random = seeded(version * 7919 + key.length);
  for (let at = 0; at < length; at++) bytes[at] = random();
  return encodeFrame(key, {
    createdAt: 0,
    expiresAt: Infinity,
    staleUntil: Infinity,
    version,
    tags: [],
  }, { bytes, rawLength: length, serializer: 0, codec: 0, dtype: 1 });
}

/** The version of an entry whose bytes are exactly those of {@linkcode frameOf}; -1 for a miss. */
export function versionOf(key: string, entry: StoredEntry | undefined): number {
  if (entry === undefined) return -1;
  const { version } = CacheEntry.decode(key, entry.body);
  const length = new DataView(entry.body.buffer, entry.body.byteOffset).getUint32(8, true);
  const expected = frameOf(key, version, length);
  if (!isSame(entry.body, expected)) throw new Error(`value of ${key} is not what was put`);
  return version;
}

/** Reads the version that a log holds of a key; -1 for a miss. */
export async function readVersion(log: SegmentLog, key: string): Promise<number> {
  return versionOf(key, await log.get(key));
}

/** Bytes that a directory takes as `du` counts them. */
export function diskUsage(directory: string): number {
  let total = 0;
  const visit = (file: string): void => {
    let stat: fs.Stats;
    try {
      stat = fs.lstatSync(file);
    } catch {
      return;
    }
    total += stat.blocks * 512;
    if (!stat.isDirectory()) return;
    for (const name of fs.readdirSync(file)) visit(path.join(file, name));
  };
  visit(directory);
  return total;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** What this runtime wants before the path of a script to be run. */
export function runtimeArguments(): string[] {
  return "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
}

/**
 * Commands of runtimes to run processes with, one after another: this
 * runtime's, or those that STRATA_RUNTIMES gives as "program argument …",
 * apart by "|", to mix runtimes.
 */
export function runtimeCommands(): readonly (readonly string[])[] {
  const given = process.env["STRATA_RUNTIMES"];
  return given === undefined
    ? [[process.execPath, ...runtimeArguments()]]
    : given.split("|").map((command) => command.split(" "));
}

/** Mounts a small file system, where this may be done. @returns whether it is there. */
export function mountTmpfs(directory: string, size: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}
