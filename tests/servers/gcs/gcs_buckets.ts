import { Buffer } from "node:buffer";

/** A request without its authorization. */
export interface GcsCall {
  readonly method: string;
  readonly url: URL;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** An answer. */
export interface GcsReply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly text?: string;
  readonly bytes?: Uint8Array;
}

/** An object. */
export interface GcsObject {
  readonly name: string;
  readonly bytes: Buffer;
  readonly generation: string;
  readonly updated: string;
  readonly metadata: Record<string, string>;
}

interface Session {
  readonly bucket: string;
  readonly name: string;
  readonly metadata: Record<string, string>;
  readonly condition: string | null;
  received: Buffer;
}

/** A resumable upload takes multiples of it, but for its end. */
const CHUNK_BYTES = 256 * 1024;

/** The buckets and what the API does with them. */
export class GcsBuckets {
  /** Objects, by bucket and name. */
  readonly objects = new Map<string, Map<string, GcsObject>>();
  /** Uploads under way, by their ids. */
  readonly sessions = new Map<string, Session>();
  /** Answers to uploads that have ended. */
  readonly #done = new Map<string, GcsReply>();
  /** The most objects of a page, whatever is asked for. */
  maxPage = 1000;
  #generation = Date.now() * 1000;

  /** Makes an empty bucket. */
  create(bucket: string): void {
    this.objects.set(bucket, new Map());
  }

  /** Puts an object, as another program would. */
  put(
    bucket: string,
    name: string,
    bytes: Uint8Array,
    metadata: Record<string, string> = {},
  ): GcsObject {
    const object = {
      name,
      bytes: Buffer.from(bytes),
      generation: String(++this.#generation),
      updated: new Date().toISOString(),
      metadata,
    };
    this.objects.get(bucket)?.set(name, object);
    return object;
  }

  /** Answers a request. */
  answer(call: GcsCall): GcsReply {
    const { method, url, headers } = call;
    const [, upload, bucket = "", encoded] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/(.+))?$/.exec(url.pathname) ?? [];
    if (upload !== undefined && url.searchParams.has("upload_id")) return this.#continue(call);
    const objects = this.objects.get(bucket);
    if (objects === undefined) {
      return failed(404, "notFound", "The specified bucket does not exist.");
    }
    if (upload !== undefined) return this.#upload(bucket, call);
    if (encoded === undefined) return this.#list(objects, url);
    const name = decodeURIComponent(encoded);
    const object = objects.get(name);
    const condition = url.searchParams.get("ifGenerationMatch");
    if (object === undefined) {
      return url.searchParams.get("alt") === "media"
        ? { status: 404, text: `No such object: ${bucket}/${name}` }
        : failed(404, "notFound", `No such object: ${bucket}/${name}`);
    }
    if (condition !== null && condition !== object.generation) return conditionNotMet();
    if (method === "DELETE") {
      objects.delete(name);
      return { status: 204 };
    }
    if (url.searchParams.get("alt") === "media") return media(object, headers.get("range"));
    return json(200, resource(bucket, object));
  }

  #list(objects: ReadonlyMap<string, GcsObject>, { searchParams }: URL): GcsReply {
    const prefix = searchParams.get("prefix") ?? "";
    const after = Buffer.from(searchParams.get("pageToken") ?? "", "base64url").toString();
    const limit = Math.min(Number(searchParams.get("maxResults") ?? 1000), this.maxPage);
    const names = [...objects.keys()]
      .filter((name) => name.startsWith(prefix) && name > after)
      .sort();
    const page = names.slice(0, limit);
    return json(200, {
      ...(page.length === 0
        ? {}
        : { items: page.map((name) => resource("bucket", objects.get(name) as GcsObject)) }),
      ...(names.length > limit
        ? { nextPageToken: Buffer.from(page.at(-1) ?? "").toString("base64url") }
        : {}),
    });
  }

  #upload(bucket: string, { url, headers, body }: GcsCall): GcsReply {
    const condition = url.searchParams.get("ifGenerationMatch");
    if (url.searchParams.get("uploadType") === "resumable") {
      const { name, metadata = {} } = JSON.parse(body.toString());
      const id = crypto.randomUUID();
      this.sessions.set(id, { bucket, name, metadata, condition, received: Buffer.alloc(0) });
      const location = `http://${
        headers.get("host")
      }${url.pathname}?uploadType=resumable&upload_id=${id}`;
      return { status: 200, headers: { location } };
    }
    if (url.searchParams.get("uploadType") === "media") {
      const name = url.searchParams.get("name") ?? "";
      return this.#store({ bucket, name, metadata: {}, condition, received: body });
    }
    const boundary = /boundary=(\S+)/.exec(headers.get("content-type") ?? "")?.[1];
    if (boundary === undefined) return failed(400, "badContent", "no boundary");
    const [description, media] = partsOf(body, boundary);
    const { name, metadata = {} } = JSON.parse(description?.toString() ?? "{}");
    return this.#store({ bucket, name, metadata, condition, received: media ?? Buffer.alloc(0) });
  }

  #continue({ method, url, headers, body }: GcsCall): GcsReply {
    const id = url.searchParams.get("upload_id") ?? "";
    const session = this.sessions.get(id);
    if (session === undefined) {
      // Who asks again for what is done is told again.
      return this.#done.get(id) ?? failed(404, "notFound", "No such upload");
    }
    if (method === "DELETE") {
      this.sessions.delete(id);
      return { status: 499 };
    }
    const range = headers.get("content-range") ?? "";
    const [, from, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(range) ?? [];
    if (from !== undefined) {
      if (Number(from) > session.received.length) return failed(503, "backendError", "gap");
      const rest = body.subarray(session.received.length - Number(from));
      const isLast = total !== "*";
      // What is no whole chunk is not kept, unless it is the end.
      const kept = isLast ? rest.length : rest.length - rest.length % CHUNK_BYTES;
      session.received = Buffer.concat([session.received, rest.subarray(0, kept)]);
    }
    if (total !== "*" && session.received.length === Number(total)) {
      this.sessions.delete(id);
      const stored = this.#store(session);
      this.#done.set(id, stored);
      return stored;
    }
    const { length } = session.received;
    return { status: 308, headers: length === 0 ? {} : { range: `bytes=0-${length - 1}` } };
  }

  #store({ bucket, name, metadata, condition, received }: Session): GcsReply {
    const held = this.objects.get(bucket)?.get(name)?.generation ?? "0";
    if (condition !== null && condition !== held) return conditionNotMet();
    return json(200, resource(bucket, this.put(bucket, name, received, metadata)));
  }
}

function resource(bucket: string, object: GcsObject): Record<string, unknown> {
  const { name, bytes, generation, updated, metadata } = object;
  return {
    kind: "storage#object",
    bucket,
    name,
    size: String(bytes.length),
    generation,
    updated,
    metadata,
  };
}

function media(
  { bytes, generation, updated, metadata }: GcsObject,
  range: string | undefined,
): GcsReply {
  const headers: Record<string, string> = {
    "content-type": "application/octet-stream",
    "x-goog-generation": generation,
    "last-modified": new Date(updated).toUTCString(),
  };
  for (const [name, value] of Object.entries(metadata)) headers[`x-goog-meta-${name}`] = value;
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === undefined) return { status: 200, headers, bytes };
  if (Number(from) >= bytes.length) return { status: 416, text: "range" };
  const end = to === "" ? bytes.length : Math.min(Number(to) + 1, bytes.length);
  headers["content-range"] = `bytes ${from}-${end - 1}/${bytes.length}`;
  return { status: 206, headers, bytes: bytes.subarray(Number(from), end) };
}

/** What stands between the boundaries, without the headers of each part. */
function partsOf(body: Buffer, boundary: string): Buffer[] {
  const parts: Buffer[] = [];
  const mark = `--${boundary}`;
  let at = body.indexOf(mark);
  while (at >= 0) {
    const next = body.indexOf(`\r\n${mark}`, at + mark.length);
    if (next < 0) break;
    const start = body.indexOf("\r\n\r\n", at) + 4;
    parts.push(body.subarray(start, next));
    at = next + 2;
  }
  return parts;
}

function json(status: number, body: unknown): GcsReply {
  return { status, headers: { "content-type": "application/json" }, text: JSON.stringify(body) };
}

function failed(code: number, reason: string, message: string): GcsReply {
  return json(code, { error: { code, message, errors: [{ message, domain: "global", reason }] } });
}

function conditionNotMet(): GcsReply {
  return failed(
    412,
    "conditionNotMet",
    "At least one of the pre-conditions you specified did not hold.",
  );
}
