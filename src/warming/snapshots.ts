import type { CacheEntry } from "../entry/entry.ts";
import { CacheError, isCacheError } from "../errors.ts";
import type { EventHub } from "../observability/events.ts";
import type { TierStack } from "../manager/tier_stack.ts";
import { Changes, type ChangeWatcher } from "./changes.ts";
import type { SnapshotFiles } from "./snapshot_files.ts";
import { encodeSnapshot } from "./snapshot_content.ts";
import type { ResolvedSnapshotOptions } from "./snapshot_options.ts";
import { type RestoredSnapshot, restoreSnapshot } from "./snapshot_restore.ts";
import type { WarmReport } from "./warm_options.ts";

/** What was done with snapshots since the cache was opened. */
export interface SnapshotStats {
  /** Entries that were brought back with their values, and keys that were from slower tiers. */
  readonly restored: number;
  /** Entries and keys that were not: over, changed since, in no tier, without room. */
  readonly skipped: number;
  /** Snapshots that were made. */
  readonly saves: number;
  /** Those that failed. */
  readonly failures: number;
  /** When the last one was made, epoch milliseconds. */
  readonly savedAt: number | undefined;
  /** Bytes of the last one. */
  readonly savedBytes: number;
}

/** What snapshots work with. */
export interface SnapshotsParts {
  readonly options: ResolvedSnapshotOptions;
  readonly files: SnapshotFiles;
  readonly stack: TierStack;
  readonly random: () => number;
  readonly events: EventHub;
  /** Whether memory is all there is, so that it alone knows the values. */
  readonly isAlone: boolean;
  /** Brings keys in from slower tiers. */
  readonly warmKeys: (keys: readonly string[]) => Promise<WarmReport>;
}

/** Keeps what memory holds in a file, so that a process starts warm. */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  #changes: { readonly id: number; readonly changes: Changes } | undefined;
  /** Keys that are still to be brought back: they belong into a snapshot that is made before. */
  #unrestored: readonly string[] = [];
  #isForeign = false;
  #isClosed = false;
  #saving: Promise<void> = Promise.resolve();
  #warming: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #restored = 0;
  #skipped = 0;
  #saves = 0;
  #failures = 0;
  #savedAt: number | undefined;
  #savedBytes = 0;

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
  }

  /** Brings back what the file holds, as far as it can be believed, and makes a snapshot now and then. */
  async open(): Promise<void> {
    const { options, stack } = this.#parts;
    const found = await this.#read();
    if (found !== undefined) {
      this.#note(found);
      if (options.restore !== false) {
        stack.instant.prefetcher?.restore(found.rows);
        if (found.keys.length > 0) this.#warming = this.#warm(found.keys);
      }
    }
    if (options.restore === "await") await this.#warming;
    this.#schedule();
  }

  /** What was done so far. */
  getStats(): SnapshotStats {
    return {
      restored: this.#restored,
      skipped: this.#skipped,
      saves: this.#saves,
      failures: this.#failures,
      savedAt: this.#savedAt,
      savedBytes: this.#savedBytes,
    };
  }

  /**
   * Makes a snapshot.
   *
   * @throws {CacheError} `"unsupported-format"` when the file is not one of this version; it stays as it is.
   * @throws what the file system fails with; the last snapshot stays then.
   */
  save(): Promise<void> {
    const saving = this.#saving.then(() => this.#save());
    this.#saving = saving.catch(() => {});
    return saving;
  }

  /** Makes the last one. Never fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#warming;
    await this.save().catch(() => {});
    this.#changes?.changes.close();
  }

  #schedule(): void {
    const { options: { interval }, stack: { clock } } = this.#parts;
    if (this.#isClosed || interval === Infinity) return;
    this.#cancelTimer = clock.schedule(() => {
      this.save().catch(() => {}).finally(() => this.#schedule());
    }, interval);
  }

  async #read(): Promise<RestoredSnapshot | undefined> {
    const { options, files, stack: { fills, clock }, isAlone } = this.#parts;
    const { path } = options;
    try {
      const found = await restoreSnapshot({
        path,
        files,
        clock,
        fills,
        maxKeys: options.maxKeys,
        takesEntries: isAlone && options.restore !== false,
      });
      if (found === undefined) return undefined;
      this.#restored += found.restored;
      this.#skipped += found.skipped;
      if (found.damage !== undefined) this.#tell("restore", found.damage);
      if (found.keys.length === 0) this.#told("restore", found.restored);
      return found;
    } catch (error) {
      this.#isForeign = isCacheError(error, "unsupported-format");
      this.#tell("restore", error);
      return undefined;
    }
  }

  /** Until the next snapshot is made, what changes is to be noted for this one. */
  #note({ id, isNoted, entries }: RestoredSnapshot): void {
    if (!isNoted || entries.size === 0) return;
    const { options, files, stack, isAlone } = this.#parts;
    try {
      const list = files.openChanges(options.path, id);
      const changes = new Changes(list, (error) => this.#unnoted(error));
      this.#changes = { id, changes };
      if (isAlone && options.restore !== false) {
        for (const [key, tags] of entries) changes.hold(key, tags);
      } else {
        // The values are elsewhere, or were not brought back: nobody sees to what becomes of them.
        changes.all();
      }
      changes.made();
      stack.fences.watcher = changes;
    } catch (error) {
      this.#unnoted(error);
    }
  }

  async #warm(keys: readonly string[]): Promise<void> {
    this.#unrestored = keys;
    try {
      const { warmed, alreadyThere, stopped } = await this.#parts.warmKeys(keys);
      this.#restored += warmed + alreadyThere;
      this.#skipped += keys.length - warmed - alreadyThere;
      if (stopped !== "closed") this.#unrestored = [];
      this.#told("restore", warmed + alreadyThere);
    } catch (error) {
      this.#tell("restore", error);
    }
  }

  async #save(): Promise<void> {
    const { options: { path }, files, stack, random } = this.#parts;
    const { clock } = stack;
    const before = this.#changes;
    const id = Math.floor(random() * 2 ** 48);
    let changes: Changes | undefined;
    try {
      if (this.#isForeign) {
        throw new CacheError(
          "unsupported-format",
          "Cannot write snapshot: what lies in its place is not a snapshot of this version: move it away",
        );
      }
      if (this.#hasValues) {
        changes = new Changes(files.openChanges(path, id), (error) => this.#unnoted(error));
        stack.fences.watcher = before === undefined ? changes : both(before.changes, changes);
        // What they write may come to memory only after its entry was taken.
        stack.fences.tell(changes);
      }
      const counts = { keys: 0 };
      const pieces = encodeSnapshot({
        header: { madeAt: clock.now(), id },
        keys: this.#hasValues ? [] : this.#keys(counts),
        entries: this.#entries(changes, counts),
        rows: stack.instant.prefetcher?.rows() ?? [],
      });
      this.#savedBytes = await files.write(path, pieces, id);
      if (changes?.isOver) {
        files.discard(path);
        throw new CacheError("backend", "Cannot make snapshot: what changed could not be noted");
      }
      changes?.made();
      this.#changes = changes && { id, changes };
      this.#saves++;
      this.#savedAt = clock.now();
      this.#told("save", counts.keys);
    } catch (error) {
      this.#failures++;
      changes?.close();
      if (changes !== undefined) await files.removeChanges(path, id);
      this.#tell("save", error);
      throw error;
    } finally {
      stack.fences.watcher = this.#changes?.changes;
      if (before !== undefined && before !== this.#changes) {
        before.changes.close();
        await files.removeChanges(path, before.id);
      }
    }
  }

  get #hasValues(): boolean {
    return this.#parts.isAlone && this.#parts.options.values;
  }

  /** The keys that memory holds, those that came in last where there are too many. */
  async *#keys(counts: { keys: number }): AsyncGenerator<string> {
    const { stack: { fills }, options: { maxKeys } } = this.#parts;
    const keys: string[] = [];
    const [fastest] = fills.tiers;
    if (fastest === undefined || !fastest.listsKeys) return;
    for (const key of this.#unrestored) if (!fills.holds(key)) keys.push(key);
    for await (const key of fastest.keys(undefined)) keys.push(key);
    for (const key of keys.slice(Math.max(0, keys.length - maxKeys))) {
      counts.keys++;
      yield key;
    }
  }

  async *#entries(
    changes: Changes | undefined,
    counts: { keys: number },
  ): AsyncGenerator<CacheEntry> {
    if (changes === undefined) return;
    for await (const key of this.#keys({ keys: 0 })) {
      const entry = this.#parts.stack.fills.peek(key);
      if (entry === undefined) continue;
      changes.hold(key, entry.tags);
      counts.keys++;
      yield entry;
    }
  }

  /** What has changed cannot be told any more: the snapshot must not be believed. */
  #unnoted(error: unknown): void {
    this.#tell("save", error);
    try {
      this.#parts.files.discard(this.#parts.options.path);
    } catch (failure) {
      this.#tell("save", failure);
    }
  }

  #told(operation: "save" | "restore", keys: number): void {
    const { events, options: { path } } = this.#parts;
    this.#soon(() => events.emit("snapshot", { operation, path, keys }));
  }

  #tell(operation: "save" | "restore", error: unknown): void {
    const { events, options: { path } } = this.#parts;
    this.#soon(() => events.emit("snapshotError", { operation, path, error }));
  }

  /** Whoever opens the cache must have time to listen. */
  #soon(emit: () => void): void {
    if (this.#isClosed) emit();
    else this.#parts.stack.clock.schedule(emit, 0);
  }
}

function both(one: ChangeWatcher, other: ChangeWatcher): ChangeWatcher {
  return {
    changed: (key) => {
      one.changed(key);
      other.changed(key);
    },
    cleared: (matches) => {
      one.cleared(matches);
      other.cleared(matches);
    },
    tagDropped: (tag) => {
      one.tagDropped(tag);
      other.tagDropped(tag);
    },
  };
}
