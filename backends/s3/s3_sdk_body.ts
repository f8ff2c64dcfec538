import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { StoreError } from "../_object_store/store_error.ts";

/** The whole body of an answer, in a buffer of its own. @throws {StoreError} `"truncated"` when it ends early. */
export async function collectBody(
  { Body, ContentLength }: GetObjectCommandOutput,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await Body?.transformToByteArray() ?? new Uint8Array(0);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    const { code } = error as { code?: unknown };
    throw new StoreError("truncated", { detail: typeof code === "string" ? code : undefined });
  }
  if (ContentLength !== undefined && bytes.length !== ContentLength) {
    throw new StoreError("truncated");
  }
  // The payload of a frame is a view of it, and must lie as its elements demand.
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

/** The body of an answer as a stream, which errors when it ends early. */
export function streamOfBody(
  { Body, ContentLength }: GetObjectCommandOutput,
): ReadableStream<Uint8Array> {
  const body = Body?.transformToWebStream() ?? new Blob([]).stream();
  let received = 0;
  return (body as ReadableStream<Uint8Array>).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        received += chunk.length;
        controller.enqueue(chunk);
      },
      flush() {
        if (ContentLength !== undefined && received !== ContentLength) {
          throw new StoreError("truncated");
        }
      },
    }),
  );
}
