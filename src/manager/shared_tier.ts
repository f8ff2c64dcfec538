import type { InvalidationBus, InvalidationBusSource } from "../coordination/invalidation_bus.ts";
import type { LockProvider, LockProviderSource } from "../coordination/lock_provider.ts";
import type { CacheBackend } from "../types.ts";
import type { CoordinationOptions } from "./coordination_options.ts";

/** How a cache is tied to others. */
export interface Sharing {
  /** The place of the first tier that others share; -1 where there is none. */
  readonly place: number;
  /** Carries invalidations. */
  readonly bus: InvalidationBus | undefined;
  /** Whether the bus was made here, and is to be closed here. */
  readonly ownsBus: boolean;
  /** Hands out locks. */
  readonly locks: LockProvider | undefined;
}

/**
 * Finds the tier that others share, and the bus.
 *
 * @throws {TypeError} when there is no tier of the name that was given, or its backend cannot make the bus.
 */
export function sharingOf(
  backends: readonly CacheBackend[],
  { bus, sharedTier, locks }: CoordinationOptions,
): Sharing {
  const source = backends.findIndex(makesBus);
  const isAuto = bus === "auto" && source >= 0;
  const named = sharedTier === undefined
    ? undefined
    : backends.findIndex(({ name }) => name === sharedTier);
  if (named === -1) {
    throw new TypeError(
      `Cannot open cache: 'coordination': 'sharedTier' is "${sharedTier}": no tier has that name`,
    );
  }
  const versioned = backends.findIndex((backend) => backend.setNewest !== undefined);
  const last = backends.findLastIndex((backend) => backend.getSync === undefined);
  return {
    place: named ?? (isAuto ? source : versioned >= 0 ? versioned : last),
    bus: isAuto ? busOf(backends[source]!) : bus === "auto" || bus === false ? undefined : bus,
    ownsBus: isAuto,
    locks: locks === "auto"
      ? locksOf(isAuto ? backends[source] : undefined)
      : locks === false
      ? undefined
      : locks,
  };
}

/** @throws {TypeError} that says what to do where the backend was not given what a bus needs, such as an address besides a client. */
function busOf(backend: CacheBackend): InvalidationBus {
  try {
    return (backend as unknown as InvalidationBusSource).createInvalidationBus();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(
      `Cannot open cache: tier "${backend.name}" cannot carry invalidations: ${error.message}: give it that, or 'coordination' a 'bus' of your own, or false for none`,
      { cause: error },
    );
  }
}

function locksOf(backend: CacheBackend | undefined): LockProvider | undefined {
  return (backend as Partial<LockProviderSource> | undefined)?.createLockProvider?.();
}

function makesBus(backend: CacheBackend): boolean {
  return typeof (backend as Partial<InvalidationBusSource>).createInvalidationBus === "function";
}
