import { show } from "../config.ts";
import type { Invalidation } from "../coordination/invalidation_bus.ts";
import { nearestName } from "../nearest_name.ts";
import type { BackendReport } from "../types.ts";
import type { PrefetchChange } from "../warming/prefetcher.ts";

/** What a write did in one tier. */
export interface TierOutcome {
  /** The tier. */
  readonly tier: string;
  /**
   * `stored`; `declined` because the entry is too large for the tier; `outdated`
   * because another process has written or deleted a newer version; `failed`,
   * told as `tierError` too.
   */
  readonly outcome: "stored" | "declined" | "outdated" | "failed";
}

/** The events of a cache and what their listeners get. Keys are as the tiers know them, with the namespace. */
export interface CacheEvents {
  /** A read found its key. */
  readonly hit: { readonly key: string; readonly tier: string };
  /** A read found nothing. */
  readonly miss: { readonly key: string };
  /** A write has ended in every tier. */
  readonly write: { readonly key: string; readonly outcomes: readonly TierOutcome[] };
  /** A key was deleted. */
  readonly delete: { readonly key: string };
  /** Keys were cleared; `pattern` is absent for all of them. */
  readonly clear: { readonly pattern: string | undefined; readonly removed: number };
  /** An entry was copied into a faster tier. */
  readonly promotion: { readonly key: string; readonly from: string; readonly to: string };
  /** A stream has ended. */
  readonly stream: {
    readonly key: string;
    readonly direction: "read" | "write";
    /** The tier that is read from. */
    readonly tier: string | undefined;
    /** Bytes of the value that were moved. */
    readonly bytes: number;
    /** `cancelled`: the reader wanted no more. */
    readonly result: "done" | "failed" | "cancelled";
  };
  /** A loader made a value. */
  readonly load: { readonly key: string };
  /** A loader failed. */
  readonly loadError: { readonly key: string; readonly error: unknown };
  /** `getOrSet` gave a value that is fresh no more; `error` is what its loader failed with, if it has. */
  readonly stale: { readonly key: string; readonly error: unknown };
  /** The lock service failed or did not answer in time; the process loads for itself. */
  readonly lockError: { readonly locks: string; readonly key: string; readonly error: unknown };
  /** A lock was lost while its loader ran, as when the process was frozen; another process may load too. */
  readonly lockLost: { readonly locks: string; readonly key: string; readonly fence: number };
  /** A tier failed or did not answer in time; the call went on without it. */
  readonly tierError: {
    readonly tier: string;
    readonly operation: string;
    readonly key: string | undefined;
    readonly error: unknown;
  };
  /** A tier failed so often, or hung, that it is not asked any more until it answers a probe. */
  readonly tierDown: { readonly tier: string; readonly error: unknown };
  /** A tier that was down has answered a probe and is asked again. */
  readonly tierUp: { readonly tier: string; readonly downMs: number };
  /** A write, delete or clear has not come to every tier, and is kept until it can. `key` is the pattern of a clear. */
  readonly recoveryQueued: { readonly kind: "set" | "delete" | "clear"; readonly key: string };
  /** What was kept has come to every tier, or something newer has. */
  readonly recoveryReplayed: { readonly kind: "set" | "delete" | "clear"; readonly key: string };
  /** What was kept has been given up: there was too much of it, or the cache is closed. */
  readonly recoveryDropped: {
    readonly kind: "set" | "delete" | "clear";
    readonly key: string;
    readonly reason: "count" | "bytes" | "closed";
  };
  /** Another process has changed something. */
  readonly invalidation: Invalidation;
  /** Messages of other processes arrive from now on. */
  readonly busUp: { readonly bus: string };
  /** Messages of other processes may be missed from now on. */
  readonly busDown: { readonly bus: string; readonly error: unknown };
  /** Others could not be told what has changed; it is tried again. */
  readonly busError: { readonly bus: string; readonly error: unknown };
  /** A damaged or foreign record, or one that cannot be decoded here, was taken for a miss. */
  readonly corrupt: {
    readonly tier: string;
    readonly key: string | undefined;
    readonly error: unknown;
  };
  /** Entries left a tier to keep it within its limit. */
  readonly evict: { readonly tier: string; readonly count: number };
  /** Fetching ahead was begun or ended by itself. */
  readonly prefetch: PrefetchChange;
  /** A snapshot was made, or brought back as far as it could be; `keys` are those that it has, or that are in memory now. */
  readonly snapshot: {
    readonly operation: "save" | "restore";
    readonly path: string;
    readonly keys: number;
  };
  /**
   * A snapshot could not be made, and the last one stays; or the file holds
   * none that can be brought back as a whole. One of another version stays as it is.
   */
  readonly snapshotError: {
    readonly operation: "save" | "restore";
    readonly path: string;
    readonly error: unknown;
  };
  /** A listener threw; told only to listeners of this event. */
  readonly listenerError: { readonly event: string; readonly error: unknown };
}

/** A record, so that the compiler tells of a name that is missing here. */
const EVENT_NAMES: Readonly<Record<keyof CacheEvents, true>> = {
  hit: true,
  miss: true,
  write: true,
  delete: true,
  clear: true,
  promotion: true,
  stream: true,
  load: true,
  loadError: true,
  stale: true,
  lockError: true,
  lockLost: true,
  tierError: true,
  tierDown: true,
  tierUp: true,
  recoveryQueued: true,
  recoveryReplayed: true,
  recoveryDropped: true,
  invalidation: true,
  busUp: true,
  busDown: true,
  busError: true,
  corrupt: true,
  evict: true,
  prefetch: true,
  snapshot: true,
  snapshotError: true,
  listenerError: true,
};

/** Takes the details of an event. */
export type CacheListener<E extends keyof CacheEvents> = (details: CacheEvents[E]) => void;

/** Listeners by event. A listener that throws harms nobody. */
export class EventHub {
  readonly #listeners = new Map<keyof CacheEvents, Set<(details: never) => void>>();

  /**
   * Adds a listener.
   *
   * @returns a function that removes it.
   * @throws {TypeError} when there is no such event, or the listener is no function.
   */
  on<E extends keyof CacheEvents>(event: E, listener: CacheListener<E>): () => void {
    if (!Object.hasOwn(EVENT_NAMES, event)) {
      const hint = typeof event === "string" ? nearestName(event, Object.keys(EVENT_NAMES)) : "";
      throw new TypeError(`Cannot listen to ${show(event)}: there is no such event${hint}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(
        `Cannot listen to ${show(event)}: listener must be a function: current value is ${
          show(listener)
        }`,
      );
    }
    let listeners = this.#listeners.get(event);
    if (listeners === undefined) this.#listeners.set(event, listeners = new Set());
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(event) === listeners) {
        this.#listeners.delete(event);
      }
    };
  }

  /** Whether anybody listens, so that details need not be made for nobody. */
  has(event: keyof CacheEvents): boolean {
    return this.#listeners.has(event);
  }

  /** Tells every listener of an event. */
  emit<E extends keyof CacheEvents>(event: E, details: CacheEvents[E]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      try {
        const result: unknown = (listener as CacheListener<E>)(details);
        // An async function is a listener too, and must not end the process.
        if (result instanceof Promise) result.catch((error) => this.#listenerFailed(event, error));
      } catch (error) {
        this.#listenerFailed(event, error);
      }
    }
  }

  /** Passes on what a backend reports. */
  report(tier: string, { kind, key, count, error }: BackendReport): void {
    switch (kind) {
      case "corrupt":
        return this.emit("corrupt", { tier, key, error });
      case "error":
        return this.emit("tierError", { tier, operation: "background", key, error });
      case "evict":
        return this.emit("evict", { tier, count: count ?? 1 });
    }
  }

  /** Removes every listener. */
  clear(): void {
    this.#listeners.clear();
  }

  #listenerFailed(event: keyof CacheEvents, error: unknown): void {
    if (event !== "listenerError") this.emit("listenerError", { event, error });
  }
}
