import type { EntryMetadata } from "../entry/frame.ts";
import type { WrittenChunk } from "../entry/stream_frame_writer.ts";
import type { Superseded } from "./tier_guard.ts";

/** An entry whose value is a stream. */
export interface StreamedMetadata extends EntryMetadata {
  /** As the tiers know it. */
  readonly key: string;
}

/** What became of a stream in a tier; it is left out where it came too late. */
export type SinkOutcome = "stored" | "declined" | "outdated" | "failed" | Superseded;

/** One tier's end of a stream that is written. */
export interface StreamSink {
  /** Whether it still takes chunks. It does not when its tier has failed or declined. */
  readonly isOpen: boolean;
  /** Whether it takes a chunk without having more waiting than it may. */
  readonly hasRoom: boolean;
  /** Resolves when it has room, or is not open any more. Rejects only when whoever writes gives up. */
  ready(signal?: AbortSignal): Promise<void>;
  /**
   * Takes a chunk. It must not be changed before it is released.
   *
   * @param release called once at most, when the sink has done with the chunk.
   */
  push(chunk: WrittenChunk, release?: () => void): void;
  /**
   * Ends the frame and makes it visible.
   *
   * @param end the bytes after the last chunk.
   * @param signal ends the waiting of whoever writes.
   */
  commit(end: Uint8Array, signal?: AbortSignal): Promise<SinkOutcome>;
  /** Leaves nothing of it. */
  abort(reason: unknown): void;
}
