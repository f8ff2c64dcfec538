import { homedir } from "node:os";
import { resolve } from "node:path";
import { ConfigReader, show } from "../../src/config.ts";
import { type EvictionPolicyName, evictionPolicyNames } from "../../src/eviction/policies.ts";
import { MIN_LOG_BYTES } from "./log/log_options.ts";

/** Config of a filesystem backend. */
export interface FilesystemConfig {
  /** `"filesystem"`, for the registry. */
  readonly type?: "filesystem" | undefined;
  /** Names the tier. @default "filesystem" */
  readonly name?: string | undefined;
  /** The directory; `~` at its start is the home directory. Made when it is not there. */
  readonly basePath: string;
  /** The limit in MiB, of files and folders as `du` counts them; `Infinity` for none. @default 1024 */
  readonly maxSizeMb?: number | undefined;
  /** The limit in bytes, or as a string such as `"500MB"`, instead of `maxSizeMb`. At least 260 KiB. */
  readonly maxBytes?: number | string | undefined;
  /** The most entries. @default Infinity */
  readonly maxEntries?: number | undefined;
  /** Which entry leaves when a limit is reached. @default "lru" */
  readonly evictionPolicy?: EvictionPolicyName | undefined;
  /**
   * What a `set` that resolved means when process or machine come to a sudden end.
   *
   * - `"none"`: an entry in place of another is written, so that the end of the
   *   process does not harm it; a new one can be read and is written within
   *   some 2 ms, by `flush()`, by `close()` or when the process ends by itself,
   *   so that `kill -9` may lose the last 2 ms. What a power cut leaves is up
   *   to the system.
   * - `"segment"`: the same, and everything is on the disk (fdatasync) once
   *   `flush()` or `close()` has resolved, or its segment is full.
   * - `"batch"`: the entry is on the disk; entries that are set at once share
   *   one wait.
   *
   * A `delete` or `clear` that resolved is written, with `"batch"` on the disk.
   *
   * @default "none"
   */
  readonly durability?: "none" | "segment" | "batch" | undefined;
  /**
   * How values in the log are read: `"sync"` takes 1 to 2 µs of the event
   * loop, `"async"` none but some 100 µs in all, `"auto"` is `"sync"` as long
   * as the disk is found to be quick. @default "auto"
   */
  readonly io?: "auto" | "sync" | "async" | undefined;
  /**
   * Frames of up to so many bytes go into the log, larger ones to files of
   * their own; a number of bytes, or a string such as `"16KB"`. A frame in the
   * log takes at most a quarter of a segment, whatever this says. @default "64KB"
   */
  readonly maxInlineBytes?: number | string | undefined;
  /**
   * Bytes of a segment, a number or a string such as `"4MB"`: at least 8 KiB, at
   * most an eighth of the limit. @default a 32nd of the limit, at most 16 MiB
   */
  readonly segmentBytes?: number | string | undefined;
  /**
   * How late what other processes did may be seen, in seconds or as a string
   * such as `"50ms"`; `refresh()` sees it at once. @default "100ms"
   */
  readonly refreshInterval?: number | string | undefined;
}

/** What {@linkcode readConfig} makes of a {@linkcode FilesystemConfig}. */
export interface CheckedConfig {
  readonly name: string;
  /** The directory, absolute. */
  readonly base: string;
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly policyName: string;
  readonly durability: "none" | "segment" | "batch";
  readonly io: "auto" | "sync" | "async";
  readonly maxInlineBytes: number;
  /** `undefined` for what the log chooses. */
  readonly segmentBytes: number | undefined;
  readonly pollMs: number;
}

/** Begins the messages of all errors of open. */
export const SUBJECT = "Cannot open filesystem backend";

/** The base path itself, which the log in a folder of it does not count. */
export const BASE_BYTES = 4096;

const FIELDS = [
  "type",
  "name",
  "basePath",
  "maxSizeMb",
  "maxBytes",
  "maxEntries",
  "evictionPolicy",
  "durability",
  "io",
  "maxInlineBytes",
  "segmentBytes",
  "refreshInterval",
] as const;

/** A disk without a limit fills up. */
const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;
const MIN_MAX_BYTES = MIN_LOG_BYTES + BASE_BYTES;
const DEFAULT_INLINE_BYTES = 64 * 1024;
const MIN_SEGMENT_BYTES = 8 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;
const DEFAULT_POLL_MS = 100;

/**
 * Checks a config.
 *
 * @throws {TypeError} when a field is unknown or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function readConfig(config: unknown): CheckedConfig {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const basePath = reader.string("basePath");
  if (basePath === undefined) {
    throw new TypeError(`${SUBJECT}: 'basePath' must be given: it is the directory for its files`);
  }
  if (basePath.includes("\0") || /^file:\/\//i.test(basePath)) {
    throw new TypeError(
      `${SUBJECT}: 'basePath' must be a path of the file system: current value is ${
        show(basePath)
      }`,
    );
  }
  const maxBytes = reader.maxBytes() ?? DEFAULT_MAX_BYTES;
  if (maxBytes < MIN_MAX_BYTES) {
    throw new RangeError(
      `${SUBJECT}: limit must be at least ${MIN_MAX_BYTES} bytes: current value is ${maxBytes}`,
    );
  }
  return {
    name: reader.string("name") ?? "filesystem",
    base: expand(basePath),
    maxBytes,
    maxEntries: reader.integer("maxEntries", { min: 1 }) ?? Infinity,
    policyName: reader.oneOf("evictionPolicy", evictionPolicyNames) ?? "lru",
    durability: reader.oneOf("durability", ["none", "segment", "batch"]) ?? "none",
    io: reader.oneOf("io", ["auto", "sync", "async"]) ?? "auto",
    maxInlineBytes: reader.bytes("maxInlineBytes") ?? DEFAULT_INLINE_BYTES,
    segmentBytes: segmentBytesOf(reader, maxBytes),
    pollMs: reader.duration("refreshInterval") ?? DEFAULT_POLL_MS,
  };
}

function segmentBytesOf(reader: ConfigReader, maxBytes: number): number | undefined {
  const segmentBytes = reader.bytes("segmentBytes");
  if (segmentBytes === undefined) return undefined;
  const most = Math.min(MAX_SEGMENT_BYTES, Math.floor((maxBytes - BASE_BYTES) / 8));
  if (segmentBytes >= MIN_SEGMENT_BYTES && segmentBytes <= most) return segmentBytes;
  throw new RangeError(
    `${SUBJECT}: 'segmentBytes' must be from ${MIN_SEGMENT_BYTES} to ${most} bytes: current value is ${segmentBytes}`,
  );
}

function expand(basePath: string): string {
  if (basePath === "~") return homedir();
  const inHome = basePath.startsWith("~/") || basePath.startsWith("~\\");
  return inHome ? resolve(homedir(), basePath.slice(2)) : resolve(basePath);
}
