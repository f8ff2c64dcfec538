import { CacheEntry } from "../entry/entry.ts";
import { decodeFrameHeader } from "../entry/frame.ts";
import type { PieceReader } from "../entry/piece_reader.ts";
import {
  CHUNK_HEADER_BYTES,
  corrupt,
  decodeStreamHeader,
  decodeStreamHeaderStart,
  isStreamFrame,
  type StreamHeader,
} from "../entry/stream_frame.ts";
import {
  chunkAt,
  chunkOffset,
  decodeChunk,
  plainValueLength,
  StreamFrameReader,
} from "../entry/stream_frame_reader.ts";
import { assertFitsMemory } from "../entry/whole_stream_frame.ts";
import { CacheError, isCacheError } from "../errors.ts";
import { codecById } from "../formats.ts";
import type { ByteRange, Codec } from "../types.ts";
import type { OpenedFrame, TierStreams } from "./tier_streams.ts";

/** What a read of a frame needs to know. */
export interface FrameRequest {
  /** As the tiers know it. */
  readonly key: string;
  /** The bytes of the value that are wanted, `undefined` for all. */
  readonly range: ByteRange | undefined;
  /** The most bytes that a value may have in memory as a whole. */
  readonly maxDecodedBytes: number;
  /** Ends the read. */
  readonly signal: AbortSignal | undefined;
}

/** A chunk that was read and checked. */
export interface ReadChunk {
  /** As it stands in the frame. */
  readonly bytes: Uint8Array;
  /** The bytes of the value in it that are wanted. */
  readonly raw: Uint8Array;
}

/** First bytes of a frame, with the header of most keys. */
const PROBE_BYTES = 4096;

/** Bytes of tags that a header may have, and those of its fixed part and of zeros. */
const MAX_HEADER_EXTRA = 65_535 + 128;

const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** Tries to read a range while the key is written again and again. */
const MAX_TRIES = 3;

/** The chunks of a streamed frame in one tier, each checked before it is given. */
export class FrameSource {
  /** The frame's header. */
  readonly header: StreamHeader;
  /** Bytes of the value, where that is known before its end. */
  readonly size: number | undefined;
  readonly #opened: OpenedFrame;
  readonly #chunks: StreamFrameReader;
  readonly #codec: Codec | undefined;
  /** The bytes of the value that are wanted: from the first, up to the second. */
  readonly #start: number;
  readonly #stop: number;
  #first: ReadChunk | undefined;

  private constructor(
    header: StreamHeader,
    opened: OpenedFrame,
    codec: Codec | undefined,
    { offset, length }: ByteRange,
  ) {
    this.header = header;
    this.size = header.codec === 0 ? plainValueLength(header, opened.frameLength) : undefined;
    this.#opened = opened;
    this.#codec = codec;
    this.#start = offset;
    this.#stop = offset + length;
    const isDirect = header.codec === 0;
    this.#chunks = new StreamFrameReader(header, isDirect ? chunkAt(header, offset) : 0);
  }

  /**
   * Opens the frame of a key, and reads as far as its first chunk.
   *
   * @returns an entry where the key has been written as a whole value; `undefined` on a miss.
   * @throws {CacheError} when the frame is damaged, or is not of that key.
   */
  static async open(
    streams: TierStreams,
    request: FrameRequest,
  ): Promise<FrameSource | CacheEntry | undefined> {
    for (let tries = 1;; tries++) {
      let source: FrameSource | CacheEntry | undefined;
      try {
        source = await FrameSource.#open(streams, request);
        if (source instanceof FrameSource) source.#first = await source.#read();
        return source;
      } catch (error) {
        if (source instanceof FrameSource) source.cancel(error);
        // The key may have been written again between the header and the range.
        const mayHaveChanged = request.range !== undefined &&
          (isCacheError(error, "corrupt") || isCacheError(error, "replaced"));
        if (!mayHaveChanged || tries === MAX_TRIES) throw error;
      }
    }
  }

  static async #open(
    streams: TierStreams,
    request: FrameRequest,
  ): Promise<FrameSource | CacheEntry | undefined> {
    const { key, range, signal } = request;
    const probe = range && { offset: 0, length: PROBE_BYTES };
    let opened = await streams.open(key, probe, signal);
    if (opened === undefined) return undefined;
    try {
      const isWhole = range === undefined || opened.frameLength <= PROBE_BYTES;
      await opened.bytes.need(64);
      const start = opened.bytes.peek(64);
      if (!isStreamFrame(start)) {
        if (!isWhole) {
          opened.cancel(undefined);
          opened = await streams.open(key, undefined, signal);
          if (opened === undefined) return undefined;
        }
        return await wholeEntry(opened, request);
      }
      const { headerLength } = decodeStreamHeaderStart(start);
      if (headerLength > key.length * 3 + MAX_HEADER_EXTRA) throw corrupt("it is of another key");
      if (range !== undefined && headerLength > PROBE_BYTES) {
        opened.cancel(undefined);
        opened = await streams.open(key, { offset: 0, length: headerLength }, signal);
        if (opened === undefined) return undefined;
      }
      await opened.bytes.need(headerLength);
      const header = decodeStreamHeader(opened.bytes.take(headerLength));
      if (header.key !== key) throw corrupt("it is of another key");
      const codec = await codecOf(header);
      if (range === undefined) {
        return new FrameSource(header, opened, codec, { offset: 0, length: EVERYTHING });
      }
      opened.cancel(undefined);
      const part = await streams.open(key, rangeOf(header, opened.frameLength, range), signal);
      if (part === undefined) return undefined;
      const { frameLength } = opened;
      opened = part;
      if (part.frameLength !== frameLength) {
        throw new CacheError("replaced", "Cannot read stream: it was replaced meanwhile", { key });
      }
      return new FrameSource(header, part, codec, clamped(header, frameLength, range));
    } catch (error) {
      opened?.cancel(error);
      throw error;
    }
  }

  /**
   * The next chunk; `undefined` once all that is wanted has been read, and the end been checked if it was reached.
   *
   * @throws {CacheError} when it is damaged.
   */
  async next(): Promise<ReadChunk | undefined> {
    const first = this.#first;
    if (first === undefined) return await this.#read();
    this.#first = undefined;
    return first;
  }

  /** Ends the read. */
  cancel(reason: unknown): void {
    this.#opened.cancel(reason);
  }

  async #read(): Promise<ReadChunk | undefined> {
    const { bytes } = this.#opened;
    const chunks = this.#chunks;
    while (!chunks.isEnded) {
      const at = chunks.rawLength;
      // What ends with the value ends with the frame, which tells whether all of it was there.
      if (at >= this.#stop && at !== this.size) {
        this.cancel(undefined);
        return undefined;
      }
      // Nothing is awaited that is there.
      if (!bytes.has(CHUNK_HEADER_BYTES)) await bytes.need(CHUNK_HEADER_BYTES);
      const head = bytes.peek(CHUNK_HEADER_BYTES);
      const { length, rawLength } = chunks.next(head);
      if (rawLength > 0 && at + rawLength <= this.#start) {
        chunks.skip(head);
        await bytes.skip(length);
        continue;
      }
      if (!bytes.has(length)) await bytes.need(length);
      const chunk = bytes.take(length);
      const stored = chunks.check(chunk);
      if (stored === undefined) break;
      // The end of a range is reckoned from the frame's length: one that is cut would give less than is asked for.
      if (chunks.rawLength > (this.size ?? Infinity)) throw corrupt("it is cut");
      const decoded = decodeChunk(stored, rawLength, this.#codec);
      const raw = decoded instanceof Promise ? await decoded : decoded;
      return {
        bytes: chunk,
        raw: raw.subarray(Math.max(0, this.#start - at), Math.max(0, this.#stop - at)),
      };
    }
    if (!await bytes.isAtEnd()) throw corrupt("something follows its end");
    return undefined;
  }
}

/** The bytes of a frame that hold a range of its value. */
function rangeOf(header: StreamHeader, frameLength: number, range: ByteRange): ByteRange {
  if (header.codec !== 0) return { offset: header.headerLength, length: EVERYTHING };
  const { offset, length } = clamped(header, frameLength, range);
  const size = plainValueLength(header, frameLength)!;
  const start = chunkOffset(header, chunkAt(header, offset));
  const last = chunkAt(header, Math.max(offset, offset + length - 1));
  const isToEnd = offset + length >= size;
  const stop = isToEnd ? frameLength : chunkOffset(header, last + 1);
  return { offset: start, length: Math.max(0, stop - start) };
}

/** A range without what lies beyond the end of the value. */
function clamped(header: StreamHeader, frameLength: number, range: ByteRange): ByteRange {
  if (header.codec !== 0) return range;
  const size = plainValueLength(header, frameLength);
  if (size === undefined) throw corrupt(`no frame of ${frameLength} bytes begins like that`);
  const offset = Math.min(range.offset, size);
  return { offset, length: Math.min(range.length, size - offset) };
}

async function codecOf({ codec: id }: StreamHeader): Promise<Codec | undefined> {
  if (id === 0) return undefined;
  const codec = await codecById(id);
  if (codec !== undefined) return codec;
  throw new CacheError(
    "unsupported-format",
    `Cannot read stream: codec ${id} is not known here: register it before reading`,
  );
}

/** An entry whose frame is of a whole value, which has to be in memory to be checked. */
async function wholeEntry(opened: OpenedFrame, request: FrameRequest): Promise<CacheEntry> {
  const { bytes, frameLength } = opened;
  await bytes.need(64);
  const claimed = decodeFrameHeader(bytes.peek(64)).frameLength;
  if (claimed !== frameLength) throw corrupt("it is cut");
  assertFitsMemory(claimed, request.maxDecodedBytes + request.key.length * 3 + MAX_HEADER_EXTRA);
  await bytes.need(claimed);
  return CacheEntry.decode(request.key, await takeAll(bytes, claimed));
}

async function takeAll(bytes: PieceReader, length: number): Promise<Uint8Array> {
  const all = bytes.take(length);
  if (!await bytes.isAtEnd()) throw corrupt("something follows its end");
  return all;
}
