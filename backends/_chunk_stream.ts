import { SLOT_BYTES } from "../src/entry/stream_frame.ts";

/** Chunks that are asked for before they are wanted. */
const AHEAD = 3;

/** Chunks to be read, the first of which is there. */
export interface ChunkRun {
  /** What is wanted of the first one. */
  readonly bytes: Uint8Array;
  /** Its number. */
  readonly first: number;
  /** Number of the last one. */
  readonly last: number;
  /** Reads what is wanted of one. */
  readonly read: (index: number) => Promise<Uint8Array>;
}

/** Chunks as a stream. Some are read ahead once the first of them has been taken. */
export function chunkStream(
  { bytes, first, last, read }: ChunkRun,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const coming: Promise<Uint8Array>[] = [Promise.resolve(bytes)];
  let asked = first;
  return signalledStream(signal, async () => {
    const piece = await coming.shift();
    while (piece !== undefined && asked < last && coming.length < AHEAD) {
      const next = read(++asked);
      // It is told when its turn has come.
      next.catch(() => {});
      coming.push(next);
    }
    return piece;
  });
}

/** Bytes that are in memory, and nobody else's, as a stream. */
export function recordStream(bytes: Uint8Array, signal: AbortSignal): ReadableStream<Uint8Array> {
  let rest = bytes;
  return signalledStream(signal, () => {
    if (rest.length === 0) return Promise.resolve(undefined);
    const piece = rest.slice(0, SLOT_BYTES);
    rest = rest.subarray(SLOT_BYTES);
    return Promise.resolve(piece);
  });
}

/** A stream that a signal ends. */
function signalledStream(
  signal: AbortSignal,
  next: () => Promise<Uint8Array | undefined>,
): ReadableStream<Uint8Array> {
  let onAbort = (): void => {};
  const end = (): void => signal.removeEventListener("abort", onAbort);
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      onAbort = () => controller.error(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    pull: async (controller) => {
      try {
        let piece = await next();
        while (piece?.length === 0) piece = await next();
        if (signal.aborted) return;
        if (piece === undefined) {
          end();
          controller.close();
        } else {
          controller.enqueue(piece);
        }
      } catch (error) {
        end();
        if (!signal.aborted) throw error;
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
