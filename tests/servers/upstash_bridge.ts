import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Reply, RespClient } from "./resp_client.ts";

/** Options of {@linkcode startUpstashBridge}. */
export interface UpstashBridgeOptions {
  /** Port of the redis-server behind it. */
  readonly redisPort: number;
  /** The token that requests must bear. @default "secret-token" */
  readonly token?: string;
  /** Larger requests are refused. @default 1_000_000 */
  readonly maxRequestBytes?: number;
}

/**
 * Speaks the REST protocol of Upstash to a real server: one command at `/`,
 * several at `/pipeline`, a transaction at `/multi-exec`, events at
 * `/subscribe/<channel>`.
 */
export class UpstashBridge {
  readonly url: string;
  readonly token: string;
  /** Requests for commands so far. */
  requests = 0;
  /** While set, requests are taken and not answered. */
  isHanging = false;
  /** While set, every request is answered with this, as a proxy in between would. */
  answer: { readonly status: number; readonly body: string } | undefined;
  readonly #server: Server;
  readonly #redisPort: number;
  readonly #maxRequestBytes: number;
  readonly #streams = new Set<ServerResponse>();
  readonly #held: (() => void)[] = [];
  #redis: Promise<RespClient> | undefined;

  constructor(server: Server, options: Required<UpstashBridgeOptions>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.token = options.token;
    this.#redisPort = options.redisPort;
    this.#maxRequestBytes = options.maxRequestBytes;
    server.on("request", (request, response) => {
      this.#serve(request, response).catch((error) => {
        if (!response.headersSent) send(response, 500, { error: `ERR ${error.message}` });
      });
    });
  }

  /** How many listen to events. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Ends all streams of events, as the service does now and then. */
  dropStreams(): void {
    for (const response of this.#streams) response.destroy();
    this.#streams.clear();
  }

  /** Lets go on what was taken while it was hanging. */
  resume(): void {
    this.isHanging = false;
    for (const go of this.#held.splice(0)) go();
  }

  async stop(): Promise<void> {
    this.resume();
    this.dropStreams();
    (await this.#redis?.catch(() => undefined))?.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { pathname } = new URL(request.url ?? "/", "http://bridge");
    const [, verb = "", ...rest] = pathname.split("/");
    if (this.answer !== undefined) {
      response.writeHead(this.answer.status, { "Content-Type": "text/html" });
      response.end(this.answer.body);
      return;
    }
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      return send(response, 401, { error: "WRONGPASS invalid or missing auth token" });
    }
    if (verb === "subscribe") return await this.#subscribe(rest, response);
    this.requests++;
    if (body.length > this.#maxRequestBytes) {
      const error =
        `ERR max request size exceeded. Limit: ${this.#maxRequestBytes} bytes, Actual: ${body.length} bytes`;
      return send(response, 400, { error });
    }
    if (this.isHanging) await new Promise<void>((resolve) => this.#held.push(resolve));
    const isBase64 = request.headers["upstash-encoding"] === "base64";
    const commands: unknown = body.length === 0 ? undefined : JSON.parse(body.toString());
    if (verb === "pipeline") {
      const replies = await this.#run(commands as unknown[][]);
      return send(response, 200, replies.map((reply) => answerOf(reply, isBase64)));
    }
    if (verb === "multi-exec") {
      return await this.#transaction(commands as unknown[][], isBase64, response);
    }
    const command = Array.isArray(commands) ? commands : [verb, ...rest].map(decodeURIComponent);
    const [reply] = await this.#run([command]);
    const answer = answerOf(reply as Reply, isBase64);
    send(response, "error" in answer ? 400 : 200, answer);
  }

  async #run(commands: readonly unknown[][]): Promise<Reply[]> {
    const redis = await this.#connection();
    return await Promise.all(commands.map((command) => redis.raw(...command.map(String))));
  }

  /** One that is lost is made anew. */
  #connection(): Promise<RespClient> {
    this.#redis ??= RespClient.connect(this.#redisPort).then((client) => {
      client.onClose = () => this.#redis = undefined;
      return client;
    }, (error) => {
      this.#redis = undefined;
      throw error;
    });
    return this.#redis;
  }

  async #transaction(
    commands: readonly unknown[][],
    isBase64: boolean,
    response: ServerResponse,
  ): Promise<void> {
    const redis = await RespClient.connect(this.#redisPort);
    try {
      const all = [["MULTI"], ...commands, ["EXEC"]];
      const replies = await Promise.all(all.map((command) => redis.raw(...command.map(String))));
      const result = replies.at(-1);
      if (Array.isArray(result)) {
        return send(response, 200, result.map((reply) => answerOf(reply, isBase64)));
      }
      send(response, 400, answerOf(result as Reply, isBase64));
    } finally {
      redis.close();
    }
  }

  async #subscribe(path: readonly string[], response: ServerResponse): Promise<void> {
    const channel = decodeURIComponent(path.join("/"));
    const redis = await RespClient.connect(this.#redisPort);
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    this.#streams.add(response);
    response.on("close", () => {
      this.#streams.delete(response);
      redis.close();
    });
    redis.onClose = () => response.destroy();
    redis.onMessage = (reply) => {
      const [kind, name, text] = (reply as Reply[]).map(String);
      response.write(`data: ${kind},${name},${text}\n\n`);
    };
    const reply = await redis.raw("SUBSCRIBE", channel) as Reply[];
    response.write(`data: subscribe,${channel},${Number(reply[2])}\n\n`);
  }
}

/** Starts a bridge. */
export async function startUpstashBridge(options: UpstashBridgeOptions): Promise<UpstashBridge> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return new UpstashBridge(server, {
    token: "secret-token",
    maxRequestBytes: 1_000_000,
    ...options,
  });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json", "upstash-sync-token": "1" });
  response.end(JSON.stringify(body));
}

function answerOf(reply: Reply, isBase64: boolean): { result: unknown } | { error: string } {
  return reply instanceof Error ? { error: reply.message } : { result: plain(reply, isBase64) };
}

/** Only strings of data are encoded, not a status such as OK. */
function plain(reply: Reply, isBase64: boolean): unknown {
  if (Array.isArray(reply)) return reply.map((item) => plain(item, isBase64));
  return Buffer.isBuffer(reply) ? reply.toString(isBase64 ? "base64" : "utf8") : reply;
}
