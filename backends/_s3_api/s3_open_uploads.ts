import { dateOf } from "../_object_store/http.ts";
import type { ObjectUpload, OpenUploadsPage } from "../_object_store/object_store.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { elements, elementText, isDocument } from "./s3_xml.ts";

/** What a listing of uploads is read with. */
export interface UploadsOptions {
  /** What names begin with. */
  readonly prefix: string;
  /** When the store answered. */
  readonly serverTime: number | undefined;
  /** Takes an upload up. */
  readonly take: (name: string, id: string) => ObjectUpload;
}

/** Reads a listing of uploads. @throws {StoreError} `"foreign"` for what is none. */
export function parseUploads(
  xml: string,
  { prefix, serverTime, take }: UploadsOptions,
): OpenUploadsPage {
  if (!isDocument(xml, "ListMultipartUploadsResult")) throw new StoreError("foreign");
  const uploads = elements(xml, "Upload").flatMap((upload) => {
    const name = decodeName(elementText(upload, "Key"));
    const id = elementText(upload, "UploadId");
    const begunAt = dateOf(elementText(upload, "Initiated"));
    const isOurs = name !== undefined && name.startsWith(prefix);
    return isOurs && id !== undefined && begunAt !== undefined
      ? [{ name, begunAt, upload: take(name, id) }]
      : [];
  });
  const name = decodeName(elementText(xml, "NextKeyMarker"));
  const id = elementText(xml, "NextUploadIdMarker");
  const isTruncated = elementText(xml, "IsTruncated") === "true";
  return {
    uploads,
    cursor: isTruncated && name !== undefined && id !== undefined ? { name, id } : undefined,
    serverTime,
  };
}

/** A name as a listing has it, `undefined` for one that is none of ours. */
export function decodeName(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
