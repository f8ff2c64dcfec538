import { ConfigReader, show } from "../config.ts";
import type { InvalidationBus } from "../coordination/invalidation_bus.ts";
import type { LockProvider } from "../coordination/lock_provider.ts";
import type { Duration } from "./cache.ts";

/** How processes that share a store agree, and how tiers are brought what they missed. */
export interface CoordinationConfig {
  /**
   * Carries invalidations between processes. `"auto"`: the first backend that
   * can make one does; it is closed with the cache. One that is given stays its
   * owner's. `false`: faster tiers serve what they hold until it expires.
   *
   * @default {"auto"}
   */
  readonly bus?: "auto" | InvalidationBus | false | undefined;
  /**
   * The name of the first tier that others share; those before it are this
   * process's own and are told of changes by the bus.
   *
   * @default {the tier whose backend made the bus, else the first that compares versions, else the last that is not in memory}
   */
  readonly sharedTier?: string | undefined;
  /**
   * Hands out locks, so that one process at a time loads a key for all that
   * share the store. `"auto"`: the backend that makes the bus does, if it can.
   * `false`: each process loads for itself, as all do while the service fails.
   *
   * @default {"auto"}
   */
  readonly locks?: "auto" | LockProvider | false | undefined;
  /** After what time a process that is frozen or gone while it loads is replaced. Renewed as long as its loader runs. @default {10} */
  readonly lockLease?: Duration | undefined;
  /** The longest time between two tries to bring a tier, or others, what they missed. @default {2} */
  readonly recoveryPeriod?: Duration | undefined;
  /** The most writes, deletes and clears that wait for a tier that is down. @default {100000} */
  readonly maxIntents?: number | undefined;
  /** The most bytes that they take, as a number or as `"64MB"`. @default {"64MB"} */
  readonly maxIntentBytes?: number | string | undefined;
  /**
   * What becomes of what faster tiers hold when messages may have been missed:
   * at the first connection of the bus, and after each loss. `"keep"` is for
   * values that never change under their key.
   *
   * @default {"drop"}
   */
  readonly whenMissed?: "drop" | "keep" | undefined;
}

/** A {@linkcode CoordinationConfig} that has been checked; times in milliseconds. */
export interface CoordinationOptions {
  readonly bus: "auto" | InvalidationBus | false;
  readonly sharedTier: string | undefined;
  readonly locks: "auto" | LockProvider | false;
  readonly lockLease: number;
  readonly recoveryPeriod: number;
  readonly maxIntents: number;
  readonly maxIntentBytes: number;
  readonly whenMissed: "drop" | "keep";
}

const FIELDS: readonly (keyof CoordinationConfig)[] = [
  "bus",
  "sharedTier",
  "locks",
  "lockLease",
  "recoveryPeriod",
  "maxIntents",
  "maxIntentBytes",
  "whenMissed",
];

const DEFAULT_LEASE_MS = 10_000;
const DEFAULT_PERIOD_MS = 2000;
const DEFAULT_MAX_INTENTS = 100_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Checks how a cache is to be coordinated.
 *
 * @param subject begins the message of an error.
 * @throws {TypeError} for a wrong type or an unknown field.
 * @throws {RangeError} for a number out of range.
 */
export function readCoordination(subject: string, config: unknown): CoordinationOptions {
  const inside = `${subject}: 'coordination'`;
  const reader = new ConfigReader(inside, config ?? {}, FIELDS);
  const bus = reader.raw("bus") ?? "auto";
  if (bus !== "auto" && bus !== false && !isBus(bus)) {
    throw new TypeError(
      `${inside}: 'bus' must be "auto", false or an InvalidationBus: current value is ${show(bus)}`,
    );
  }
  const locks = reader.raw("locks") ?? "auto";
  if (locks !== "auto" && locks !== false && !isLocks(locks)) {
    throw new TypeError(
      `${inside}: 'locks' must be "auto", false or a LockProvider: current value is ${show(locks)}`,
    );
  }
  return {
    bus,
    sharedTier: reader.string("sharedTier"),
    locks,
    lockLease: reader.duration("lockLease") ?? DEFAULT_LEASE_MS,
    recoveryPeriod: reader.duration("recoveryPeriod") ?? DEFAULT_PERIOD_MS,
    maxIntents: reader.integer("maxIntents", { min: 1 }) ?? DEFAULT_MAX_INTENTS,
    maxIntentBytes: reader.bytes("maxIntentBytes") ?? DEFAULT_MAX_BYTES,
    whenMissed: reader.oneOf("whenMissed", ["drop", "keep"] as const) ?? "drop",
  };
}

function isBus(value: unknown): value is InvalidationBus {
  const bus = value as Partial<InvalidationBus> | null;
  return typeof bus === "object" && bus !== null && typeof bus.publish === "function" &&
    typeof bus.subscribe === "function" && typeof bus.name === "string";
}

function isLocks(value: unknown): value is LockProvider {
  const locks = value as Partial<LockProvider> | null;
  return typeof locks === "object" && locks !== null && typeof locks.acquire === "function" &&
    typeof locks.name === "string";
}
