import { lengthOf } from "./http.ts";
import { StoreError } from "./store_error.ts";

/** The body of an answer, which errors when it is shorter than the answer says. */
export function checkedBody(response: Response): ReadableStream<Uint8Array> {
  const length = lengthOf(response);
  const body = response.body ?? new Blob([]).stream();
  if (length === undefined) return body;
  let received = 0;
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        received += chunk.length;
        controller.enqueue(chunk);
      },
      flush() {
        if (received !== length) throw new StoreError("truncated");
      },
    }),
  );
}
