import { StoreError } from "../_object_store/store_error.ts";

/** What is used of a download. */
export interface AzureDownload {
  /** Where the client runs over streams of Node. */
  readonly readableStreamBody?: unknown;
  /** Where it runs in a browser. */
  readonly blobBody?: Promise<Blob>;
  /** Bytes of the body. */
  readonly contentLength?: number;
}

type Source = AsyncIterable<Uint8Array> & { destroy?: (error?: Error) => void };

/** The whole body of a download, in a buffer of its own. @throws {StoreError} `"truncated"` when it ends early. */
export async function collectDownload(
  download: AzureDownload,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of await sourceOf(download)) {
      chunks.push(chunk);
      length += chunk.length;
    }
  } catch {
    signal?.throwIfAborted();
    throw new StoreError("truncated");
  }
  if (download.contentLength !== undefined && length !== download.contentLength) {
    throw new StoreError("truncated");
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The body of a download as a stream, which errors when it ends early. */
export function streamOfDownload(download: AzureDownload): ReadableStream<Uint8Array> {
  let source: Source | undefined;
  let iterator: AsyncIterator<Uint8Array> | undefined;
  let received = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        source ??= await sourceOf(download);
        iterator ??= source[Symbol.asyncIterator]();
        const step = await iterator.next();
        if (step.done !== true) {
          received += step.value.length;
          controller.enqueue(new Uint8Array(step.value));
          return;
        }
      } catch {
        throw new StoreError("truncated");
      }
      if (download.contentLength !== undefined && received !== download.contentLength) {
        throw new StoreError("truncated");
      }
      controller.close();
    },
    async cancel() {
      source ??= await sourceOf(download);
      // The client ends the request when its stream is destroyed.
      source.destroy?.();
    },
  }, { highWaterMark: 0 });
}

async function sourceOf(download: AzureDownload): Promise<Source> {
  if (download.readableStreamBody !== undefined) {
    const source = download.readableStreamBody as Source & {
      on?: (event: string, listener: () => void) => void;
    };
    // What is destroyed may still tell of it.
    source.on?.("error", () => {});
    return source;
  }
  const blob = await download.blobBody;
  return (blob ?? new Blob([])).stream() as unknown as Source;
}
