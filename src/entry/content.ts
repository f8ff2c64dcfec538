import { CacheError, isCacheError } from "../errors.ts";
import { codecById, serializerById } from "../formats.ts";
import { andThen, type MaybePromise } from "../maybe_promise.ts";
import type { Codec, Serializer } from "../types.ts";
import { looksCompressible } from "./compressible.ts";
import { bytesOf, dtypeOf, isBinary, viewBinary } from "./dtype.ts";
import type { Payload } from "./frame.ts";
import { assertFitsMemory, joinChunks, type StreamPayload } from "./whole_stream_frame.ts";

/** How a cache writes values. Reading needs only the frame: it describes itself. */
export interface WriteFormat {
  /** For values that are not bytes. */
  readonly serializer: Serializer;
  /** Compresses what is worth it; `undefined` for nothing. */
  readonly codec: Codec | undefined;
  /** Values of fewer bytes are stored as they are. */
  readonly compressionMinBytes: number;
}

/** Compressed bytes are kept only when they are at most this share of the raw ones. */
const WORTHWHILE_SHARE = 15 / 16;

/** The most bytes that a compressed payload may decode to, unless the reader says otherwise. */
export const DEFAULT_MAX_DECODED_BYTES: number = 256 * 1024 * 1024;

/** A value as it lives, as payload bytes, or both; each form is made at most once, on demand. */
export class EntryContent {
  #hasValue: boolean;
  #value: unknown;
  #payload: MaybePromise<Payload> | undefined;
  /** What was read of a value that was written as a stream, until it is decoded. */
  #chunks: StreamPayload | undefined;
  #format: WriteFormat | undefined;
  #decoding: Promise<unknown> | undefined;

  private constructor(
    hasValue: boolean,
    value: unknown,
    payload: Payload | undefined,
    format: WriteFormat | undefined,
  ) {
    this.#hasValue = hasValue;
    this.#value = value;
    this.#payload = payload;
    this.#format = format;
  }

  /** Of a live value, to be written in a format. */
  static ofValue(value: unknown, format: WriteFormat): EntryContent {
    return new EntryContent(true, value, undefined, format);
  }

  /** Of a payload that was read. */
  static ofPayload(payload: Payload): EntryContent {
    return new EntryContent(false, undefined, payload, undefined);
  }

  /** Of the chunks of a streamed frame that was read. */
  static ofChunks(chunks: StreamPayload): EntryContent {
    const content = new EntryContent(false, undefined, undefined, undefined);
    content.#chunks = chunks;
    return content;
  }

  /** Whether {@linkcode EntryContent.value} answers without decoding. */
  get hasValue(): boolean {
    return this.#hasValue;
  }

  /** Bytes of the payload as stored, `undefined` while there is none. */
  get payloadLength(): number | undefined {
    const payload = this.#payload;
    return payload === undefined || payload instanceof Promise ? undefined : payload.bytes.length;
  }

  /** The value, decoded on the first call; a promise only where a codec or its loading needs one. */
  value(maxDecodedBytes: number): MaybePromise<unknown> {
    if (this.#hasValue) return this.#value;
    if (this.#chunks !== undefined) {
      assertFitsMemory(this.#chunks.rawLength, maxDecodedBytes);
      return this.#join(this.#chunks);
    }
    const payload = this.#payload as Payload;
    // Before anything that waits, so that readers with different limits can share one decoding.
    if (payload.codec !== 0 && payload.rawLength > maxDecodedBytes) {
      throw new CacheError(
        "decoded-size",
        `Cannot decode value: it claims ${payload.rawLength} bytes, the limit is ${maxDecodedBytes}: raise 'maxDecodedBytes' if that is right`,
      );
    }
    return this.#once(() => this.#decode(payload));
  }

  /** The bytes, encoded on the first call; a promise only where a codec needs one. */
  payload(): MaybePromise<Payload> {
    if (this.#payload === undefined) {
      if (!this.#hasValue) {
        return andThen(this.value(DEFAULT_MAX_DECODED_BYTES), () => this.payload());
      }
      const payload = encodePayload(this.#value, this.#format as WriteFormat);
      this.#payload = payload;
      if (payload instanceof Promise) {
        payload.then((encoded) => this.#payload = encoded, () => this.#payload = undefined);
      }
    }
    return this.#payload;
  }

  /**
   * The same value apart from its bytes, those made later included, for stores
   * that keep values alive. The value must be there.
   */
  withoutBytes(): EntryContent {
    return new EntryContent(true, this.#value, undefined, this.#format);
  }

  #join(chunks: StreamPayload): MaybePromise<unknown> {
    return this.#once(() =>
      andThen(joinChunks(chunks), (bytes) => {
        this.#value = bytes;
        this.#hasValue = true;
        this.#chunks = undefined;
        this.#format = { serializer: NO_SERIALIZER, codec: undefined, compressionMinBytes: 0 };
        return bytes;
      })
    );
  }

  /** Has all who wait share one decoding. */
  #once(decode: () => MaybePromise<unknown>): MaybePromise<unknown> {
    if (this.#decoding !== undefined) return this.#decoding;
    const value = decode();
    if (value instanceof Promise) {
      const done = (): void => this.#decoding = undefined;
      value.then(done, done);
      this.#decoding = value;
    }
    return value;
  }

  #decode(payload: Payload): MaybePromise<unknown> {
    return andThen(
      findCodec(payload.codec),
      (codec) =>
        andThen(
          findSerializer(payload.serializer),
          (serializer) =>
            andThen(decompress(payload, codec), (bytes) => {
              this.#value = serializer === undefined
                ? viewBinary(payload.dtype, bytes)
                : deserialize(serializer, bytes);
              this.#hasValue = true;
              this.#format = {
                serializer: serializer ?? NO_SERIALIZER,
                codec,
                compressionMinBytes: 0,
              };
              return this.#value;
            }),
        ),
    );
  }
}

/** Stands in the format of a binary value that was read; such a value never asks for it. */
const NO_SERIALIZER: Serializer = {
  name: "none",
  id: 0,
  encode() {
    throw new TypeError("Cannot encode value: it is not binary");
  },
  decode() {
    throw new TypeError("Cannot decode value: it is not binary");
  },
};

function encodePayload(value: unknown, format: WriteFormat): MaybePromise<Payload> {
  const binary = isBinary(value);
  const raw = binary ? bytesOf(value) : format.serializer.encode(value);
  const stored: Payload = {
    bytes: raw,
    rawLength: raw.length,
    serializer: binary ? 0 : format.serializer.id,
    codec: 0,
    dtype: binary ? dtypeOf(value) : 0,
  };
  const { codec } = format;
  if (
    codec === undefined || raw.length < format.compressionMinBytes ||
    raw.length > DEFAULT_MAX_DECODED_BYTES || !looksCompressible(raw)
  ) return stored;
  return andThen(
    codec.encode(raw),
    (bytes) =>
      bytes.length <= raw.length * WORTHWHILE_SHARE
        ? { ...stored, bytes, codec: codec.id }
        : stored,
  );
}

function findCodec(id: number): MaybePromise<Codec | undefined> {
  if (id === 0) return undefined;
  const codec = codecById(id);
  if (codec === undefined) throw unknownFormat("codec", id);
  return codec;
}

function findSerializer(id: number): MaybePromise<Serializer | undefined> {
  if (id === 0) return undefined;
  const serializer = serializerById(id);
  if (serializer === undefined) throw unknownFormat("serializer", id);
  return serializer;
}

function decompress(payload: Payload, codec: Codec | undefined): MaybePromise<Uint8Array> {
  if (codec === undefined) return payload.bytes;
  const { rawLength } = payload;
  const refuse = (cause: unknown): never => {
    if (isCacheError(cause)) throw cause;
    throw new CacheError("corrupt", `Cannot decode value: bytes are not ${codec.name}`, {
      codec: codec.name,
      cause,
    });
  };
  const check = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length === rawLength) return bytes;
    throw new CacheError(
      "decoded-size",
      `Cannot decode value: it decodes to ${bytes.length} bytes instead of ${rawLength}`,
      { codec: codec.name },
    );
  };
  try {
    const bytes = codec.decode(payload.bytes, { length: rawLength });
    return bytes instanceof Promise ? bytes.then(check).catch(refuse) : check(bytes);
  } catch (cause) {
    return refuse(cause);
  }
}

function deserialize(serializer: Serializer, bytes: Uint8Array): unknown {
  try {
    return serializer.decode(bytes);
  } catch (cause) {
    if (isCacheError(cause)) throw cause;
    throw new CacheError("corrupt", `Cannot decode value: bytes are not ${serializer.name}`, {
      codec: serializer.name,
      cause,
    });
  }
}

function unknownFormat(kind: string, id: number): CacheError {
  return new CacheError(
    "unsupported-format",
    `Cannot decode value: ${kind} ${id} is not known here: register it before reading`,
  );
}
