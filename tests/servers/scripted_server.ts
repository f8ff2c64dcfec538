import { Buffer } from "node:buffer";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A server that speaks as it is told to. */
export interface ScriptedServer {
  /** Where it is. */
  readonly url: string;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Starts a server that answers each command of Redis with what a function makes of it, byte for byte. */
export async function startScriptedServer(
  answer: (command: readonly string[]) => string,
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = "";
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      while (true) {
        const taken = takeCommand(received);
        if (taken === undefined) return;
        received = received.slice(taken.length);
        socket.write(Buffer.from(answer(taken.command), "latin1"));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The first whole command of what has come in. */
function takeCommand(received: string): { command: string[]; length: number } | undefined {
  const count = /^\*(\d+)\r\n/.exec(received);
  if (count === null) return undefined;
  const command: string[] = [];
  let at = count[0].length;
  for (let part = 0; part < Number(count[1]); part++) {
    const header = /^\$(\d+)\r\n/.exec(received.slice(at, at + 20));
    if (header === null) return undefined;
    const start = at + header[0].length;
    const end = start + Number(header[1]);
    if (received.length < end + 2) return undefined;
    command.push(received.slice(start, end));
    at = end + 2;
  }
  return { command, length: at };
}
