/**
 * What backends that move frames as streams take and give. They move bytes and
 * look into none: what is in a frame is written and checked by the manager.
 *
 * @module
 */

import type { EntryMetadata } from "./entry/frame.ts";
import type { OperationOptions } from "./types.ts";

/** A range of bytes. */
export interface ByteRange {
  /** The first byte, counted from 0. */
  readonly offset: number;
  /** How many; 0 for none. What lies beyond the end is left out. */
  readonly length: number;
}

/** An entry whose frame comes as a stream. */
export interface StreamedEntry extends EntryMetadata {
  /** The key it is set under. */
  readonly key: string;
  /** The frame, in pieces of any size, empty ones included. Nobody else uses a piece any more. */
  readonly frame: ReadableStream<Uint8Array>;
  /** Exact number of bytes of the whole frame, `undefined` where that is not known before its end. */
  readonly frameLength: number | undefined;
  /** For whoever has done with a piece, and keeps no view of it: its memory is used for a later one. Need not be called. */
  readonly release?: ((piece: Uint8Array) => void) | undefined;
}

/** Options of {@linkcode CacheBackend.getStream}. */
export interface FrameReadOptions extends OperationOptions {
  /** The bytes of the frame that are wanted. @default all */
  readonly range?: ByteRange | undefined;
}

/** A frame that is there, to be read. */
export interface StoredFrame {
  /** Bytes of the whole frame, whatever range of it is read. */
  readonly frameLength: number;
  /** The bytes that were asked for, in pieces of at most a MiB, which are the reader's. */
  readonly frame: ReadableStream<Uint8Array>;
}
