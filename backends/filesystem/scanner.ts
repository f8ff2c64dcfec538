import { mapLimited } from "../../src/manager/map_limited.ts";
import { errnoOf, type FileStatus } from "./disk.ts";
import { bytesOnDisk } from "./file_index.ts";
import { listEntries } from "./lister.ts";
import { entryPath, isTemporaryName, SHARDS, TEMPORARY } from "./names.ts";
import type { Reader } from "./reader.ts";
import type { Remover } from "./remover.ts";
import type { Shared } from "./shared.ts";

/** Files looked at at once. */
const CONCURRENCY = 64;

/** One of 256 shards is looked at anew each time: the whole directory in about 20 minutes. */
const ROUND_DELAY_MS = 5000;

/**
 * A temporary file that has not grown for so long has no living writer, as a
 * rule; one whose process was stopped meanwhile writes anew. Until it goes it
 * takes from the limit: after a few kills nothing else may have room.
 */
const ABANDONED_MS = 60_000;

/** A file that is being changed while it is looked at. */
const CHANGING = -2;

/** The lane of what keeps the limits without being asked. */
const TRIM_LANE = "trim";

/**
 * Learns what is in the directory, without reading values: all of it after
 * open, then shard by shard what other processes did and whose time is over.
 */
export class Scanner {
  /** Resolves when what was in the directory at open counts. */
  readonly ready: Promise<void>;
  readonly #shared: Shared;
  readonly #reader: Reader;
  readonly #remover: Remover;
  readonly #byReads: boolean;
  #nextShard = 0;
  #cancel: (() => void) | undefined;
  #round: Promise<void> = Promise.resolve();
  #trimming = false;
  #stopped = false;

  /** @param byReads whether the first order of entries is that of their last reads, as far as the system keeps them. */
  constructor(shared: Shared, reader: Reader, remover: Remover, byReads: boolean) {
    this.#shared = shared;
    this.#reader = reader;
    this.#remover = remover;
    this.#byReads = byReads;
    const first = Promise.withResolvers<void>();
    this.ready = first.promise;
    this.#round = this.#begin(first.resolve);
  }

  /** Looks at the whole directory anew, and removes what is over. */
  async refresh(): Promise<void> {
    await this.ready;
    await this.#scanTemporaries();
    for (let shard = 0; shard < SHARDS && !this.#stopped; shard++) await this.#lookAgain(shard);
    await this.#trim();
  }

  /** Gets below the limit in the background. */
  trimSoon(): void {
    if (this.#trimming || !this.#isOver()) return;
    this.#trimming = true;
    this.#trim().catch((error) => this.#shared.report({ kind: "error", error })).finally(() =>
      this.#trimming = false
    );
  }

  /** Ends what runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#round;
  }

  async #begin(ready: () => void): Promise<void> {
    try {
      await this.#scanTemporaries();
      for (let shard = 0; shard < SHARDS && !this.#stopped; shard++) await this.#scan(shard, true);
    } catch (error) {
      this.#shared.report({ kind: "error", error });
    }
    this.#shared.index.order();
    ready();
    this.trimSoon();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#shared.clock.schedule(() => {
      this.#round = this.#runRound();
    }, ROUND_DELAY_MS);
  }

  async #runRound(): Promise<void> {
    try {
      if (this.#nextShard === 0 || this.#shared.others.bytes > 0) await this.#scanTemporaries();
      await this.#lookAgain(this.#nextShard);
      this.#nextShard = (this.#nextShard + 1) % SHARDS;
      this.trimSoon();
    } catch (error) {
      this.#shared.report({ kind: "error", error });
    }
    this.#schedule();
  }

  /**
   * Notes files that are not known or have another length.
   *
   * @param isFirst whether writes wait for this: then it must not wait for them,
   * and rather counts a file too many.
   * @returns the slots of all that are there.
   */
  async #scan(shard: number, isFirst = false): Promise<Set<number>> {
    const { index, lanes } = this.#shared;
    const before = index.stamp;
    const present = new Set<number>();
    const digests = await listEntries(this.#shared, shard);
    await mapLimited(digests, CONCURRENCY, async (digest) => {
      let slot = await this.#look(digest, before, isFirst);
      // It may have been there a moment ago only: look while nothing changes it.
      if (slot === CHANGING) {
        slot = await lanes.run(entryPath(digest), () => this.#look(digest, index.stamp, true));
      }
      if (slot >= 0) present.add(slot);
    });
    return present;
  }

  /** Notes one file. @returns its slot, -1 when there is none, or {@linkcode CHANGING}. */
  async #look(digest: Uint8Array, before: number, isStill = false): Promise<number> {
    const { index, lanes, disk, root } = this.#shared;
    const name = entryPath(digest);
    const status = await statusOf(disk.status(`${root}/${name}`));
    if (status?.kind !== "file") return -1;
    const slot = index.find(digest);
    if (slot >= 0) {
      const isKnown = index.stampOf(slot) > before || index.lengthOf(slot) === status.size;
      if (isKnown) return slot;
    } else if (!isStill && (lanes.isBusy(name) || index.droppedSince(digest[0]!, before))) {
      return CHANGING;
    }
    const time = this.#byReads ? Math.max(status.atimeMs, status.mtimeMs) : status.mtimeMs;
    return index.put(digest, status, NaN, time);
  }

  /** Reconciles one shard with what is there by now, and removes what is over. */
  async #lookAgain(shard: number): Promise<void> {
    const { index, lanes, clock } = this.#shared;
    const before = index.stamp;
    const present = await this.#scan(shard);
    for (const slot of index.slots(shard)) {
      const isGone = !present.has(slot) && index.stampOf(slot) <= before;
      if (isGone && !lanes.isBusy(entryPath(index.digest(slot)))) index.drop(slot);
    }
    await mapLimited(index.slots(shard), CONCURRENCY, async (slot) => {
      const digest = index.digest(slot);
      if (Number.isNaN(index.expiresAt(slot))) {
        const stamp = index.stampOf(slot);
        const head = await this.#reader.headOf(digest);
        const isSame = index.find(digest) === slot && index.stampOf(slot) === stamp;
        if (head === undefined || !isSame) return;
        index.setExpiry(slot, head.header.expiresAt);
      }
      if (index.expiresAt(slot) <= clock.now()) await this.#reader.removeExpired(digest);
    });
  }

  async #scanTemporaries(): Promise<void> {
    const { disk, root, clock, temporaries, others } = this.#shared;
    const folder = `${root}/${TEMPORARY}`;
    let bytes = 0;
    const names = await disk.list(folder);
    await mapLimited(names, CONCURRENCY, async (name) => {
      if (!isTemporaryName(name) || temporaries.isOwn(name)) return;
      const status = await statusOf(disk.status(`${folder}/${name}`));
      if (status?.kind !== "file") return;
      if (clock.now() - status.mtimeMs > ABANDONED_MS) {
        await statusOf(disk.unlink(`${folder}/${name}`));
      } else {
        bytes += bytesOnDisk(status.size);
      }
    });
    others.bytes = bytes;
  }

  async #trim(): Promise<void> {
    if (!this.#isOver()) return;
    const { lanes, space } = this.#shared;
    await lanes.run(TRIM_LANE, () =>
      space.inTurn(async () => {
        while (this.#isOver()) {
          if (await this.#remover.makeRoom({ bytes: 0, entries: 0 }) === "none") break;
        }
      }));
  }

  #isOver(): boolean {
    const { space } = this.#shared;
    return space.excessBytes(0) > 0 || space.excessEntries(0) > 0;
  }
}

/** What a look at a file resolves to, `undefined` when the file is gone. */
async function statusOf<T extends FileStatus | void>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
