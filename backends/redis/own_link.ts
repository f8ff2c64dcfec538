import type { BackendContext } from "../../src/types.ts";
import type { Random } from "../_back_off.ts";
import { busConnect } from "./bus_connect.ts";
import { connectTo } from "./connect.ts";
import type { RedisSettings } from "./redis_config.ts";
import { RedisLink } from "./redis_link.ts";

/** The link of a backend to where it was told to connect, `undefined` where a client was given. */
export function backendLink(
  { name, target, invalidation }: RedisSettings,
  context: BackendContext,
  random: Random,
): RedisLink | undefined {
  if (!("kind" in target)) return undefined;
  const link = new RedisLink({
    backend: name,
    connect: connectTo(target, { tracking: invalidation === "tracking" }),
    canMove: target.kind === "sentinel",
    clock: context.clock,
    random,
  });
  link.observe({
    connected: async () => {},
    lost: (error) => context.report({ kind: "error", error }),
  });
  return link;
}

/** A link for a bus alone. */
export function busLink(
  { name, target }: RedisSettings,
  context: BackendContext,
  random: Random,
): RedisLink {
  return new RedisLink({
    backend: name,
    connect: busConnect(target),
    clock: context.clock,
    random,
  });
}
