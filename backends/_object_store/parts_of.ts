import { abortable } from "../_abortable.ts";

/** Some of the bytes of a stream. */
export interface StreamPart {
  /** As many as were asked for, or fewer where they are the last. */
  readonly bytes: Uint8Array;
  /** Whether the stream has closed. */
  readonly isLast: boolean;
}

/**
 * Gathers what a stream gives into parts of a size. Whoever stops before the
 * end cancels the stream.
 *
 * @param failed told when it is the stream that fails.
 */
export async function* partsOf(
  stream: ReadableStream<Uint8Array>,
  size: number,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): AsyncGenerator<StreamPart> {
  const reader = stream.getReader();
  let pieces: Uint8Array[] = [];
  let held = 0;
  let isDone = false;
  let reason: unknown;
  try {
    signal.throwIfAborted();
    while (true) {
      const step = await abortable(
        reader.read().catch((error) => {
          isDone = true;
          failed(error);
          throw error;
        }),
        signal,
      );
      if (step.done) break;
      let rest = step.value;
      while (held + rest.length > size) {
        const first = rest.subarray(0, size - held);
        const bytes = joined([...pieces, first], size);
        rest = rest.subarray(first.length);
        pieces = [];
        held = 0;
        yield { bytes, isLast: false };
      }
      if (rest.length > 0) pieces.push(rest);
      held += rest.length;
    }
    isDone = true;
    yield { bytes: joined(pieces, held), isLast: true };
  } catch (error) {
    reason = error;
    throw error;
  } finally {
    if (!isDone) reader.cancel(reason).catch(() => {});
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
