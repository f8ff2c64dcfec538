import { CacheError } from "../errors.ts";
import { andThen, type MaybePromise } from "../maybe_promise.ts";
import { DEFAULT_MAX_DECODED_BYTES, EntryContent, type WriteFormat } from "./content.ts";
import { decodeFrame, encodeFrame, type EntryMetadata, FRAME_HEADER_BYTES } from "./frame.ts";
import { isStreamFrame } from "./stream_frame.ts";
import { decodeWholeStreamFrame } from "./whole_stream_frame.ts";

/** Stands for a value that is not alive yet. */
const NOT_LIVE = Symbol("not live");

/**
 * One cached thing: a key, its metadata, and a value that exists alive, as
 * bytes, or both. Stores inside the process keep it as it is; stores of bytes
 * ask for {@linkcode CacheEntry.encode} and make entries of what they read
 * with {@linkcode CacheEntry.decode}.
 *
 * @example
 * ```ts
 * import { CacheEntry, jsonSerializer } from "@strata/cache";
 *
 * const entry = CacheEntry.of(
 *   "vector",
 *   new Float32Array([1, 2, 3]),
 *   { createdAt: 0, expiresAt: Infinity, staleUntil: Infinity, version: 1, tags: [] },
 *   { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 },
 * );
 * const read = CacheEntry.decode("vector", await entry.encode());
 * console.assert(await read.value() instanceof Float32Array);
 * ```
 */
export class CacheEntry implements EntryMetadata {
  // What a hit needs stands first: memory that is not in the processor's caches costs more than all else.
  /** The value once it is alive, so that nothing else has to be looked at. */
  #value: unknown = NOT_LIVE;
  /** Names under which entries are dropped together. */
  readonly tags: readonly string[];
  readonly #content: EntryContent;
  /** The key it was set under. */
  readonly key: string;
  /** When the value was set, epoch milliseconds. */
  readonly createdAt: number;
  /** From when on it is a miss, epoch milliseconds; `Infinity` for never. */
  readonly expiresAt: number;
  /** Until when it may be served stale, epoch milliseconds. */
  readonly staleUntil: number;
  /** Newest wins. */
  readonly version: number;
  /** What it costs to get the value again; `undefined` where that is not known, as of what was read from bytes. */
  readonly cost: number | undefined;

  private constructor(key: string, metadata: EntryMetadata, content: EntryContent) {
    this.tags = metadata.tags;
    this.#content = content;
    this.key = key;
    this.createdAt = metadata.createdAt;
    this.expiresAt = metadata.expiresAt;
    this.staleUntil = metadata.staleUntil;
    this.version = metadata.version;
    this.cost = metadata.cost;
    if (content.hasValue) this.#value = content.value(0);
  }

  /**
   * An entry of a live value.
   *
   * @param value kept as it is: whoever gives it must not change it any more.
   */
  static of(key: string, value: unknown, metadata: EntryMetadata, format: WriteFormat): CacheEntry {
    return new CacheEntry(key, metadata, EntryContent.ofValue(value, format));
  }

  /**
   * Reads a frame.
   *
   * @param key the key that was asked for; a frame of another key is refused.
   * @param frame one whole frame, the entry's from now on.
   * @throws {CacheError} `"corrupt"` when it is damaged or of another key, `"unsupported-format"` when it is of another version.
   */
  static decode(key: string, frame: Uint8Array): CacheEntry {
    if (isStreamFrame(frame)) {
      const { header, payload } = decodeWholeStreamFrame(frame);
      if (header.key !== key) throw ofAnotherKey(key);
      return new CacheEntry(key, header.metadata, EntryContent.ofChunks(payload));
    }
    const parsed = decodeFrame(frame, key);
    if (parsed.key !== key) throw ofAnotherKey(key);
    return new CacheEntry(key, parsed.metadata, EntryContent.ofPayload(parsed.payload));
  }

  /**
   * The value, decoded on the first call. Callers share it: it must not be changed.
   *
   * @param maxDecodedBytes the most bytes that a compressed value may decode to, and a value have that was written as a stream.
   * @returns the value, or a promise of it where a codec or its loading needs one.
   * @throws {CacheError} when the bytes cannot be decoded.
   */
  value(maxDecodedBytes: number = DEFAULT_MAX_DECODED_BYTES): MaybePromise<unknown> {
    if (this.#value !== NOT_LIVE) return this.#value;
    const value = this.#content.value(maxDecodedBytes);
    if (this.#content.hasValue) this.#value = value;
    return value;
  }

  /** Whether {@linkcode CacheEntry.value} answers without decoding. */
  get isLive(): boolean {
    return this.#value !== NOT_LIVE || this.#content.hasValue;
  }

  /**
   * The frame, in a buffer of its own. The value is encoded once, however many ask.
   *
   * @throws {TypeError} when the serializer cannot carry the value.
   */
  encode(): MaybePromise<Uint8Array> {
    return andThen(
      this.#content.payload(),
      (payload) => encodeFrame(this.key, this, payload),
    );
  }

  /**
   * Encodes the value, so that later changes to it cannot reach the bytes.
   *
   * @throws {TypeError} when the serializer cannot carry the value.
   */
  prepare(): MaybePromise<void> {
    return andThen(this.#content.payload(), () => {});
  }

  /** About as many bytes as the frame has, `undefined` as long as the value has not been encoded. */
  get encodedSize(): number | undefined {
    const length = this.#content.payloadLength;
    return length === undefined ? undefined : FRAME_HEADER_BYTES + length + this.key.length;
  }

  /** The same value with other times. */
  withTimes(expiresAt: number, staleUntil: number): CacheEntry {
    const { createdAt, version, tags, cost } = this;
    return new CacheEntry(
      this.key,
      { createdAt, expiresAt, staleUntil, version, tags, cost },
      this.#content,
    );
  }

  /**
   * The same entry apart from its bytes, for stores that keep values alive: what
   * other stores encode is not held in memory by this one. Only for an entry
   * that {@linkcode CacheEntry.isLive}.
   */
  withoutBytes(): CacheEntry {
    return new CacheEntry(this.key, this, this.#content.withoutBytes());
  }
}

function ofAnotherKey(key: string): CacheError {
  return new CacheError("corrupt", "Cannot decode frame: it is of another key", { key });
}
