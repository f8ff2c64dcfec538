import { type NodeBody, NodeBodyReader } from "../_object_store/body_reader.ts";
import type { BodyReader } from "../_object_store/object_store.ts";
import { StoreError } from "../_object_store/store_error.ts";

/** What is used of a download. */
export interface AzureDownload {
  /** Where the client runs over streams of Node. */
  readonly readableStreamBody?: NodeBody;
  /** Where it runs in a browser. */
  readonly blobBody?: Promise<Blob>;
  /** Bytes of the body. */
  readonly contentLength?: number;
}

/** The whole body of a download, in a buffer of its own. @throws {StoreError} `"truncated"` when it ends early. */
export async function collectDownload(
  download: AzureDownload,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const reader = await readerOfDownload(download);
    for (;;) {
      const { done, value } = await reader.read();
      if (done || value === undefined) break;
      chunks.push(value);
      length += value.length;
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

/** Reads the body of a download as it comes. */
export async function readerOfDownload(
  { readableStreamBody, blobBody }: AzureDownload,
): Promise<BodyReader> {
  if (readableStreamBody !== undefined) return new NodeBodyReader(readableStreamBody);
  return (await blobBody ?? new Blob([])).stream().getReader();
}
