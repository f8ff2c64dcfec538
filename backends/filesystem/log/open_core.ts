import { StampClock } from "./stamp_clock.ts";
import { CacheError } from "../../../src/errors.ts";
import { liveBudget } from "./budget.ts";
import { storePolicy } from "../../../src/eviction/store_policy.ts";
import { Catalog } from "./catalog.ts";
import type { LogCore } from "./core.ts";
import { DirectoryWatch, lostError } from "./directory_watch.ts";
import { DirectoryLock } from "./directory_lock.ts";
import { FileCache } from "./file_cache.ts";
import { createFile, type FileLayer, nodeFileLayer, readFile, removeFile } from "./file_layer.ts";
import { Health } from "./health.ts";
import { Heartbeat } from "./heartbeat.ts";
import { procTable, Witness } from "./identity.ts";
import { IoMeter } from "./io_meter.ts";
import { KeyHash } from "../../_key_hash.ts";
import { checkOptions, type SegmentLogOptions } from "./log_options.ts";
import { type LogDirectory, openDirectory } from "./manifest.ts";
import { networkFileSystem } from "./network_file_system.ts";
import { Reader } from "./reader.ts";
import { SegmentSet } from "./segment_set.ts";
import { Space } from "./space.ts";
import { WriteQueue } from "./write_queue.ts";

/** The parts of an open log. */
export interface OpenedCore {
  readonly core: LogCore;
  readonly set: SegmentSet;
  readonly space: Space;
  readonly queue: WriteQueue;
  readonly reader: Reader;
  /** When the directory was looked at, by the stopwatch: what came later is not known yet. */
  readonly lookedAt: number;
  /** Gives up what holds the directory. */
  readonly closeDirectory: () => void;
}

/** Opens a directory and reads what is in it. */
export function openCore(path: string, options: SegmentLogOptions): OpenedCore {
  const segmentBytes = checkOptions(options);
  const { maxBytes = Infinity, maxEntries = Infinity, clock, report } = options;
  const layer = options.fileLayer ?? nodeFileLayer;
  const stopwatch = options.stopwatch ?? (() => performance.now());
  const random = options.random ?? (() => crypto.getRandomValues(new Uint32Array(1))[0]!);
  const { directory, witness, closeDirectory } = findDirectory(path, layer, options, {
    stopwatch,
    random,
  });
  const limits = {
    maxWeight: Math.min(liveBudget(maxBytes, segmentBytes, 1), Number.MAX_SAFE_INTEGER),
    maxEntries: Math.min(maxEntries, Number.MAX_SAFE_INTEGER),
  };
  const watch = new DirectoryWatch(layer, directory, clock);
  const author = random() & 0xffff;
  const core: LogCore = {
    layer,
    directory,
    watch,
    catalog: new Catalog(storePolicy(options.policy(limits), limits), maxEntries, author),
    author,
    hash: new KeyHash(directory.seed[0]!, directory.seed[1]!),
    stamps: new StampClock(clock),
    clock,
    stopwatch,
    random,
    health: new Health({
      stopwatch,
      probe: () => {
        // A directory that has taken its place says nothing about this one.
        if (!watch.isSame()) throw lostError(directory.path);
        probe(layer, `${directory.path}/${witness.self.token}.probe.tmp`);
      },
      onChange: (state, cause) =>
        report({
          kind: "error",
          error: new CacheError("backend", `Segment log in ${directory.path} is ${state}`, {
            cause,
          }),
        }),
    }),
    meter: new IoMeter(options.io ?? "auto", stopwatch),
    files: new FileCache(layer, directory.path, options.maxOpenFiles ?? 128),
    witness,
    durability: options.durability ?? "none",
    segmentBytes,
    maxBytes,
    report,
    counters: { bytesPut: 0, bytesCarried: 0, corruptions: 0, segmentsReclaimed: 0 },
  };
  return assemble(core, options, closeDirectory);
}

function assemble(
  core: LogCore,
  options: SegmentLogOptions,
  closeDirectory: () => void,
): OpenedCore {
  const set = new SegmentSet(core);
  const reader = new Reader(core, options.checkBodies ?? true);
  core.catalog.onOvertaken = (slot) => {
    const body = reader.bodyOf(slot);
    if (body !== undefined) options.external?.drop(body);
  };
  const lock = new DirectoryLock(core.layer, core.directory.path, "space.lock", core.witness);
  const space = new Space(core, set, lock, {
    onDrop: (body) => options.external?.drop(body),
    bodyOf: (slot) => reader.bodyOf(slot),
  });
  const queue = new WriteQueue(core, space);
  space.attach(queue);
  // Before the look: what others write meanwhile may not be seen by it.
  const lookedAt = core.stopwatch();
  try {
    set.refresh();
  } catch (cause) {
    throw unavailable(core.directory.path, cause);
  }
  return { core, set, space, queue, reader, lookedAt, closeDirectory };
}

interface Sources {
  readonly stopwatch: () => number;
  readonly random: () => number;
}

interface FoundDirectory {
  readonly directory: LogDirectory;
  readonly witness: Witness;
  readonly closeDirectory: () => void;
}

function findDirectory(
  path: string,
  layer: FileLayer,
  options: SegmentLogOptions,
  { stopwatch, random }: Sources,
): FoundDirectory {
  const token = Array.from({ length: 4 }, () => random().toString(16).padStart(8, "0")).join("");
  const onUnknown = (unknown: string): void =>
    options.report({
      kind: "error",
      error: new CacheError(
        "unsupported-format",
        `Cannot read segment log in ${unknown}: its format is not known here: it is left as it is, and a directory below it is used`,
      ),
    });
  try {
    layer.makeDirectory(path);
    const network = networkFileSystem(layer.fileSystem(path));
    const table = options.processTable ?? procTable;
    const witness = new Witness(table, token, stopwatch, network === undefined);
    if (network === undefined) {
      const directory = openDirectory(layer, path, random, onUnknown);
      return { directory, witness, closeDirectory: () => {} };
    }
    options.report({
      kind: "error",
      error: new CacheError(
        "unavailable",
        `Cannot share segment log in ${path}: it is on ${network}: each process has a directory and limit of its own`,
      ),
    });
    const { own, closeDirectory } = takeOwn(path, layer, witness, options);
    return { directory: openDirectory(layer, own, random, onUnknown), witness, closeDirectory };
  } catch (cause) {
    throw unavailable(path, cause);
  }
}

/** The first directory of those for one process each that no living one has. */
function takeOwn(
  path: string,
  layer: FileLayer,
  witness: Witness,
  { clock }: SegmentLogOptions,
): { readonly own: string; readonly closeDirectory: () => void } {
  for (let number = 0;; number++) {
    const own = `${path}/own-${number}`;
    layer.makeDirectory(own);
    const lock = new DirectoryLock(layer, own, "own.lock", witness);
    if (!lock.tryAcquire()) continue;
    const heartbeat = new Heartbeat(layer, `${own}/own.lock`, clock);
    const closeDirectory = (): void => {
      heartbeat.stop();
      lock.release();
    };
    return { own, closeDirectory };
  }
}

/** Whether a small file can be written and read. */
function probe(layer: FileLayer, path: string): void {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  removeFile(layer, path);
  createFile(layer, path, bytes, true);
  const read = readFile(layer, path);
  removeFile(layer, path);
  if (read.length !== bytes.length) {
    throw new Error("Cannot probe disk: what was written is not there");
  }
}

function unavailable(path: string, cause: unknown): CacheError {
  return new CacheError("unavailable", `Cannot open segment log in ${path}`, {
    backend: "filesystem",
    cause,
  });
}
