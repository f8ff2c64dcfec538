import { type Connect, connectToAny, connectWith, type SingleClient } from "./connect.ts";
import type { RedisClient, RedisTarget } from "./redis_config.ts";

/** Milliseconds for one attempt with a copy of a client that was given. */
const CONNECT_TIMEOUT_MS = 5000;

/** A client that can be copied, with its address and credentials. */
interface Duplicable {
  readonly options?: { readonly socket?: object };
  duplicate(overrides: object): SingleClient;
}

/**
 * How a bus connects to where a backend is: it needs a connection of its own,
 * to any one server.
 *
 * @throws {TypeError} when a client was given that cannot be copied.
 */
export function busConnect(target: RedisTarget | RedisClient): Connect {
  if ("kind" in target) return connectToAny(target);
  if ("nodeClient" in target) {
    return connectWith(async () => {
      const nodes = target.masters;
      if (nodes.length === 0) throw new Error("root nodes are not connected");
      return duplicate(await target.nodeClient(nodes[0]));
    }, CONNECT_TIMEOUT_MS);
  }
  if (!canDuplicate(target)) {
    throw new TypeError(
      "Cannot open bus: a client of sentinels cannot listen: give the backend a 'redisUrl' or another client",
    );
  }
  return connectWith(() => duplicate(target), CONNECT_TIMEOUT_MS);
}

function duplicate(client: object): SingleClient {
  const { options, duplicate } = client as Duplicable;
  return duplicate.call(client, {
    disableOfflineQueue: true,
    socket: { ...options?.socket, reconnectStrategy: false },
  });
}

function canDuplicate(client: object): boolean {
  return !("getSentinelNode" in client) &&
    typeof (client as Partial<Duplicable>).duplicate === "function";
}
