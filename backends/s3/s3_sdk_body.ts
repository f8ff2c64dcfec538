import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { type NodeBody, NodeBodyReader } from "../_object_store/body_reader.ts";
import type { BodyReader } from "../_object_store/object_store.ts";
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

/** Reads the body of an answer as it comes. */
export function readerOfBody({ Body }: GetObjectCommandOutput): BodyReader {
  if (Body === undefined) return new Blob([]).stream().getReader();
  // Without Node's HTTP the client is one over `fetch`.
  if ("destroy" in Body) return new NodeBodyReader(Body as NodeBody);
  return Body.transformToWebStream().getReader();
}
