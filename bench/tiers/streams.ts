/** Bytes of a chunk. */
export const CHUNK_BYTES = 64 << 10;

/** Gives bytes in chunks, as they come from the network. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      // A copy: whoever reads the stream may keep or give away what it is given.
      controller.enqueue(bytes.slice(at, at += CHUNK_BYTES));
      if (at >= bytes.length) controller.close();
    },
  });
}

/** Reads a stream to its end. @throws {Error} when it has another length. */
export async function drain(stream: ReadableStream<Uint8Array>, expected: number): Promise<void> {
  const reader = stream.getReader();
  let length = 0;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    length += chunk.value.length;
  }
  if (length !== expected) throw new Error(`A stream has ${length} bytes instead of ${expected}`);
}
