import { CacheEntry } from "../src/entry/entry.ts";
import { decodeFrameHeader } from "../src/entry/frame.ts";
import { decodeStreamHeaderStart, isStreamFrame } from "../src/entry/stream_frame.ts";
import { CacheError, isCacheError } from "../src/errors.ts";
import type { BackendContext } from "../src/types.ts";
import { decodeReference, isReference, REFERENCE_BYTES } from "./_stream_reference.ts";

/** Makes entries of what a remote store holds, and counts what is none. */
export class FrameReader {
  readonly #backend: string;
  readonly #context: BackendContext;
  #corruptions = 0;

  constructor(backend: string, context: BackendContext) {
    this.#backend = backend;
    this.#context = context;
  }

  /** Damaged or foreign records met. */
  get corruptions(): number {
    return this.#corruptions;
  }

  /** The live entry of a frame, `undefined` when it is over, damaged or of another key. */
  entry(key: string, frame: Uint8Array): CacheEntry | undefined {
    try {
      const entry = CacheEntry.decode(key, frame);
      return entry.expiresAt > this.#context.clock.now() ? entry : undefined;
    } catch (error) {
      if (!isCacheError(error)) throw error;
      this.corrupt(key, error);
      return undefined;
    }
  }

  /** Whether the first bytes of a record are of a live entry. What is none is not: whoever reads it will tell. */
  isLive(header: Uint8Array): boolean {
    try {
      return expiresAtOf(header) > this.#context.clock.now();
    } catch (error) {
      if (!isCacheError(error)) throw error;
      return false;
    }
  }

  /** Tells of a record that is none of ours. */
  corrupt(key: string, error: CacheError): void {
    this.#corruptions++;
    const { code, message } = error;
    this.#context.report({
      kind: "corrupt",
      key,
      error: new CacheError(code, message, { backend: this.#backend, key, cause: error.cause }),
    });
  }
}

function expiresAtOf(header: Uint8Array): number {
  const record = header.subarray(0, REFERENCE_BYTES);
  if (isReference(record)) return decodeReference(record).expiresAt;
  return (isStreamFrame(header) ? decodeStreamHeaderStart(header) : decodeFrameHeader(header))
    .expiresAt;
}
