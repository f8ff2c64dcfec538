import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A reply of Redis: bytes where it has strings, text for a status, `Error` for an error. */
export type Reply = Buffer | string | number | null | Error | Reply[];

/** A client as small as tests need, apart from the one that is tested. RESP2. */
export class RespClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  readonly #waiting: {
    resolve: (reply: Reply) => void;
    reject: (error: Error) => void;
  }[] = [];
  /** Is given what nobody waits for: messages of a subscription. */
  onMessage: (reply: Reply) => void = () => {};
  /** Is called once when the connection is over. */
  onClose: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("connection is closed"));
      this.onClose();
    });
  }

  /** Connects to this machine. */
  static connect(port: number, ca?: string): Promise<RespClient> {
    return new Promise((resolve, reject) => {
      const ready = (): void => {
        socket.off("error", reject);
        resolve(new RespClient(socket));
      };
      const socket: Socket = ca === undefined
        ? connect({ port, host: "127.0.0.1" }, ready)
        : connectTls({ port, host: "127.0.0.1", ca }, ready);
      socket.once("error", reject);
    });
  }

  /** Sends a command. Strings of the reply become text. @throws the error that the server replies. */
  async command(...args: (string | Uint8Array)[]): Promise<unknown> {
    const reply = await this.raw(...args);
    if (reply instanceof Error) throw reply;
    return Buffer.isBuffer(reply) ? reply.toString() : reply;
  }

  /** Sends a command. An error reply is a value like others. */
  raw(...args: (string | Uint8Array)[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const parts = [Buffer.from(`*${args.length}\r\n`)];
      for (const arg of args) {
        const bytes = typeof arg === "string" ? Buffer.from(arg) : Buffer.from(arg);
        parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
      }
      this.#socket.write(Buffer.concat(parts));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (true) {
      const parsed = parse(this.#received, 0);
      if (parsed === undefined) return;
      this.#received = this.#received.subarray(parsed.end);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.onMessage(parsed.reply);
      else waiting.resolve(parsed.reply);
    }
  }
}

function parse(bytes: Buffer, start: number): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString("utf8", start + 1, lineEnd);
  const next = lineEnd + 2;
  switch (bytes[start]) {
    case 0x2b:
      return { reply: line, end: next };
    case 0x2d:
      return { reply: new Error(line), end: next };
    case 0x3a:
      return { reply: Number(line), end: next };
    case 0x24: {
      const length = Number(line);
      if (length < 0) return { reply: null, end: next };
      if (bytes.length < next + length + 2) return undefined;
      return { reply: bytes.subarray(next, next + length), end: next + length + 2 };
    }
    case 0x2a: {
      if (Number(line) < 0) return { reply: null, end: next };
      const items: Reply[] = [];
      let end = next;
      for (let at = 0; at < Number(line); at++) {
        const item = parse(bytes, end);
        if (item === undefined) return undefined;
        items.push(item.reply);
        end = item.end;
      }
      return { reply: items, end };
    }
    default:
      throw new Error(`unknown type of reply ${bytes[start]}`);
  }
}
