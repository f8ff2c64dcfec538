import { Buffer } from "node:buffer";
import type { CacheEntry } from "../../src/entry/entry.ts";
import { SLOT_BYTES } from "../../src/entry/stream_frame.ts";
import { CacheError } from "../../src/errors.ts";
import type { MaybePromise } from "../../src/maybe_promise.ts";
import type {
  BackendContext,
  ByteRange,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../../src/types.ts";
import { FramePieces } from "../_frame_pieces.ts";
import type { Disk } from "./disk.ts";
import { GrowingFile } from "./growing_file.ts";
import { fileOf, type LargeFile, type LargeFiles } from "./large_files.ts";
import { isSame } from "./log/same_bytes.ts";
import type { SegmentLog } from "./log/segment_log.ts";
import { notTaken, tellNoRoom } from "./no_room.ts";

/** What streams share with the store. */
export interface StoreStreamsParts {
  /** Has the references, and small frames. */
  readonly log: SegmentLog;
  /** Have the others. */
  readonly files: LargeFiles;
  /** The calls for files. */
  readonly disk: Disk;
  /** Clock and listener. */
  readonly context: BackendContext;
  /** Frames of up to so many bytes go into the log. */
  readonly maxInlineBytes: number;
  /** Writes that wait for something, by key; who comes later takes the place. */
  readonly pending: Map<string, symbol>;
  /** Takes the place of what an older form of the store has. */
  readonly supersede: (key: string) => MaybePromise<unknown> | undefined;
  /** Stores a frame that turned out to be small. */
  readonly put: (key: string, frame: Uint8Array, expiresAt: number) => Promise<boolean>;
  /** Reads what an older form of the store has. */
  readonly get: (key: string) => MaybePromise<CacheEntry | undefined>;
}

/** Reads of a value whose file was replaced before it was opened; the last one is a miss. */
const MAX_TRIES = 16;

/** Pieces that are read before they are asked for. */
const PIECES_AHEAD = 2;

/** Moves frames in and out of files of their own, piece by piece. */
export class StoreStreams {
  readonly #parts: StoreStreamsParts;

  constructor(parts: StoreStreamsParts) {
    this.#parts = parts;
  }

  /**
   * Writes a stream into a file, then the reference to it.
   *
   * @returns what the stream failed with, or the signal's reason, if one did.
   * @throws what the disk says. Nothing is left in both cases.
   */
  async set(
    key: string,
    entry: StreamedEntry,
    signal: AbortSignal,
  ): Promise<VersionedOutcome | { readonly reason: unknown }> {
    const pieces = new FramePieces(entry, signal);
    try {
      const small = await this.#small(pieces);
      if ("frame" in small) {
        const isStored = await this.#parts.put(key, small.frame, entry.expiresAt);
        return isStored ? "stored" : "declined";
      }
      return await this.#setFile(key, entry, small.begun, pieces);
    } catch (error) {
      if (pieces.failure === undefined) throw error;
      return pieces.failure;
    } finally {
      pieces.end();
    }
  }

  /** Opens a frame, or a range of it. */
  async get(
    key: string,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<StoredFrame | undefined> {
    const { log, files, get } = this.#parts;
    let gone: Uint8Array | undefined;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = await log.get(key);
      if (found === undefined) {
        const older = await get(key);
        return older && framed(await older.encode(), range);
      }
      if (!found.isReference) return framed(found.body, range);
      const file = fileOf(found.body);
      const fd = file && await files.open(file);
      if (file !== undefined && fd !== undefined) return this.#frameOf(file, fd, range, signal);
      if (file === undefined || gone !== undefined && isSame(gone, found.body)) {
        const error = new CacheError("corrupt", "Cannot read value: its file is gone", { key });
        log.forget(key);
        this.#parts.context.report({ kind: "corrupt", key, error });
        return undefined;
      }
      gone = found.body;
      log.refresh();
    }
    return undefined;
  }

  /** Reads as much as would fit into the log. */
  async #small(
    pieces: FramePieces,
  ): Promise<{ readonly frame: Uint8Array } | { readonly begun: readonly Uint8Array[] }> {
    const begun: Uint8Array[] = [];
    while (pieces.length <= this.#parts.maxInlineBytes) {
      const piece = await pieces.next();
      if (piece === undefined) return { frame: new Uint8Array(Buffer.concat(begun)) };
      begun.push(piece);
    }
    return { begun };
  }

  async #setFile(
    key: string,
    { expiresAt, frameLength = 0, release }: StreamedEntry,
    begun: readonly Uint8Array[],
    pieces: FramePieces,
  ): Promise<VersionedOutcome> {
    const { log, files, disk, context } = this.#parts;
    const { maxFileBytes } = log;
    const file = new GrowingFile(files, disk, context.clock, maxFileBytes, files.isDurable);
    let isKept = false;
    try {
      const unwritten = [...begun];
      let length = frameLength;
      for (;;) {
        const piece = unwritten.shift() ?? await pieces.next();
        if (piece === undefined) break;
        length = Math.max(length, file.length + piece.length);
        if (length > maxFileBytes || !await file.append(piece, release)) {
          return await this.#decline(key, length);
        }
      }
      const finished = await file.finish();
      const outcome = await this.#refer(key, finished.file, finished.body, expiresAt);
      isKept = outcome === undefined;
      return "stored";
    } finally {
      if (!isKept) await file.discard();
    }
  }

  /** Puts the reference. @returns why the file is not wanted after all, `undefined` when it is. */
  async #refer(
    key: string,
    { bytes }: LargeFile,
    body: Uint8Array,
    expiresAt: number,
  ): Promise<"superseded" | "over" | undefined> {
    const { log, pending, supersede, context } = this.#parts;
    const turn = Symbol();
    pending.set(key, turn);
    const isCurrent = (): boolean => pending.get(key) === turn;
    try {
      await supersede(key);
      if (!isCurrent()) return "superseded";
      if (expiresAt <= context.clock.now()) {
        await log.delete(key);
        return "over";
      }
      if (await log.putReference(key, { body, fileBytes: bytes }, expiresAt)) return undefined;
      throw notTaken(key);
    } finally {
      if (isCurrent()) pending.delete(key);
    }
  }

  /** Makes the key a miss whose value there is no room for. */
  async #decline(key: string, bytes: number): Promise<VersionedOutcome> {
    const { log, pending, context, supersede } = this.#parts;
    pending.delete(key);
    await supersede(key);
    await log.delete(key);
    if (log.stats().health !== "healthy") throw notTaken(key);
    tellNoRoom(log, context, key, bytes);
    return "declined";
  }

  #frameOf(
    { name, bytes }: LargeFile,
    fd: number,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): StoredFrame {
    const { disk } = this.#parts;
    let position = Math.min(range?.offset ?? 0, bytes);
    const stop = Math.min(bytes, position + (range?.length ?? bytes));
    let reading: Promise<unknown> | undefined;
    let isClosed = false;
    const close = (): void => {
      if (isClosed) return;
      isClosed = true;
      signal.removeEventListener("abort", onAbort);
      // Not under a read: the number may be another file's by the time that it runs.
      if (reading === undefined) disk.close(fd);
      else reading.catch(() => {}).finally(() => disk.close(fd));
    };
    let fail: (error: unknown) => void = () => {};
    const onAbort = (): void => {
      close();
      fail(signal.reason);
    };
    const frame = new ReadableStream<Uint8Array>({
      start: (controller) => {
        fail = (error) => controller.error(error);
        signal.addEventListener("abort", onAbort);
        if (signal.aborted) onAbort();
      },
      pull: async (controller) => {
        try {
          if (position < stop) {
            const end = Math.min(stop, position - position % SLOT_BYTES + SLOT_BYTES);
            // The system fills it; zeros before that would cost as much as reading.
            const into = Buffer.allocUnsafeSlow(end - position);
            const count = await (reading = disk.read(fd, into, position));
            reading = undefined;
            if (isClosed) return;
            if (count === 0) throw new CacheError("corrupt", `Cannot read ${name}: it is cut`);
            position += count;
            controller.enqueue(new Uint8Array(into.buffer, into.byteOffset, count));
          }
          if (position >= stop) {
            close();
            controller.close();
          }
        } catch (error) {
          reading = undefined;
          if (isClosed) return;
          close();
          controller.error(error);
        }
      },
      cancel: close,
    }, { highWaterMark: PIECES_AHEAD });
    return { frameLength: bytes, frame };
  }
}

/** A frame that is in memory, as a stream of what is wanted of it. */
function framed(frame: Uint8Array, range: ByteRange | undefined): StoredFrame {
  const { offset, length } = range ?? { offset: 0, length: frame.length };
  let rest = frame.subarray(offset, offset + length);
  return {
    frameLength: frame.length,
    frame: new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (rest.length > 0) controller.enqueue(rest.slice(0, SLOT_BYTES));
        rest = rest.subarray(SLOT_BYTES);
        if (rest.length === 0) controller.close();
      },
    }, { highWaterMark: 0 }),
  };
}
