import { Buffer } from "node:buffer";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as send,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A request that came to a proxy. */
export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An answer, as a server gave it or a fault makes it. */
export interface ProxiedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a fault may do with one request. */
export interface FaultParts {
  /** The request. */
  readonly request: ProxiedRequest;
  /** Has the server answer it. */
  readonly forward: () => Promise<ProxiedAnswer>;
  /** Gives an answer to the client. */
  readonly answer: (answer: ProxiedAnswer) => void;
  /** Gives so many bytes of an answer, which says that it has more, and ends the connection, by a reset or in order, or lets its client wait. */
  readonly cut: (answer: ProxiedAnswer, length: number, how: "reset" | "end" | "wait") => void;
  /** Ends the connection without an answer. */
  readonly reset: () => void;
}

/** Deals with one request in place of the proxy. One that does nothing leaves the client waiting. */
export type Fault = (parts: FaultParts) => void | Promise<void>;

/** A client's way to a server over HTTP, which goes wrong as it is told. */
export interface FaultProxy {
  /** Where clients find it. */
  readonly url: string;
  /** Requests so far. */
  readonly requests: ProxiedRequest[];
  /** Gives faults to the next requests, one each; `undefined` for none. */
  inject(...faults: readonly (Fault | undefined)[]): void;
  /** Gives the same fault to all requests for which a test holds, `undefined` for none. */
  always(fault: Fault | undefined, isMeant?: (request: ProxiedRequest) => boolean): void;
  /** Forgets requests and faults. */
  clear(): void;
  stop(): Promise<void>;
}

/** Starts a proxy in front of a server. It keeps the client's `Host`, which is signed. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const server = createServer({ keepAlive: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const requests: ProxiedRequest[] = [];
  let queue: (Fault | undefined)[] = [];
  let standing: Fault | undefined;
  let isMeant: (request: ProxiedRequest) => boolean = () => true;
  server.on("request", async (incoming: IncomingMessage, response: ServerResponse) => {
    response.on("error", () => {});
    const body = await bytesOf(incoming).catch(() => undefined);
    if (body === undefined) return;
    const { method = "GET", url: path = "/", headers } = incoming;
    const request = { method, path, headers, body };
    requests.push(request);
    const forward = async (): Promise<ProxiedAnswer> =>
      relocated(await forwarded(target, request), target, url);
    const fault = queue.length > 0
      ? queue.shift()
      : standing !== undefined && isMeant(request)
      ? standing
      : undefined;
    const socket = response.socket;
    try {
      await (fault ?? passOn)({
        request,
        forward,
        answer: (given) => give(response, given, given.body.length),
        cut: (given, length, how) => {
          response.writeHead(given.status, headersOf(given, given.body.length));
          response.write(given.body.subarray(0, length), () => {
            if (how === "reset") socket?.resetAndDestroy();
            else if (how === "end") socket?.end();
          });
        },
        reset: () => void socket?.resetAndDestroy(),
      });
    } catch {
      socket?.destroy();
    }
  });
  return {
    url,
    requests,
    inject: (...faults) => void queue.push(...faults),
    always: (fault, meant = () => true) => {
      standing = fault;
      isMeant = meant;
    },
    clear: () => {
      requests.length = 0;
      queue = [];
      standing = undefined;
    },
    stop: () => stop(server),
  };
}

const passOn: Fault = async ({ forward, answer }) => answer(await forward());

/** Answers at once, and the server never sees the request. */
export function answers(
  status: number,
  body: string,
  headers: IncomingHttpHeaders = {},
): Fault {
  return ({ answer, request }) =>
    answer({ status, headers, body: Buffer.from(request.method === "HEAD" ? "" : body) });
}

/** The connection breaks before the server has seen the request. */
export const breaks: Fault = ({ reset }) => reset();

/** The server does what was asked for, and its answer is lost. */
export const losesAnswer: Fault = async ({ forward, reset }) => {
  await forward();
  reset();
};

/** The connection breaks in the middle of the body. */
export const breaksInBody: Fault = async ({ forward, cut }) => {
  const answer = await forward();
  cut(answer, Math.floor(answer.body.length / 2), "reset");
};

/** The connection is closed in the middle of the body. */
export const endsInBody: Fault = async ({ forward, cut }) => {
  const answer = await forward();
  cut(answer, answer.body.length - 1, "end");
};

/** A body is shorter, and its answer says so. */
export const shortens: Fault = async ({ forward, answer }) => {
  const whole = await forward();
  answer({ ...whole, body: whole.body.subarray(0, -1) });
};

/** A bit of the body is another. */
export const flips: Fault = async ({ forward, answer }) => {
  const { body, ...rest } = await forward();
  const damaged = Buffer.from(body);
  damaged[damaged.length - 1]! ^= 1;
  answer({ ...rest, body: damaged });
};

/** Some headers of the answer are others; `undefined` for none. */
export function replaces(headers: IncomingHttpHeaders): Fault {
  return async ({ forward, answer }) => {
    const given = await forward();
    answer({ ...given, headers: { ...given.headers, ...headers } });
  };
}

function forwarded(target: string, { method, path, headers, body }: ProxiedRequest) {
  return new Promise<ProxiedAnswer>((resolve, reject) => {
    const { connection: _, "transfer-encoding": __, ...kept } = headers;
    const out = send(target + path, {
      method,
      headers: { ...kept, "content-length": String(body.length) },
    }, (answer) => {
      bytesOf(answer).then((bytes) => {
        const { statusCode: status = 502, headers } = answer;
        resolve({ status, headers, body: bytes });
      }, reject);
    });
    out.on("error", reject);
    out.end(body);
  });
}

/** Where the server sends its clients must be at the proxy too. */
function relocated(answer: ProxiedAnswer, target: string, url: string): ProxiedAnswer {
  const { location } = answer.headers;
  return location?.startsWith(target) !== true ? answer : {
    ...answer,
    headers: { ...answer.headers, location: url + location.slice(target.length) },
  };
}

function give(response: ServerResponse, answer: ProxiedAnswer, length: number): void {
  response.writeHead(answer.status, headersOf(answer, length));
  response.end(answer.body);
}

function headersOf({ status, headers, body }: ProxiedAnswer, length: number): IncomingHttpHeaders {
  const { connection: _, "transfer-encoding": __, "content-length": said, ...kept } = headers;
  if (status === 204 || status === 304) return kept;
  // Where a fault has taken it away, the body comes in chunks.
  if ("content-length" in headers && said === undefined) return kept;
  // The answer to a HEAD speaks of a body that it has not.
  const isHead = body.length === 0 && said !== undefined;
  return { ...kept, "content-length": isHead ? said : String(length) };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
