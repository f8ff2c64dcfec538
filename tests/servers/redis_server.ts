import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { RespClient } from "./resp_client.ts";
import { freePorts, scratchFolder } from "./scratch.ts";
import { makeCertificates } from "./certificates.ts";

/** How long a server may take to come up, in milliseconds. */
const START_LIMIT_MS = 20_000;

/** Options of {@linkcode startRedis}. */
export interface RedisServerOptions {
  /** Asks for this password. @default none */
  readonly password?: string;
  /** Speaks TLS only, with a certificate of its own authority. @default false */
  readonly tls?: boolean;
  /** More lines of configuration, as arguments. */
  readonly args?: readonly string[];
  /** The port. @default a free one */
  readonly port?: number;
  /** Runs as a sentinel. @default false */
  readonly sentinelConfig?: string;
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
  #process: ChildProcess;

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
    this.#process = launch(command);
  }

  /** Waits until it answers. */
  async ready(): Promise<void> {
    const limit = Date.now() + START_LIMIT_MS;
    while (true) {
      const reply = await this.command("PING").catch((error) => String(error));
      if (reply === "PONG" || /no password|WRONGPASS|NOAUTH/.test(String(reply))) return;
      if (Date.now() > limit) throw new Error(`redis-server does not come up: ${String(reply)}`);
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
    this.#process.kill("SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  /** Kills it. Its data is gone. */
  async kill(): Promise<void> {
    this.#process.ref();
    const ended = exited(this.#process);
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Starts it again on its port, empty. */
  async restart(): Promise<void> {
    this.#process = launch(this.#command);
    await this.ready();
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    this.#remove();
  }
}

/** Starts a server in a folder of its own. It ends with this process at the latest. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { password, tls = false, args = [], sentinelConfig } = options;
  const port = options.port ?? (await freePorts(1))[0] as number;
  const { path, remove } = scratchFolder("redis");
  const folder = join(path, "data");
  mkdirSync(folder);
  const certificates = tls ? makeCertificates(path) : undefined;
  const command = [
    ...(sentinelConfig === undefined ? [] : [sentinelConfig]),
    ...(certificates === undefined ? ["--port", String(port)] : [
      ...["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", certificates.certFile, "--tls-key-file", certificates.keyFile],
      ...["--tls-ca-cert-file", certificates.caFile],
    ]),
    ...["--bind", "127.0.0.1", "--dir", folder, "--loglevel", "warning"],
    ...(sentinelConfig === undefined ? ["--save", "", "--appendonly", "no"] : ["--sentinel"]),
    ...(password === undefined ? [] : ["--requirepass", password]),
    ...args,
  ];
  const server = new RedisServer(port, command, { tls, password, ca: certificates?.ca }, remove);
  await server.ready();
  return server;
}

/** Starts a cluster of three primaries that share all slots. */
export async function startRedisCluster(): Promise<RedisServer[]> {
  // The bus of a node is 10,000 ports above it.
  const ports = await freePorts(3, 50_000);
  const nodes = await Promise.all(
    ports.map((port) =>
      startRedis({
        port,
        args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"],
      })
    ),
  );
  const share = Math.ceil(16_384 / nodes.length);
  for (const [at, node] of nodes.entries()) {
    const last = Math.min((at + 1) * share, 16_384) - 1;
    await node.command("CLUSTER", "ADDSLOTSRANGE", String(at * share), String(last));
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(at + 1));
    if (at > 0) await node.command("CLUSTER", "MEET", "127.0.0.1", String(ports[0]));
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
  for (const child of running) child.kill("SIGKILL");
});

function launch(args: readonly string[]): ChildProcess {
  const child = spawn("redis-server", args, { stdio: ["ignore", "ignore", "inherit"] });
  running.add(child);
  child.on("exit", () => running.delete(child));
  child.on("error", () => running.delete(child));
  // The test process must not wait for it.
  child.unref();
  return child;
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
