import type { Buffer } from "node:buffer";
import { createClient, createCluster } from "redis";
import type { Clock } from "../../src/types.ts";
import { ClusterConnection, type RedisConnection, SingleConnection } from "./connection.ts";
import type { ByteReplies } from "./client_like.ts";
import type { RedisTarget } from "./redis_config.ts";
import { backOff, type Random } from "../_back_off.ts";

/** What is used of a client of one server. */
export interface SingleClient {
  /** Whether commands can be sent. */
  readonly isReady: boolean;
  /** Sends one command. */
  sendCommand(args: (string | Buffer)[], options?: ByteReplies): Promise<unknown>;
  /** Listens to a channel. */
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  /** Ends listening. */
  unsubscribe(channel: string, listener: (message: string) => void): Promise<void>;
  /** Listens to `error` and `invalidate`. */
  on(event: string, listener: (detail: unknown) => void): unknown;
  /** Opens the connection. */
  connect(): Promise<unknown>;
  /** Ends it. */
  destroy(): void;
}

/** A connection that is open, and what ends it. */
export interface OpenConnection {
  /** Takes commands. */
  readonly connection: RedisConnection;
  /** The client, where the connection is to one server. */
  readonly client: SingleClient | undefined;
  /** Ends it at once; what waits for an answer fails. */
  destroy(): void;
}

/** One attempt to connect. */
export interface Attempt {
  /** Times it. */
  readonly clock: Clock;
  /** Spreads the attempts of a cluster's nodes. */
  readonly random: Random;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called when the connection is lost; what waits for an answer has failed. Not for a cluster, which mends itself. */
  readonly onLost: (error: Error) => void;
}

/** Opens a connection, once. It throws what the client says, or a timeout. */
export type Connect = (attempt: Attempt) => Promise<OpenConnection>;

/** A server without TLS waits for the end of what it takes for a command. */
const NO_TLS = "no TLS handshake";

/** Topology is looked up again when a node has been away for so long, in milliseconds. */
const TOPOLOGY_DELAY_MS = 500;

/** How to connect to what a config names. With `tracking` the client emits `invalidate`. */
export function connectTo(target: RedisTarget, { tracking = false } = {}): Connect {
  if (target.kind === "cluster") return (attempt) => connectCluster(target, attempt);
  return async (attempt) => {
    const address = target.kind === "sentinel"
      ? await findPrimary(target, attempt)
      : target.hosts[0] as Address;
    const client = createSingleClient(target, address, target, { tracking });
    await openInTime(client, target, attempt);
    return watch(client, attempt);
  };
}

/** How to connect to any one server of a target, which is enough to hear what is published. */
export function connectToAny(target: RedisTarget): Connect {
  if (target.kind !== "cluster") return connectTo(target);
  return async (attempt) => {
    let failure: unknown;
    for (const address of target.hosts) {
      const client = createSingleClient(target, address, target);
      try {
        await openInTime(client, target, attempt);
        return watch(client, attempt);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
}

/** How to connect with a client of the caller's making that has not been used. */
export function connectWith(
  create: () => SingleClient | Promise<SingleClient>,
  connectTimeout: number,
): Connect {
  return async (attempt) => {
    const client = await create();
    client.on("error", () => {});
    await openInTime(client, { connectTimeout, tls: false }, attempt);
    return watch(client, attempt);
  };
}

/** Has the loss of a connection told, once. */
function watch(client: SingleClient, { onLost }: Attempt): OpenConnection {
  let isOver = false;
  const end = (error: Error): void => {
    if (isOver) return;
    isOver = true;
    client.destroy();
    onLost(error);
  };
  client.on("error", (error) => end(error as Error));
  // It may have been lost before anybody listened.
  if (!client.isReady) queueMicrotask(() => end(new Error("Socket closed")));
  return {
    connection: new SingleConnection(client),
    client,
    destroy: () => {
      isOver = true;
      client.destroy();
    },
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Credentials {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** What every connection has in common. */
function common(target: RedisTarget, { username, password }: Credentials) {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    RESP: 3 as const,
    disableOfflineQueue: true,
    commandsQueueMaxLength: target.maxPending,
    // Deadlines are the caller's; a timer for each command costs more than the command.
    commandOptions: { timeout: 0 },
    maintNotifications: "disabled" as const,
  };
}

function socketOf(target: RedisTarget) {
  const { tls, tlsConfig, connectTimeout } = target;
  // Later than ours, which knows more.
  return {
    connectTimeout: connectTimeout * 2,
    ...(tls && { ...tlsConfig as { ca?: Buffer }, tls: true as const }),
  };
}

// deno-lint-ignore explicit-function-return-type -- the client's own type, which has no short name
function createSingleClient(
  target: RedisTarget,
  { host, port }: Address,
  credentials: Credentials,
  { tracking = false, database = target.database } = {},
) {
  const servername = target.tls && !("servername" in target.tlsConfig) && !isIp(host)
    ? { servername: host }
    : {};
  const client = createClient({
    ...common(target, credentials),
    ...(database !== 0 && { database }),
    ...(tracking && { emitInvalidate: true }),
    socket: { ...servername, ...socketOf(target), host, port, reconnectStrategy: false },
  });
  // An error event that nobody hears would end the process.
  client.on("error", () => {});
  return client;
}

async function connectCluster(target: RedisTarget, attempt: Attempt): Promise<OpenConnection> {
  const cluster = createCluster({
    rootNodes: target.hosts.map((address) => ({ socket: { ...address } })),
    defaults: {
      ...common(target, target),
      socket: {
        ...socketOf(target),
        reconnectStrategy: (attempts: number) => backOff(attempts, attempt.random),
      },
    },
    RESP: 3,
    commandOptions: { timeout: 0 },
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_DELAY_MS,
  });
  cluster.on("error", () => {});
  await openInTime(cluster, target, attempt);
  return {
    connection: new ClusterConnection(cluster),
    client: undefined,
    destroy: () => cluster.destroy(),
  };
}

/** Asks the sentinels, one after another, where the primary is. */
async function findPrimary(target: RedisTarget, attempt: Attempt): Promise<Address> {
  let failure = new Error("Cannot find node: no sentinel answers");
  for (const address of target.hosts) {
    const credentials = { username: target.sentinelUsername, password: target.sentinelPassword };
    const client = createSingleClient(target, address, credentials, { database: 0 });
    try {
      await openInTime(client, target, attempt);
      const reply: unknown = await client.sendCommand([
        "SENTINEL",
        "GET-MASTER-ADDR-BY-NAME",
        target.primary ?? "",
      ]);
      if (Array.isArray(reply)) return { host: String(reply[0]), port: Number(reply[1]) };
      failure = new Error("Cannot find node: the sentinels know no such primary");
    } catch (error) {
      failure = error as Error;
    } finally {
      client.destroy();
    }
  }
  throw failure;
}

/** The client's own limit ends with the TCP handshake: a server that hangs never greets. */
function openInTime(
  client: Pick<SingleClient, "connect" | "destroy" | "on">,
  { connectTimeout, tls }: { readonly connectTimeout: number; readonly tls: boolean },
  { clock, signal }: Attempt,
): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    let isGivenUp = false;
    const giveUp = (reason: unknown): void => {
      finish();
      isGivenUp = true;
      client.destroy();
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal.reason);
    const finish = (): void => {
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
    };
    let isGreeting = !tls;
    client.on("connect", () => isGreeting = true);
    const cancelTimer = clock.schedule(
      () => giveUp(new Error(isGreeting ? "Connection timeout" : NO_TLS)),
      connectTimeout,
    );
    signal.addEventListener("abort", onAbort);
    client.connect().then(() => {
      finish();
      // One that was given up in its first steps comes up nevertheless.
      if (isGivenUp) client.destroy();
      else resolve();
    }, (error) => {
      finish();
      client.destroy();
      reject(error);
    });
  });
}

function isIp(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(":");
}
