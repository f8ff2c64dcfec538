import { SLOT_BYTES } from "../src/entry/stream_frame.ts";
import { CacheError, isCacheError } from "../src/errors.ts";
import { MAX_WHOLE_FRAME_BYTES } from "../src/entry/whole_stream_frame.ts";
import type { CacheEntry } from "../src/entry/entry.ts";
import type {
  ByteRange,
  Clock,
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../src/types.ts";
import { ChunkUpload } from "./_chunk_upload.ts";
import { chunkStream, recordStream } from "./_chunk_stream.ts";
import { FramePieces } from "./_frame_pieces.ts";
import type { FrameReader } from "./_frames.ts";
import type { StoredNames } from "./_stored_key.ts";
import {
  chunksNameOf,
  decodeReference,
  encodeReference,
  newChunksName,
  type StreamReference,
} from "./_stream_reference.ts";
import type { ReferenceWrite, VersionedWrites } from "./_versioned_writes.ts";

/** What an operation is about. */
export interface StreamCall {
  /** Begins messages. */
  readonly action: string;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** A record that was looked at. */
export interface OpenedRecord {
  /** What it begins with. */
  readonly start: Uint8Array;
  /** What is wanted of a frame, and all of its bytes; of a reference, nothing. */
  readonly frame?: { readonly bytes: Uint8Array; readonly length: number } | undefined;
}

/** How chunks and records are moved: what differs between the ways to a server. */
export interface ChunkTransport {
  /** Looks at a record, and reads a range of it where it is a frame. `undefined` where there is none. */
  open(
    stored: string,
    range: ByteRange | undefined,
    call: StreamCall,
  ): Promise<OpenedRecord | undefined>;
  /** Reads a chunk, into a buffer of its own. `undefined` where it is gone. */
  read(chunks: string, index: number, call: StreamCall): Promise<Uint8Array | undefined>;
  /** Writes a chunk, of which nothing is kept, and keeps those before it for another while. */
  write(chunks: string, index: number, bytes: Uint8Array, call: StreamCall): Promise<unknown>;
  /** Keeps chunks for another while. */
  keep(chunks: string, call: StreamCall): Promise<unknown>;
  /** Removes chunks. */
  remove(chunks: string, call: StreamCall): Promise<unknown>;
}

/** What the streams of a backend are made of. */
export interface ChunkedStreamsParts {
  /** Names the backend in errors. */
  readonly backend: string;
  /** Names it in messages. */
  readonly label: string;
  /** The one source of time. */
  readonly clock: Clock;
  /** Names on the server. */
  readonly names: StoredNames;
  /** Reads records. */
  readonly frames: FrameReader;
  /** Makes entries visible. */
  readonly versioned: VersionedWrites<StreamCall>;
  /** Moves bytes. */
  readonly transport: ChunkTransport;
  /** Bytes of a chunk. */
  readonly chunkBytes: number;
  /** Larger frames are declined. */
  readonly maxBytes: number;
  /** Runs an operation, unless the backend is closed. */
  readonly run: <T>(
    options: OperationOptions | undefined,
    operate: () => Promise<T>,
  ) => Promise<T>;
}

/** Bytes of a chunk where the server takes as many in a request. */
export const CHUNK_BYTES = SLOT_BYTES;

/** Times that a reader looks again because the key was written meanwhile. */
const MAX_LOOKS = 8;

/**
 * Moves frames as streams through a server that has strings and hashes only.
 * What fits into one chunk is a record as any other; else chunks are sent as
 * they come, and a reference to them makes them visible. The server drops
 * chunks by itself that nothing has come to refer to.
 */
export class ChunkedStreams {
  readonly #parts: ChunkedStreamsParts;
  readonly #closing = new AbortController();

  constructor(parts: ChunkedStreamsParts) {
    this.#parts = parts;
  }

  /** Ends the streams under way. */
  close(): void {
    const { backend } = this.#parts;
    const message = `Cannot use backend ${backend}: it is closed`;
    this.#closing.abort(new CacheError("closed", message, { backend }));
  }

  /** Stores an entry whose frame comes as a stream. */
  async set(
    key: string,
    entry: StreamedEntry,
    options: OperationOptions | undefined,
  ): Promise<VersionedOutcome> {
    const call = this.#call("write to", key, options);
    const pieces = new FramePieces(entry, call.signal);
    return await pieces.storedBy(() =>
      this.#parts.run(options, () => this.#set(entry, pieces, call))
    );
  }

  /** Reads the frame of an entry, or a range of it. */
  get(key: string, options: FrameReadOptions | undefined): Promise<StoredFrame | undefined> {
    const call = this.#call("read from", key, options);
    return this.#parts.run(options, () => this.#open(key, options?.range, call));
  }

  /** Reads an entry whole whose record is a reference. */
  async entry(key: string, options: OperationOptions | undefined): Promise<CacheEntry | undefined> {
    const { frames } = this.#parts;
    const call = this.#call("read from", key, options);
    for (let look = 1;; look++) {
      const read = await this.#open(key, undefined, call);
      if (read === undefined) return undefined;
      const { frame, frameLength } = read;
      try {
        if (frameLength > MAX_WHOLE_FRAME_BYTES) {
          await frame.cancel();
          throw new CacheError(
            "too-large",
            `Cannot read value: its frame has ${frameLength} bytes: read it with getStream`,
          );
        }
        const bytes = new Uint8Array(frameLength);
        let at = 0;
        for await (const piece of frame) {
          bytes.set(piece, at);
          at += piece.length;
        }
        return frames.entry(key, bytes);
      } catch (error) {
        if (!isCacheError(error)) throw error;
        const isGone = error.code === "corrupt" || error.code === "replaced";
        if (isGone && look < MAX_LOOKS) continue;
        if (error.code !== "corrupt" && error.code !== "too-large") throw error;
        frames.corrupt(key, error);
        return undefined;
      }
    }
  }

  async #set(
    entry: StreamedEntry,
    pieces: FramePieces,
    call: StreamCall & { readonly signal: AbortSignal },
  ): Promise<VersionedOutcome> {
    const { names, clock, versioned, transport, chunkBytes, maxBytes } = this.#parts;
    if (entry.staleUntil <= clock.now()) return await versioned.erase(entry, "stored", call);
    const name = newChunksName(names.entry(entry.key));
    const chunks = names.streamPrefix + name;
    let upload: ChunkUpload | undefined;
    let isVisible = false;
    try {
      if ((entry.frameLength ?? 0) > maxBytes) {
        return await versioned.erase(entry, "declined", call);
      }
      for await (const { bytes, isLast } of pieces.parts(chunkBytes)) {
        if (pieces.length > maxBytes) return await versioned.erase(entry, "declined", call);
        if (isLast && upload === undefined) return await versioned.setFrame(entry, bytes, call);
        upload ??= new ChunkUpload(transport, chunks, clock, call);
        await upload.add(bytes);
      }
      await upload!.settled();
      call.signal.throwIfAborted();
      const { expiresAt, staleUntil, version } = entry;
      const frameLength = pieces.length;
      const record = encodeReference({
        ...{ name, frameLength, chunkBytes, expiresAt, staleUntil, version },
      });
      const reference: ReferenceWrite = { record, chunks, count: upload!.count };
      const outcome = await versioned.setReference(entry, reference, call);
      isVisible = outcome === "stored";
      return outcome;
    } finally {
      upload?.end();
      if (!isVisible) await upload?.remove();
    }
  }

  async #open(
    key: string,
    range: ByteRange | undefined,
    call: StreamCall & { readonly signal: AbortSignal },
  ): Promise<StoredFrame | undefined> {
    const { names, frames, transport } = this.#parts;
    let before: string | undefined;
    for (let look = 0; look < MAX_LOOKS; look++) {
      try {
        const opened = await transport.open(names.entry(key), range, call);
        if (opened === undefined) return undefined;
        const { start, frame } = opened;
        if (frame === undefined) {
          const reference = decodeReference(start);
          if (!frames.isLive(start)) return undefined;
          const read = await this.#openChunks(key, reference, range, call);
          if (read !== undefined) return read;
          // The key has been written meanwhile, or memory has run out.
          if (reference.name === before) throw gone();
          before = reference.name;
        } else if (frames.isLive(start)) {
          return { frameLength: frame.length, frame: recordStream(frame.bytes, call.signal) };
        } else {
          return undefined;
        }
      } catch (error) {
        if (!isCacheError(error, "corrupt")) throw error;
        frames.corrupt(key, error);
        return undefined;
      }
    }
    throw new CacheError("backend", `${call.action}: the key changes faster than it can be read`, {
      backend: this.#parts.backend,
      key,
    });
  }

  async #openChunks(
    key: string,
    { name, frameLength, chunkBytes }: StreamReference,
    range: ByteRange | undefined,
    call: StreamCall & { readonly signal: AbortSignal },
  ): Promise<StoredFrame | undefined> {
    const { names, transport } = this.#parts;
    const from = Math.min(range?.offset ?? 0, frameLength);
    const to = Math.min(frameLength, from + (range?.length ?? frameLength));
    const chunks = names.streamPrefix + name;
    const read = async (index: number): Promise<Uint8Array | undefined> => {
      const bytes = await transport.read(chunks, index, call);
      if (bytes === undefined) return undefined;
      const start = index * chunkBytes;
      if (bytes.length !== Math.min(chunkBytes, frameLength - start)) {
        throw new CacheError("corrupt", `Cannot read chunk ${index}: it has another length`);
      }
      return bytes.subarray(Math.max(0, from - start), Math.max(0, to - start));
    };
    const first = Math.floor(from / chunkBytes);
    const bytes = from < to ? await read(first) : new Uint8Array(0);
    if (bytes === undefined) return undefined;
    const last = from < to ? Math.ceil(to / chunkBytes) - 1 : first;
    const readOn = async (index: number): Promise<Uint8Array> => {
      const found = await read(index);
      if (found === undefined) throw await this.#whyGone(key, name, call);
      return found;
    };
    return { frameLength, frame: chunkStream({ bytes, first, last, read: readOn }, call.signal) };
  }

  /** Why chunks are gone that were there: the key has been written meanwhile, or memory has run out. */
  async #whyGone(key: string, name: string, call: StreamCall): Promise<CacheError> {
    const { names, transport, backend } = this.#parts;
    const now = await transport.open(names.entry(key), { offset: 0, length: 0 }, call);
    if (now !== undefined && chunksNameOf(now.start) === name) return gone();
    const message =
      `${call.action}: the value was replaced or removed while it was read: read it again`;
    return new CacheError("replaced", message, { backend, key });
  }

  #call(
    verb: string,
    key: string,
    options: OperationOptions | undefined,
  ): StreamCall & { readonly signal: AbortSignal } {
    const closing = this.#closing.signal;
    const signal = options?.signal === undefined
      ? closing
      : AbortSignal.any([options.signal, closing]);
    return { action: `Cannot ${verb} ${this.#parts.label}`, key, signal };
  }
}

function gone(): CacheError {
  return new CacheError("corrupt", "Cannot read chunks: they are gone");
}
