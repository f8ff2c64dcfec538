import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { RespClient } from "./resp_client.ts";
import { freePort, scratchFolder } from "./scratch.ts";
import { makeCertificates } from "./certificates.ts";

/** How long a server may take to come up, in milliseconds. */
const START_LIMIT_MS = 20_000;

/** Times that another port is tried. */
const ATTEMPTS = 5;

/** Nodes of a cluster talk to one another so many ports above their own. */
const CLUSTER_BUS_OFFSET = 10_000;

/** Options of {@linkcode startRedis}. */
export interface RedisServerOptions {
  /** Asks for this password. @default none */
  readonly password?: string;
  /** Speaks TLS only, with a certificate of its own authority. @default false */
  readonly tls?: boolean;
  /** More lines of configuration, as arguments. */
  readonly args?: readonly string[];
  /** Whether it is to be a node of a cluster. @default false */
  readonly cluster?: boolean;
}

/** A server that runs. */
export class RedisServer {
  readonly port: number;
  /** Where it is, without credentials. */
  readonly url: string;
  /** The certificate of its authority, if it speaks TLS. */
  readonly ca: string | undefined;
  readonly #command: readonly string[];
  readonly #password: string | undefined;
  readonly #remove: () => void;
  #process!: ChildProcess;
  #ended!: Promise<void>;
  #isOver = false;

  constructor(
    port: number,
    command: readonly string[],
    { tls, password, ca }: { tls: boolean; password: string | undefined; ca: string | undefined },
    remove: () => void,
  ) {
    this.port = port;
    this.url = `${tls ? "rediss" : "redis"}://127.0.0.1:${port}`;
    this.ca = ca;
    this.#command = command;
    this.#password = password;
    this.#remove = remove;
    this.#launch();
  }

  /** Waits until it answers. */
  async ready(): Promise<void> {
    const limit = Date.now() + START_LIMIT_MS;
    while (true) {
      const reply = await this.command("PING").catch((error) => String(error));
      if (reply === "PONG" || /no password|WRONGPASS|NOAUTH/.test(String(reply))) return;
      if (this.#isOver || Date.now() > limit) {
        throw new Error(`redis-server does not come up: ${String(reply)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sends one command on a connection of its own. */
  async command(...args: (string | Uint8Array)[]): Promise<unknown> {
    const client = await RespClient.connect(this.port, this.ca);
    try {
      if (this.#password !== undefined) await client.command("AUTH", this.#password);
      return await client.command(...args);
    } finally {
      client.close();
    }
  }

  /** Stops it in its tracks: connections stay, nothing is answered. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    this.#signal("SIGCONT");
  }

  /** Kills it. Its data is gone. */
  async kill(): Promise<void> {
    this.#process.ref();
    this.#signal("SIGKILL");
    await this.#ended;
  }

  /** Starts it again on its port, empty. */
  async restart(): Promise<void> {
    this.#launch();
    await this.ready();
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    this.#remove();
  }

  #launch(): void {
    const child = spawn("redis-server", this.#command, { stdio: ["ignore", "ignore", "inherit"] });
    running.add(child);
    this.#isOver = false;
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        running.delete(child);
        this.#isOver = true;
        resolve();
      };
      child.once("exit", end).once("error", end);
    });
    // The test process must not wait for it.
    child.unref();
    this.#process = child;
  }

  /** Not by kill() of the child: Deno's takes one that was stopped for dead. */
  #signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    const { pid } = this.#process;
    if (this.#isOver || pid === undefined) return;
    process.kill(pid, signal);
  }
}

/** Starts a server in a folder of its own. It ends with this process at the latest. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  for (let attempt = 1;; attempt++) {
    const server = await prepare(options);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server.stop();
      // Another process may have taken the port meanwhile.
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function prepare(options: RedisServerOptions): Promise<RedisServer> {
  const { password, tls = false, cluster = false, args = [] } = options;
  const port = await freePort(cluster ? CLUSTER_BUS_OFFSET : 0);
  const { path, remove } = scratchFolder("redis");
  const folder = join(path, "data");
  mkdirSync(folder);
  const certificates = tls ? makeCertificates(path) : undefined;
  const command = [
    ...(certificates === undefined ? ["--port", String(port)] : [
      ...["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", certificates.certFile, "--tls-key-file", certificates.keyFile],
      ...["--tls-ca-cert-file", certificates.caFile],
    ]),
    ...["--bind", "127.0.0.1", "--dir", folder, "--loglevel", "warning"],
    ...["--save", "", "--appendonly", "no"],
    ...(cluster ? ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"] : []),
    ...(password === undefined ? [] : ["--requirepass", password]),
    ...args,
  ];
  return new RedisServer(port, command, { tls, password, ca: certificates?.ca }, remove);
}

/** Starts a cluster of three primaries that share all slots. */
export async function startRedisCluster(): Promise<RedisServer[]> {
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis({ cluster: true })));
  const share = Math.ceil(16_384 / nodes.length);
  for (const [at, node] of nodes.entries()) {
    const last = Math.min((at + 1) * share, 16_384) - 1;
    await node.command("CLUSTER", "ADDSLOTSRANGE", String(at * share), String(last));
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(at + 1));
    if (at > 0) await node.command("CLUSTER", "MEET", "127.0.0.1", String(nodes[0]?.port));
  }
  const limit = Date.now() + START_LIMIT_MS;
  for (const node of nodes) {
    while (true) {
      const info = String(await node.command("CLUSTER", "INFO"));
      if (/cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info)) break;
      if (Date.now() > limit) throw new Error(`the cluster does not come up: ${info}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return nodes;
}

/** Starts a sentinel that watches over a server as "primary". */
export async function startSentinel(primary: RedisServer): Promise<RedisServer> {
  const { path, remove } = scratchFolder("sentinel");
  const file = join(path, "sentinel.conf");
  const port = await freePort();
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${path}`,
    "loglevel warning",
    `sentinel monitor primary 127.0.0.1 ${primary.port} 1`,
    "sentinel down-after-milliseconds primary 500",
    "sentinel failover-timeout primary 2000",
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const about = { tls: false, password: undefined, ca: undefined };
  const sentinel = new RedisServer(port, [file, "--sentinel"], about, remove);
  await sentinel.ready();
  return sentinel;
}

/** Whether the program is on this machine. */
export function hasRedis(): boolean {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(pid, "SIGKILL");
});
