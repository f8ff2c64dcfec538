import type { OpenedObject } from "./object_store.ts";
import { StoreError } from "./store_error.ts";

/** The most bytes of a piece. */
const PIECE_BYTES = 1024 * 1024;

/**
 * A body as its reader gets it: in pieces of at most a MiB, and ended by a
 * signal. It errors when it ends before all of it was there.
 *
 * @param failureOf makes of what the body fails with what its reader is to see.
 */
export function frameStream(
  { body, bodyLength }: Pick<OpenedObject, "body" | "bodyLength">,
  signal: AbortSignal,
  failureOf: (error: unknown) => unknown,
): ReadableStream<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  let received = 0;
  let onAbort = (): void => {};
  return new ReadableStream<Uint8Array>({
    start(controller) {
      onAbort = () => {
        controller.error(signal.reason);
        body.cancel(signal.reason).catch(() => {});
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        while (rest.length === 0) {
          const { done, value } = await body.read();
          if (signal.aborted) return;
          if (done || value === undefined) {
            if (bodyLength !== undefined && received !== bodyLength) {
              throw new StoreError("truncated");
            }
            signal.removeEventListener("abort", onAbort);
            controller.close();
            return;
          }
          received += value.length;
          rest = value;
        }
      } catch (error) {
        signal.removeEventListener("abort", onAbort);
        throw signal.aborted ? signal.reason : failureOf(error);
      }
      controller.enqueue(rest.subarray(0, PIECE_BYTES));
      rest = rest.subarray(PIECE_BYTES);
    },
    cancel(reason) {
      signal.removeEventListener("abort", onAbort);
      return body.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
