import { loadNativeCrc32 } from "../builtins.ts";
import { useNativeCrc32 } from "../entry/checksum.ts";
import { CacheError } from "../errors.ts";
import { VersionClock } from "../entry/version.ts";
import { type CacheEvents, type CacheListener, EventHub } from "../observability/events.ts";
import type { CacheStats } from "../observability/stats.ts";
import { CacheBackendRegistry } from "../registry.ts";
import type { CacheBackend, Clock } from "../types.ts";
import { isBackend } from "./backend_shape.ts";
import { type CacheManagerOptions, resolveOptions } from "./cache_manager_options.ts";
import { Loads } from "./loads.ts";
import { Scope } from "./scope.ts";
import { assertOpen, type CacheCore, ScopedCache } from "./scoped_cache.ts";
import { assertPrefetchable, openPrefetcher } from "../warming/open_prefetcher.ts";
import { openSnapshots } from "../warming/open_snapshots.ts";
import { snapshotFiles } from "../warming/snapshot_files.ts";
import type { Snapshots } from "../warming/snapshots.ts";
import { type Sharing, sharingOf } from "./shared_tier.ts";
import { Tier } from "./tier.ts";
import { TierStack } from "./tier_stack.ts";

/**
 * A cache over several tiers: memory, local disk, and whatever else is plugged in.
 *
 * @example
 * ```ts
 * import { CacheManager } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [{ type: "memory", maxSizeMb: 64 }],
 *   defaultTtl: "1h",
 * });
 * await cache.set("user:1", { name: "Ada" });
 * console.assert((await cache.get<{ name: string }>("user:1"))?.name === "Ada");
 * const one = await cache.getOrSet("one", () => 1);
 * console.assert(one === 1);
 * ```
 */
export class CacheManager extends ScopedCache implements AsyncDisposable {
  readonly #core: CacheCore;
  readonly #events: EventHub;
  readonly #ending: AbortController;
  readonly #snapshots: Snapshots | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    core: CacheCore,
    events: EventHub,
    ending: AbortController,
    snapshots: Snapshots | undefined,
  ) {
    super(core, Scope.root);
    this.#ending = ending;
    this.#snapshots = snapshots;
    this.#core = core;
    this.#events = events;
  }

  /**
   * Opens the tiers. When one of them cannot be, those that it has opened are
   * closed again; ready-made backends stay their owner's.
   *
   * @param options the tiers and how values are written.
   * @throws {TypeError} for an option of a wrong type or an unknown name.
   * @throws {RangeError} for a number out of range.
   * @throws {CacheError} `"unavailable"` for a tier that cannot be opened here.
   */
  static async open(options: CacheManagerOptions): Promise<CacheManager> {
    const resolved = await resolveOptions(options);
    const events = new EventHub();
    const files = resolved.snapshot && await snapshotFiles("Cannot open cache");
    const backends: CacheBackend[] = [];
    const opened: CacheBackend[] = [];
    let sharing: Sharing;
    try {
      for (const { source } of resolved.tiers) {
        const isReady = isBackend(source);
        const backend = isReady ? source : await openBackend(source, resolved.clock, events);
        if (!isReady) opened.push(backend);
        backends.push(backend);
      }
      assertDistinctNames(backends);
      assertPrefetchable(resolved.prefetch, backends);
      sharing = sharingOf(backends, resolved.coordination);
    } catch (error) {
      await Promise.allSettled(opened.map(async (backend) => await backend.close?.()));
      throw error;
    }
    const { clock, random } = resolved;
    const versions = new VersionClock(clock);
    const tiers = backends.map((backend, at) =>
      new Tier(backend, resolved.tiers[at]!.limits, { clock, random, events, versions })
    );
    if (!tiers.every((tier) => tier.isInProcess)) {
      const native = await loadNativeCrc32();
      if (native !== undefined) useNativeCrc32(native);
    }
    const stack = new TierStack({ ...resolved, tiers, events, versions, sharing });
    const loads = new Loads(stack, resolved.measuresLoadCost);
    const { defaultTtl } = resolved;
    stack.instant.prefetcher = await openPrefetcher(resolved.prefetch, {
      stack,
      loads,
      events,
      defaultTtl,
    });
    const closing = new AbortController();
    const core = {
      stack,
      loads,
      defaultTtl,
      isClosed: false,
      closing: closing.signal,
    };
    const snapshots = resolved.snapshot && await openSnapshots(resolved.snapshot, files!, core, {
      events,
      random,
      isAlone: tiers.length === 1 && tiers[0]!.isInProcess && sharing.bus === undefined,
    });
    return new CacheManager(core, events, closing, snapshots);
  }

  /**
   * Listens to an event.
   *
   * @param listener must not be slow: it runs within the call that it tells of.
   * @returns a function that ends it.
   */
  on<E extends keyof CacheEvents>(event: E, listener: CacheListener<E>): () => void {
    return this.#events.on(event, listener);
  }

  /** What the cache and its tiers did and hold. */
  async getStats(): Promise<CacheStats> {
    assertOpen(this.#core, "read the statistics");
    const stats = await this.#core.stack.getStats();
    return this.#snapshots ? { ...stats, snapshot: this.#snapshots.getStats() } : stats;
  }

  /**
   * Makes a snapshot now, besides those of the timer and of {@linkcode CacheManager.close}.
   *
   * @throws {TypeError} when the cache was opened without `snapshot`.
   * @throws {CacheError} `"unsupported-format"` when what lies in its place is no snapshot of this version; it stays as it is.
   * @throws what the file system fails with; the last snapshot stays then.
   */
  async saveSnapshot(): Promise<void> {
    assertOpen(this.#core, "save a snapshot");
    if (this.#snapshots === undefined) {
      throw new TypeError("Cannot save a snapshot: the cache was opened without 'snapshot'");
    }
    await this.#snapshots.save();
  }

  /** Resolves when everything acknowledged so far is durable. */
  async flush(): Promise<void> {
    assertOpen(this.#core, "flush");
    await this.#core.stack.flush();
  }

  /** Drains and closes every tier. Calls after it fail; another `close` waits for the first. */
  close(): Promise<void> {
    this.#core.isClosed = true;
    this.#ending.abort(new CacheError("closed", "Cannot go on: cache is closed"));
    return this.#closing ??= this.#end().finally(() => this.#events.clear());
  }

  async #end(): Promise<void> {
    await this.#snapshots?.close();
    await this.#core.stack.close();
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function openBackend(
  config: { readonly type: string },
  clock: Clock,
  events: EventHub,
): Promise<CacheBackend> {
  let { type: name } = config;
  const backend = await CacheBackendRegistry.create({ ...config }, {
    clock,
    report: (report) => events.report(name, report),
  });
  ({ name } = backend);
  return backend;
}

function assertDistinctNames(backends: readonly CacheBackend[]): void {
  const names = backends.map((backend) => backend.name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new TypeError(
      `Cannot open cache: two tiers are named "${twice}": give one of them another 'name'`,
    );
  }
}
