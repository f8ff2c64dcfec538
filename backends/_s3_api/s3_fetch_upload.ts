import { dropBody, readText } from "../_object_store/http.ts";
import type { ObjectUpload } from "../_object_store/object_store.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { OperationOptions } from "../../src/types.ts";
import { s3AnswerOf } from "./s3_answer.ts";
import { isConflict, isMissing, s3Error } from "./s3_error.ts";
import type { S3FetchStore } from "./s3_fetch_store.ts";
import { elementText, escapeXml, isDocument } from "./s3_xml.ts";

/** A multipart upload. */
export class S3FetchUpload implements ObjectUpload {
  readonly #store: S3FetchStore;
  readonly #name: string;
  readonly #id: string;
  readonly #conditions: Record<string, string>;
  readonly #tags: string[] = [];

  constructor(store: S3FetchStore, name: string, id: string, conditions: Record<string, string>) {
    this.#store = store;
    this.#name = name;
    this.#id = encodeURIComponent(id);
    this.#conditions = conditions;
  }

  async part(bytes: Uint8Array, at: number, { signal }: OperationOptions): Promise<Uint8Array> {
    const query = `partNumber=${at + 1}&uploadId=${this.#id}`;
    const request = { method: "PUT", name: this.#name, query, body: bytes, signal };
    const response = await this.#store.request(request);
    if (!response.ok) throw s3Error(await s3AnswerOf(response, signal));
    await dropBody(response);
    this.#tags[at] = response.headers.get("etag") ?? "";
    return bytes;
  }

  async complete({ signal }: OperationOptions): Promise<string | "conflict"> {
    const parts = this.#tags
      .map((tag, at) =>
        `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`
      )
      .join("");
    const body = new TextEncoder().encode(
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts}</CompleteMultipartUpload>`,
    );
    const headers = { "content-type": "application/xml", ...this.#conditions };
    const query = `uploadId=${this.#id}`;
    const request = { method: "POST", name: this.#name, query, headers, body, signal };
    const response = await this.#store.request(request);
    if (!response.ok) {
      const answer = await s3AnswerOf(response, signal);
      if (Object.keys(this.#conditions).length > 0 && isConflict(answer)) return "conflict";
      throw s3Error(answer);
    }
    const text = await readText(response, signal);
    // S3 may answer 200 at once and tell of an error later.
    if (isDocument(text, "Error")) {
      throw s3Error({ status: undefined, code: elementText(text, "Code") });
    }
    if (!isDocument(text, "CompleteMultipartUploadResult")) throw new StoreError("foreign");
    return elementText(text, "ETag") ?? "";
  }

  async abort({ signal }: OperationOptions): Promise<void> {
    const query = `uploadId=${this.#id}`;
    const response = await this.#store.request({
      method: "DELETE",
      name: this.#name,
      query,
      signal,
    });
    if (response.ok) return await dropBody(response);
    const answer = await s3AnswerOf(response, signal);
    // It is not there any more.
    if (answer.code !== "NoSuchUpload" && !isMissing(answer)) throw s3Error(answer);
  }
}
