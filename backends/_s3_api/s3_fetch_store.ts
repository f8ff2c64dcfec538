import { METADATA_NAME } from "../_object_store/object_metadata.ts";
import { readerOfResponse } from "../_object_store/body_reader.ts";
import {
  dateOf,
  dropBody,
  type Fetch,
  lengthOf,
  readBytes,
  readText,
  send,
} from "../_object_store/http.ts";
import type {
  DeleteOptions,
  ListOptions,
  ObjectCondition,
  ObjectInfo,
  ObjectPage,
  ObjectStore,
  ObjectUpload,
  OpenedObject,
  OpenUploadsOptions,
  OpenUploadsPage,
  PutOptions,
  ReadOptions,
  StoredObject,
} from "../_object_store/object_store.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { OperationOptions } from "../../src/types.ts";
import { rangeHeader } from "../_object_store/range_header.ts";
import { s3AnswerOf } from "./s3_answer.ts";
import { isConflict, isMissing, type S3Answer, s3Error } from "./s3_error.ts";
import { S3FetchUpload } from "./s3_fetch_upload.ts";
import { decodeName, parseUploads } from "./s3_open_uploads.ts";
import type { S3Signer } from "./s3_signer.ts";
import { elements, elementText, escapeXml, isDocument } from "./s3_xml.ts";

/** Options of {@linkcode S3FetchStore}. */
export interface S3FetchStoreOptions {
  /** Names it in messages. */
  readonly label: string;
  /** The URL of the bucket, without a slash at its end. */
  readonly url: string;
  /** Signs requests. */
  readonly signer: S3Signer;
  /** Sends them. */
  readonly fetch: Fetch;
  /** Bytes of a part of an upload. */
  readonly partBytes: number;
}

/** A request of the S3 API. */
export interface S3Request {
  readonly method: string;
  /** The object, `undefined` for the bucket. */
  readonly name?: string | undefined;
  /** With its names and values encoded, or empty. */
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

const METADATA_HEADER = `x-amz-meta-${METADATA_NAME}`;
const encoder = new TextEncoder();

/** S3's own API over `fetch`: the REST API of March 2006, in XML. */
export class S3FetchStore implements ObjectStore {
  readonly label: string;
  readonly place = "bucket";
  readonly maxDeletes = 1000;
  readonly maxPage = 1000;
  readonly partBytes: number;
  readonly #options: S3FetchStoreOptions;
  #isBucketKnown = false;
  #deletesOneByOne = false;

  constructor(options: S3FetchStoreOptions) {
    this.label = options.label;
    this.partBytes = options.partBytes;
    this.#options = options;
  }

  async get(name: string, { signal, range }: ReadOptions): Promise<StoredObject | undefined> {
    const response = await this.#read(name, signal, range);
    if (response === undefined) return undefined;
    return { ...infoOf(response), bytes: await readBytes(response, signal) };
  }

  async open(name: string, { signal, range }: ReadOptions): Promise<OpenedObject | undefined> {
    const response = await this.#read(name, signal, range);
    if (response === undefined) return undefined;
    const bodyLength = lengthOf(response);
    return { ...infoOf(response), body: readerOfResponse(response), bodyLength };
  }

  async head(name: string, { signal }: OperationOptions): Promise<ObjectInfo | undefined> {
    const response = await this.request({ method: "HEAD", name, signal });
    if (response.ok) {
      await dropBody(response);
      return infoOf(response);
    }
    if (response.status !== 404) throw s3Error(await s3AnswerOf(response, signal));
    // Its answer has no body, and does not tell a missing object from a missing bucket.
    if (!this.#isBucketKnown) {
      await dropResponse(this.#read(name, signal, { offset: 0, length: 1 }));
    }
    return undefined;
  }

  async put(name: string, bytes: Uint8Array, options: PutOptions): Promise<string | "conflict"> {
    const { metadata, condition, signal } = options;
    const headers = { [METADATA_HEADER]: metadata, ...conditionHeaders(condition) };
    const response = await this.request({ method: "PUT", name, headers, body: bytes, signal });
    if (response.ok) {
      await dropBody(response);
      return response.headers.get("etag") ?? "";
    }
    const answer = await s3AnswerOf(response, signal);
    if (condition !== undefined && isConflicting(answer)) return "conflict";
    throw s3Error(answer);
  }

  async delete(name: string, { tag, signal }: DeleteOptions): Promise<"deleted" | "conflict"> {
    const headers = tag === undefined ? {} : conditionHeaders({ tag });
    const response = await this.request({ method: "DELETE", name, headers, signal });
    if (response.ok) {
      await dropBody(response);
      return "deleted";
    }
    const answer = await s3AnswerOf(response, signal);
    if (isMissing(answer)) return tag === undefined ? "deleted" : "conflict";
    if (tag !== undefined && isConflicting(answer)) return "conflict";
    throw s3Error(answer);
  }

  async deleteMany(
    names: readonly string[],
    { signal }: OperationOptions,
  ): Promise<ReadonlyMap<string, Error>> {
    if (this.#deletesOneByOne) return await this.#deleteEach(names, signal);
    const objects = names.map((name) => `<Object><Key>${escapeXml(name)}</Key></Object>`).join("");
    const body = encoder.encode(
      `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`,
    );
    const headers = {
      "content-type": "application/xml",
      "x-amz-checksum-sha256": await sha256(body),
      "x-amz-sdk-checksum-algorithm": "SHA256",
    };
    const response = await this.request({
      method: "POST",
      query: "delete=",
      headers,
      body,
      signal,
    });
    if (!response.ok) {
      const error = s3Error(await s3AnswerOf(response, signal));
      if (error.kind !== "unsupported" && error.kind !== "rejected") throw error;
      // Not every store that speaks S3 has this request.
      this.#deletesOneByOne = true;
      return await this.#deleteEach(names, signal);
    }
    const xml = await readText(response, signal);
    if (!isDocument(xml, "DeleteResult")) throw new StoreError("foreign");
    return new Map(
      elements(xml, "Error")
        .map((error): [string, Error] => [
          elementText(error, "Key") ?? "",
          s3Error({ status: undefined, code: elementText(error, "Code") ?? "Unknown" }),
        ])
        .filter(([name]) => names.includes(name)),
    );
  }

  async list(prefix: string, { cursor, limit, signal }: ListOptions): Promise<ObjectPage> {
    const query = [
      ...(cursor === undefined ? [] : [`continuation-token=${encodeURIComponent(cursor)}`]),
      "encoding-type=url",
      "list-type=2",
      `max-keys=${limit}`,
      `prefix=${encodeURIComponent(prefix)}`,
    ].join("&");
    const response = await this.request({ method: "GET", query, signal });
    if (!response.ok) throw s3Error(await s3AnswerOf(response, signal));
    const xml = await readText(response, signal);
    if (!isDocument(xml, "ListBucketResult")) throw new StoreError("foreign");
    this.#isBucketKnown = true;
    const isTruncated = elementText(xml, "IsTruncated") === "true";
    return {
      objects: elements(xml, "Contents").flatMap((object) => {
        const name = decodeName(elementText(object, "Key"));
        return name === undefined || !name.startsWith(prefix) ? [] : [{ name }];
      }),
      cursor: isTruncated ? elementText(xml, "NextContinuationToken") : undefined,
    };
  }

  async upload(name: string, options: PutOptions): Promise<ObjectUpload> {
    const { metadata, condition, signal } = options;
    const headers = { [METADATA_HEADER]: metadata };
    const response = await this.request({
      method: "POST",
      name,
      query: "uploads=",
      headers,
      signal,
    });
    if (!response.ok) throw s3Error(await s3AnswerOf(response, signal));
    const id = elementText(await readText(response, signal), "UploadId");
    if (id === undefined) throw new StoreError("foreign");
    return new S3FetchUpload(this, name, id, conditionHeaders(condition));
  }

  async openUploads(
    prefix: string,
    { cursor, signal }: OpenUploadsOptions,
  ): Promise<OpenUploadsPage> {
    const query = [
      "encoding-type=url",
      ...(cursor === undefined ? [] : [`key-marker=${encodeURIComponent(cursor.name)}`]),
      `prefix=${encodeURIComponent(prefix)}`,
      ...(cursor === undefined ? [] : [`upload-id-marker=${encodeURIComponent(cursor.id)}`]),
      "uploads=",
    ].join("&");
    const response = await this.request({ method: "GET", query, signal });
    if (!response.ok) throw s3Error(await s3AnswerOf(response, signal));
    const xml = await readText(response, signal);
    return parseUploads(xml, {
      prefix,
      serverTime: dateOf(response.headers.get("date")),
      take: (name, id) => new S3FetchUpload(this, name, id, {}),
    });
  }

  /** Signs and sends a request. */
  async request({ method, name, query, headers = {}, body, signal }: S3Request): Promise<Response> {
    const { url, signer, fetch } = this.#options;
    const path = name === undefined ? "/" : `/${name.split("/").map(encodeURIComponent).join("/")}`;
    const target = url + path + (query === undefined ? "" : `?${query}`);
    const signed = await signer.sign({ method, url: target, headers });
    const response = await send(fetch, target, {
      method,
      headers: signed,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.status === 403) {
      const time = dateOf(response.headers.get("date"));
      if (time !== undefined && Math.abs(time - Date.now()) > SKEW_MS) signer.correct(time);
    }
    return response;
  }

  async #read(
    name: string,
    signal: AbortSignal | undefined,
    range: ReadOptions["range"],
  ): Promise<Response | undefined> {
    const headers = range === undefined ? {} : { range: rangeHeader(range) };
    const response = await this.request({ method: "GET", name, headers, signal });
    if (response.ok) {
      this.#isBucketKnown = true;
      return response;
    }
    const answer = await s3AnswerOf(response, signal);
    if (isMissing(answer)) {
      this.#isBucketKnown = true;
      return undefined;
    }
    throw s3Error(answer);
  }

  async #deleteEach(
    names: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, Error>> {
    const failed = new Map<string, Error>();
    const queue = [...names];
    const work = async (): Promise<void> => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
        try {
          await this.delete(name, { signal });
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          failed.set(name, error);
        }
      }
    };
    await Promise.all(Array.from({ length: SINGLE_DELETES }, work));
    return failed;
  }
}

/** Deletions at once where a store has no request for many. */
const SINGLE_DELETES = 16;

/** What stores allow is fifteen minutes. */
const SKEW_MS = 300_000;

function conditionHeaders(condition: ObjectCondition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  return condition === "absent" ? { "if-none-match": "*" } : { "if-match": condition.tag };
}

/** One that was to replace an object that is gone by now has come too late as well. */
function isConflicting(answer: S3Answer): boolean {
  return isConflict(answer) || answer.code === "NoSuchKey";
}

function infoOf({ headers }: Response): ObjectInfo {
  const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  return {
    tag: headers.get("etag") ?? "",
    size: Number(total ?? headers.get("content-length") ?? 0),
    modifiedAt: dateOf(headers.get("last-modified")) ?? 0,
    serverTime: dateOf(headers.get("date")),
    metadata: headers.get(METADATA_HEADER) ?? undefined,
  };
}

async function dropResponse(reading: Promise<Response | undefined>): Promise<void> {
  const response = await reading;
  if (response !== undefined) await dropBody(response);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
