import type { OperationOptions } from "../../src/types.ts";
import type { CredentialCache } from "../_object_store/credential_cache.ts";
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
import { METADATA_NAME } from "../_object_store/object_metadata.ts";
import type {
  DeleteOptions,
  ListOptions,
  ObjectCondition,
  ObjectInfo,
  ObjectPage,
  ObjectStore,
  ObjectUpload,
  OpenedObject,
  PutOptions,
  ReadOptions,
  StoredObject,
} from "../_object_store/object_store.ts";
import { rangeHeader } from "../_object_store/range_header.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { batchBody, parseBatch } from "./gcs_batch.ts";
import type { GcsToken } from "./gcs_config.ts";
import { gcsAnswerOf, gcsError, parseGcsAnswer } from "./gcs_error.ts";
import { GcsUpload } from "./gcs_upload.ts";

/** Options of {@linkcode GcsStore}. */
export interface GcsStoreOptions {
  /** The bucket. */
  readonly bucket: string;
  /** The URL of the store. */
  readonly endpoint: string;
  /** Gives the token of requests. */
  readonly tokens: CredentialCache<GcsToken>;
  /** Sends requests. */
  readonly fetch: Fetch;
  /** Bytes of a part of an upload. */
  readonly partBytes: number;
}

const FIELDS = "name,size,generation,updated,metadata";

/** Google Cloud Storage by its JSON API over `fetch`. */
export class GcsStore implements ObjectStore {
  readonly label = "GCS";
  readonly place = "bucket";
  readonly maxDeletes = 100;
  readonly maxPage = 1000;
  readonly partBytes: number;
  readonly #options: GcsStoreOptions;

  constructor(options: GcsStoreOptions) {
    this.partBytes = options.partBytes;
    this.#options = options;
  }

  async get(name: string, { signal, range }: ReadOptions): Promise<StoredObject | undefined> {
    const response = await this.#read(name, signal, range);
    return response && { ...mediaInfo(response), bytes: await readBytes(response, signal) };
  }

  async open(name: string, { signal, range }: ReadOptions): Promise<OpenedObject | undefined> {
    const response = await this.#read(name, signal, range);
    if (response === undefined) return undefined;
    const bodyLength = lengthOf(response);
    return { ...mediaInfo(response), body: readerOfResponse(response), bodyLength };
  }

  async head(name: string, { signal }: OperationOptions): Promise<ObjectInfo | undefined> {
    const response = await this.request("GET", `${this.#path(name)}?fields=${FIELDS}`, { signal });
    if (!response.ok) return await missingOrThrow(response, signal);
    return infoOf(await readJson(response, signal), dateOf(response.headers.get("date")));
  }

  async put(name: string, bytes: Uint8Array, options: PutOptions): Promise<string | "conflict"> {
    const { metadata, condition, signal } = options;
    const { bucket } = this.#options;
    const { body, type } = multipartRelated(
      { name, metadata: { [METADATA_NAME]: metadata } },
      bytes,
    );
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=multipart&fields=generation${
      conditionQuery(condition)
    }`;
    const response = await this.request("POST", path, {
      headers: { "content-type": type },
      body,
      signal,
    });
    if (response.ok) return String((await readJson(response, signal))["generation"] ?? "");
    return await conflictOrThrow(response, condition, signal);
  }

  async delete(name: string, { tag, signal }: DeleteOptions): Promise<"deleted" | "conflict"> {
    const query = tag === undefined ? "" : `?ifGenerationMatch=${encodeURIComponent(tag)}`;
    const response = await this.request("DELETE", this.#path(name) + query, { signal });
    if (response.ok) {
      await dropBody(response);
      return "deleted";
    }
    const answer = await gcsAnswerOf(response, signal);
    if (answer.status === 404 && !answer.isBucketMissing) {
      return tag === undefined ? "deleted" : "conflict";
    }
    if (answer.status === 412 && tag !== undefined) return "conflict";
    throw gcsError(answer);
  }

  async deleteMany(
    names: readonly string[],
    { signal }: OperationOptions,
  ): Promise<ReadonlyMap<string, Error>> {
    const { body, type } = batchBody(names.map((name) => this.#path(name)));
    const headers = { "content-type": type };
    const response = await this.request("POST", "/batch/storage/v1", { headers, body, signal });
    if (!response.ok) throw gcsError(await gcsAnswerOf(response, signal));
    const contentType = response.headers.get("content-type") ?? "";
    const answers = parseBatch(contentType, await readText(response, signal));
    return new Map(names.flatMap((name, at): [string, Error][] => {
      const answer = answers.get(at);
      if (answer === undefined) return [[name, new StoreError("foreign")]];
      const { status, text } = answer;
      const refusal = parseGcsAnswer(status, text);
      if (status < 300 || (status === 404 && !refusal.isBucketMissing)) return [];
      return [[name, gcsError(refusal)]];
    }));
  }

  async list(prefix: string, { cursor, limit, signal }: ListOptions): Promise<ObjectPage> {
    const query = new URLSearchParams({
      prefix,
      maxResults: String(limit),
      fields: `nextPageToken,items(${FIELDS})`,
      ...(cursor === undefined ? {} : { pageToken: cursor }),
    });
    const path = `/storage/v1/b/${this.#options.bucket}/o?${query}`;
    const response = await this.request("GET", path, { signal });
    if (!response.ok) throw gcsError(await gcsAnswerOf(response, signal));
    const { items = [], nextPageToken } = await readJson(response, signal);
    const time = dateOf(response.headers.get("date"));
    return {
      objects: (Array.isArray(items) ? items : []).flatMap((item) => {
        const name: unknown = item?.name;
        const isOurs = typeof name === "string" && name.startsWith(prefix);
        return isOurs ? [{ name, info: infoOf(item, time) }] : [];
      }),
      cursor: typeof nextPageToken === "string" ? nextPageToken : undefined,
    };
  }

  async upload(name: string, options: PutOptions): Promise<ObjectUpload> {
    const { metadata, condition, signal } = options;
    const path = `/upload/storage/v1/b/${this.#options.bucket}/o?uploadType=resumable${
      conditionQuery(condition)
    }`;
    const response = await this.request("POST", path, {
      headers: { "content-type": "application/json" },
      body: new TextEncoder().encode(
        JSON.stringify({ name, metadata: { [METADATA_NAME]: metadata } }),
      ),
      signal,
    });
    const session = response.headers.get("location");
    if (!response.ok) throw gcsError(await gcsAnswerOf(response, signal));
    await dropBody(response);
    if (session === null || !session.startsWith("http")) throw new StoreError("foreign");
    return new GcsUpload(session, this.#options.fetch);
  }

  /** Sends a request with a token, and once more with another when the store refuses it. */
  async request(method: string, path: string, request: GcsRequest): Promise<Response> {
    const { endpoint, tokens, fetch } = this.#options;
    const { headers, body, signal } = request;
    for (let attempt = 0;; attempt++) {
      const token = await tokens.get();
      const response = await send(fetch, endpoint + path, {
        method,
        headers: { ...headers, authorization: `Bearer ${token.token}` },
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        ...(signal === undefined ? {} : { signal }),
      });
      if (response.status !== 401 || attempt > 0) return response;
      await dropBody(response);
      tokens.refuse(token);
    }
  }

  #path(name: string): string {
    return `/storage/v1/b/${this.#options.bucket}/o/${encodeURIComponent(name)}`;
  }

  async #read(
    name: string,
    signal: AbortSignal | undefined,
    range: ReadOptions["range"],
  ): Promise<Response | undefined> {
    const headers = range === undefined ? {} : { range: rangeHeader(range) };
    const response = await this.request("GET", `${this.#path(name)}?alt=media`, {
      headers,
      signal,
    });
    return response.ok ? response : await missingOrThrow(response, signal);
  }
}

/** A request of the JSON API. */
export interface GcsRequest {
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

type Json = Record<string, unknown>;

async function readJson(response: Response, signal: AbortSignal | undefined): Promise<Json> {
  const text = await readText(response, signal);
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Json;
  } catch {
    // It is no JSON.
  }
  throw new StoreError("foreign");
}

async function missingOrThrow(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<undefined> {
  const answer = await gcsAnswerOf(response, signal);
  if (answer.status === 404 && !answer.isBucketMissing) return undefined;
  throw gcsError(answer);
}

async function conflictOrThrow(
  response: Response,
  condition: ObjectCondition | undefined,
  signal: AbortSignal | undefined,
): Promise<"conflict"> {
  const answer = await gcsAnswerOf(response, signal);
  const isGone = answer.status === 404 && !answer.isBucketMissing;
  if (condition !== undefined && (answer.status === 412 || isGone)) return "conflict";
  throw gcsError(answer);
}

function conditionQuery(condition: ObjectCondition | undefined): string {
  if (condition === undefined) return "";
  const generation = condition === "absent" ? "0" : condition.tag;
  // What is no generation matches none.
  return `&ifGenerationMatch=${/^\d{1,19}$/.test(generation) ? generation : "1"}`;
}

function mediaInfo({ headers }: Response): ObjectInfo {
  const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  return {
    tag: headers.get("x-goog-generation") ?? "",
    size: Number(total ?? headers.get("content-length") ?? 0),
    modifiedAt: dateOf(headers.get("last-modified")) ?? 0,
    serverTime: dateOf(headers.get("date")),
    metadata: headers.get(`x-goog-meta-${METADATA_NAME}`) ?? undefined,
  };
}

function infoOf(item: Json, serverTime: number | undefined): ObjectInfo {
  const metadata = (item["metadata"] as Json | undefined)?.[METADATA_NAME];
  return {
    tag: String(item["generation"] ?? ""),
    size: Number(item["size"] ?? 0),
    modifiedAt: dateOf(String(item["updated"] ?? "")) ?? 0,
    serverTime,
    metadata: typeof metadata === "string" ? metadata : undefined,
  };
}

/** One body of an object's description and its bytes. */
function multipartRelated(
  description: Json,
  bytes: Uint8Array,
): { body: Uint8Array; type: string } {
  const boundary = `strata-${crypto.randomUUID()}`;
  const encoder = new TextEncoder();
  const head = encoder.encode(
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${
      JSON.stringify(description)
    }\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
  const tail = encoder.encode(`\r\n--${boundary}--\r\n`);
  const body = new Uint8Array(head.length + bytes.length + tail.length);
  body.set(head);
  body.set(bytes, head.length);
  body.set(tail, head.length + bytes.length);
  return { body, type: `multipart/related; boundary=${boundary}` };
}
