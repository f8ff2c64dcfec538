import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { GcsBuckets, type GcsReply } from "./gcs/gcs_buckets.ts";
import { GcsTokens } from "./gcs/gcs_tokens.ts";

/** What a test may look at and do beside the API. */
export interface GcsServer {
  /** Where it is. */
  readonly endpoint: string;
  /** Its objects. */
  readonly buckets: GcsBuckets;
  /** Its tokens. */
  readonly tokens: GcsTokens;
  /** Requests so far, as `METHOD path`. */
  readonly requests: string[];
  stop(): Promise<void>;
}

/**
 * Google Cloud Storage as its documentation of the JSON API describes it:
 * media, resumable uploads, generations and preconditions, pages, batches,
 * error bodies, and the token server of service accounts.
 */
export async function startGcs(): Promise<GcsServer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const buckets = new GcsBuckets();
  const tokens = await GcsTokens.create(`${endpoint}/token`);
  const requests: string[] = [];
  server.on("request", (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    serve(request, response, { endpoint, buckets, tokens }).catch((error) => {
      if (!response.headersSent) reply(response, { status: 500, text: String(error) });
    });
  });
  return { endpoint, buckets, tokens, requests, stop: () => stop(server) };
}

interface Parts {
  readonly endpoint: string;
  readonly buckets: GcsBuckets;
  readonly tokens: GcsTokens;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { endpoint, buckets, tokens }: Parts,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const url = new URL(request.url ?? "/", endpoint);
  const headers = new Map(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const method = request.method ?? "GET";
  if (url.pathname === "/token") return reply(response, await tokens.exchange(body.toString()));
  if (url.pathname === "/computeMetadata/v1/instance/service-accounts/default/token") {
    return reply(response, tokens.ofMachine(headers.get("metadata-flavor")));
  }
  // The URI of an upload is a secret of its own.
  const isSession = url.searchParams.has("upload_id");
  const refusal = isSession ? undefined : tokens.check(headers.get("authorization"));
  if (refusal !== undefined) return reply(response, refusal);
  if (url.pathname === "/batch/storage/v1") {
    return reply(response, batch(buckets, headers.get("content-type") ?? "", body.toString()));
  }
  reply(response, buckets.answer({ method, url, headers, body }));
}

/** Each part of a batch is a request, and each part of the answer an answer. */
function batch(buckets: GcsBuckets, type: string, text: string): GcsReply {
  const boundary = /boundary=(\S+)/.exec(type)?.[1];
  if (boundary === undefined) return { status: 400, text: "no boundary" };
  const parts = text.split(`--${boundary}`).slice(1, -1);
  if (parts.length > 100) return { status: 400, text: "more than 100 requests" };
  const answers = parts.map((part) => {
    const id = /^content-id:\s*<([^>]*)>/im.exec(part)?.[1] ?? "";
    const [, method = "", path = ""] = /^([A-Z]+) (\S+) HTTP\/1\.1/m.exec(part) ?? [];
    const url = new URL(path, "http://batch");
    const { status, text = "" } = buckets.answer({
      method,
      url,
      headers: new Map(),
      body: Buffer.alloc(0),
    });
    return [
      "--answers",
      "Content-Type: application/http",
      `Content-ID: <response-${id}>`,
      "",
      `HTTP/1.1 ${status} Whatever`,
      `Content-Length: ${Buffer.byteLength(text)}`,
      "",
      text,
      "",
    ].join("\r\n");
  });
  return {
    status: 200,
    headers: { "content-type": "multipart/mixed; boundary=answers" },
    text: `${answers.join("")}--answers--`,
  };
}

function reply(response: ServerResponse, { status, headers = {}, text, bytes }: GcsReply): void {
  const body = bytes ?? Buffer.from(text ?? "");
  const withoutBody = status === 204 || status === 308;
  const length = withoutBody && body.length === 0 ? {} : { "content-length": String(body.length) };
  response.writeHead(status, { ...length, ...headers });
  response.end(withoutBody ? undefined : body);
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
