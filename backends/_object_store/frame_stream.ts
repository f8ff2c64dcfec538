/** The most bytes of a piece. */
const PIECE_BYTES = 1024 * 1024;

/** A body as its reader gets it: in pieces of at most a MiB, and ended by a signal. */
export function frameStream(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let rest: Uint8Array = new Uint8Array(0);
  let onAbort = (): void => {};
  return new ReadableStream<Uint8Array>({
    start(controller) {
      onAbort = () => {
        controller.error(signal.reason);
        reader.cancel(signal.reason).catch(() => {});
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        while (rest.length === 0) {
          const step = await reader.read();
          if (signal.aborted) return;
          if (step.done) {
            signal.removeEventListener("abort", onAbort);
            controller.close();
            return;
          }
          rest = step.value;
        }
      } catch (error) {
        signal.removeEventListener("abort", onAbort);
        throw signal.aborted ? signal.reason : error;
      }
      controller.enqueue(rest.subarray(0, PIECE_BYTES));
      rest = rest.subarray(PIECE_BYTES);
    },
    cancel(reason) {
      signal.removeEventListener("abort", onAbort);
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
