import { errnoOf, type FileStatus } from "./disk.ts";
import { digestOfPath, entryPath } from "./names.ts";
import { type Shared, temporaryPath, whileActive } from "./shared.ts";
import type { RoomOutcome, SpaceUsed } from "./space.ts";

/** Takes entries' files away: all of them, damaged ones, and those that have to make room. */
export class Remover {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /**
   * Removes an entry's file. Only in its lane.
   *
   * @returns whether there was one.
   */
  async remove(digest: Uint8Array): Promise<boolean> {
    const { disk, root } = this.#shared;
    const wasThere = await present(disk.unlink(`${root}/${entryPath(digest)}`));
    await this.#forget(digest);
    return wasThere;
  }

  /**
   * Removes an entry's file after a look at it, and only that very file: one
   * that another process has put in its place meanwhile stays. Only in its lane.
   *
   * @param isDoomed looks at what is at the path.
   * @returns whether it was removed.
   */
  async removeIf(digest: Uint8Array, isDoomed: () => Promise<boolean>): Promise<boolean> {
    const { disk, root } = this.#shared;
    const path = `${root}/${entryPath(digest)}`;
    const seen = await this.#statusAt(path);
    if (seen === undefined || seen.kind !== "file" || !await isDoomed()) return false;
    // A rename takes hold of whatever is there now, at once; then there is time to compare.
    const aside = temporaryPath(this.#shared);
    if (!await present(disk.rename(path, aside))) return false;
    const taken = await this.#statusAt(aside);
    const isSame = taken === undefined || isSameFile(seen, taken);
    if (!isSame) await disk.link(aside, path).catch(ignore);
    await present(disk.unlink(aside));
    if (isSame) await this.#forget(digest);
    return isSame;
  }

  /**
   * Evicts as many as it takes for so much more. Only in turn with other requests for room.
   *
   * @param own the entry for which room is made; it goes last.
   */
  async makeRoom({ bytes, entries }: SpaceUsed, own?: string): Promise<RoomOutcome> {
    const { space, active } = this.#shared;
    const { victims, hasOwn } = this.#choose(
      own,
      (freed, count) => freed >= space.excessBytes(bytes) && count >= space.excessEntries(entries),
    );
    if (victims.length > 0) {
      await this.#evict(victims);
    } else if (hasOwn && own !== undefined) {
      await this.remove(digestOfPath(own));
    } else if (active.size > 0) {
      await Promise.race(active.values());
    } else {
      return "none";
    }
    return "some";
  }

  /** Evicts so many bytes, whatever the limit is. Only in turn with requests for room. */
  async free(bytes: number, own: string): Promise<void> {
    await this.#evict(this.#choose(own, (freed) => freed >= bytes).victims);
  }

  #choose(
    own: string | undefined,
    isEnough: (freed: number, count: number) => boolean,
  ): { victims: number[]; hasOwn: boolean } {
    const { index, active, directories } = this.#shared;
    const victims: number[] = [];
    const spared: number[] = [];
    const perShard = new Map<number, number>();
    let hasOwn = false;
    let freed = 0;
    while (!isEnough(freed, victims.length)) {
      const slot = index.victim();
      if (slot < 0) break;
      const digest = index.digest(slot);
      const name = entryPath(digest);
      if (name === own) hasOwn = true;
      if (name === own || active.has(name)) {
        spared.push(slot);
        continue;
      }
      victims.push(slot);
      freed += index.bytesOf(slot);
      const shard = digest[0]!;
      const count = (perShard.get(shard) ?? 0) + 1;
      perShard.set(shard, count);
      if (count === index.countIn(shard)) freed += directories.bytesOf(shard);
    }
    for (const slot of spared) index.spare(slot);
    return { victims, hasOwn };
  }

  async #evict(slots: readonly number[]): Promise<void> {
    const { counters, report, lanes, index } = this.#shared;
    const outcomes = await Promise.allSettled(slots.map((slot) => {
      const digest = index.digest(slot);
      const name = entryPath(digest);
      const evict = (): Promise<void> => this.#evictFile(slot, digest);
      // A lane that is busy and not active waits for room itself, and its file lies still.
      return lanes.isBusy(name)
        ? evict()
        : lanes.runWithin(name, () => whileActive(this.#shared, name, evict));
    }));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    const count = outcomes.filter((outcome) => outcome.status === "fulfilled").length;
    counters.evictions += count;
    if (count > 0) report({ kind: "evict", count });
    if (failed !== undefined) throw failed.reason;
  }

  async #evictFile(slot: number, digest: Uint8Array): Promise<void> {
    const { disk, root, index } = this.#shared;
    try {
      await present(disk.unlink(`${root}/${entryPath(digest)}`));
    } catch (error) {
      if (index.find(digest) === slot && index.isLeaving(slot)) index.spare(slot);
      throw error;
    }
    if (index.find(digest) === slot && index.isLeaving(slot)) await this.#forget(digest);
  }

  async #forget(digest: Uint8Array): Promise<void> {
    const { index, directories } = this.#shared;
    const slot = index.find(digest);
    if (slot >= 0) index.drop(slot);
    const shard = digest[0]!;
    if (index.countIn(shard) === 0) await directories.removeIfEmpty(shard);
  }

  async #statusAt(path: string): Promise<FileStatus | undefined> {
    try {
      return await this.#shared.disk.status(path);
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }
}

function isSameFile(left: FileStatus, right: FileStatus): boolean {
  return left.ino === right.ino && left.mtimeMs === right.mtimeMs && left.size === right.size;
}

/** Whether a change found its file: false when there was none, other failures are thrown on. */
async function present(change: Promise<void>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

function ignore(): void {}
