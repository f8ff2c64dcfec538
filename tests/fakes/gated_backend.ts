import type {
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../../src/types.ts";
import { StreamingBackend } from "./streaming_backend.ts";

/** Takes pieces of streams when it is let, and counts what it takes and gives. */
export class GatedBackend extends StreamingBackend {
  /** Bytes of frames taken so far. */
  taken = 0;
  /** Bytes of frames given so far. */
  given = 0;
  /** Why writes were told to stop, in order. */
  readonly stopped: unknown[] = [];
  /** Fails reads of frames once so many bytes were given. */
  breaksAt = Infinity;
  #credit = Infinity;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Lets it take so many more pieces, and no others. */
  allow(pieces: number): void {
    this.#credit = pieces;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Forgets what it has counted. */
  reset(): void {
    this.taken = 0;
    this.given = 0;
    this.stopped.length = 0;
  }

  override setStream(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome> {
    const { signal } = options ?? {};
    signal?.addEventListener("abort", () => this.stopped.push(signal.reason));
    const frame = passedOn(entry.frame, async () => {
      while (this.#credit <= 0) await (this.#waiting ??= Promise.withResolvers()).promise;
      this.#credit--;
    }, (length) => this.taken += length);
    return super.setStream(key, { ...entry, frame }, options);
  }

  override async getStream(
    key: string,
    options?: FrameReadOptions,
  ): Promise<StoredFrame | undefined> {
    const stored = await super.getStream(key, options);
    if (stored === undefined) return undefined;
    const frame = passedOn(stored.frame, () => {
      if (this.given >= this.breaksAt) throw new Error("the line is cut");
    }, (length) => this.given += length);
    return { ...stored, frame };
  }
}

/**
 * Passes on each piece when it is asked for.
 *
 * @param before waited for before a piece is fetched.
 * @param count told the length of each.
 */
function passedOn(
  stream: ReadableStream<Uint8Array>,
  before: () => void | Promise<void>,
  count: (length: number) => void,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await before();
      const { done, value } = await reader.read();
      if (done) return controller.close();
      count(value.length);
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
