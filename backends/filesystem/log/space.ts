import type { MaybePromise } from "../../../src/maybe_promise.ts";
import { ActiveSegment } from "./active_segment.ts";
import { claimOf, crowdError, liveBudget } from "./budget.ts";
import { type LogCore, reportError } from "./core.ts";
import { lostError } from "./directory_watch.ts";
import type { DirectoryLock } from "./directory_lock.ts";
import { ExternalSpace } from "./external_space.ts";
import { exceptDiskFull, isDiskFull } from "./file_layer.ts";
import { HINT_ENTRY_BYTES } from "./hint.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { Owner } from "./owner.ts";
import { payOwed } from "./pay_owed.ts";
import {
  appendTombstone,
  CARRY_SHARE,
  chooseVictim,
  discardIfSimple,
  holdsLive,
  reclaim,
  type Reclaimer,
} from "./reclaim.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSet } from "./segment_set.ts";
import type { Destination, WriteQueue } from "./write_queue.ts";

/** How often and how long the lock of a living process is waited for, in milliseconds. */
const LOCK_RETRY_MS = 2;
const LOCK_PATIENCE_MS = 10_000;
/** So many small segments are merged when a new one begins. */
const SMALL_SEGMENTS = 16;
const SMALL_SHARE = 1 / 8;

/** What {@linkcode Space} tells its log. */
export interface SpaceEvents {
  /** The body of a reference that was dropped: its file is of no use any more. Resolves when it is gone. */
  readonly onDrop: (body: Uint8Array) => MaybePromise<void>;
  /** The body of an entry, for {@linkcode SpaceEvents.onDrop}. */
  readonly bodyOf: (slot: number) => Uint8Array | undefined;
}

/**
 * Keeps all files of all processes within the limit, and gives this process a
 * segment to append to.
 *
 * Whoever begins a segment does so under the lock of the directory: it counts
 * what is there, open segments at their full size, uses the room that was kept
 * for one more, and leaves such room to the next. So no process has to know
 * how fast the others write, and the limit holds at every instant.
 */
export class Space implements Destination {
  readonly external: ExternalSpace;
  active: ActiveSegment | undefined;
  readonly #core: LogCore;
  readonly #set: SegmentSet;
  readonly #lock: DirectoryLock;
  readonly #events: SpaceEvents;
  #owner: Owner | undefined;
  #reclaimer: Reclaimer | undefined;
  #isCrowded = false;

  constructor(core: LogCore, set: SegmentSet, lock: DirectoryLock, events: SpaceEvents) {
    this.#core = core;
    this.#set = set;
    this.#lock = lock;
    this.#events = events;
    this.external = new ExternalSpace(core);
  }

  /** The most bytes of live entries. Each process that writes has a segment open, which is no room for them. */
  get maxLiveBytes(): number {
    const { maxBytes, segmentBytes } = this.#core;
    return liveBudget(maxBytes, segmentBytes, this.#writers);
  }

  /** Makes the queue known, which in turn knows this. */
  attach(queue: WriteQueue): void {
    this.#reclaimer = {
      core: this.#core,
      set: this.#set,
      queue,
      room: () => this.active === undefined ? 0 : this.active.room(0) / 2,
      sync: async () => {
        if (this.#core.durability !== "none") await this.active?.sync();
      },
      ...this.#events,
    };
  }

  async roll(): Promise<boolean> {
    await this.sealActive();
    return await this.#locked(async () => {
      this.#tidy();
      if (!await this.#makeRoomToBegin()) return false;
      this.active = ActiveSegment.create(this.#core, this.#becomeWriter().writer);
      this.#set.begin(this.active.segment);
      await payOwed(this.#core, this.#with.queue);
      try {
        await this.#restoreRoom(0);
        await this.#compact();
      } catch (error) {
        // What had to be carried over did not fit; the next segment tries again.
        if (!(error instanceof RangeError)) throw error;
      }
      return true;
    });
  }

  async relieve(): Promise<boolean> {
    const discardOne = (): boolean => {
      this.#set.refresh();
      const sealed = this.#set.all().filter((segment) => segment.sealed);
      sealed.sort((a, b) => b.deadShare - a.deadShare);
      return sealed.some((victim) => discardIfSimple(this.#with, victim));
    };
    try {
      return await this.#locked(discardOne);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      // A full disk has no room for the lock either. What needs nothing to be written may go without.
      return discardOne();
    }
  }

  /** Frees bytes of a disk that is full, files first. Only as a task. */
  async relieveFor(bytes: number): Promise<void> {
    const { catalog, segmentBytes } = this.#core;
    const most = catalog.liveBytes - 2 * bytes;
    const freed = await this.#evictWhile((sum) => sum < bytes && catalog.liveBytes > most);
    for (let left = bytes - freed; left > 0; left -= segmentBytes) {
      if (!await this.relieve()) return;
    }
  }

  abandon(): void {
    this.active?.close();
    this.active = undefined;
    this.#set.active = undefined;
  }

  /** Ends the active segment. */
  async sealActive(): Promise<void> {
    try {
      await this.active?.seal();
    } catch (error) {
      reportError(
        this.#core,
        "Cannot seal segment: it is read as a whole when it is opened",
        error,
      );
    }
    this.abandon();
  }

  /** Brings a directory within its limit that was left beyond, and counts files beside the log anew. Only as a task. */
  async settle(measureExternal: (() => number) | undefined): Promise<void> {
    await this.#locked(() => {
      this.#tidy();
      const isAlone = !this.#set.owners.some((name) =>
        this.#set.isOwnerAlive(parseInt(name.slice(0, 4), 16))
      );
      if (measureExternal !== undefined && (!this.external.read() || isAlone)) {
        this.external.write(measureExternal());
      }
      return true;
    });
    if (this.#claimed > this.#core.maxBytes) await this.roll();
  }

  /** Removes at once what is wholly dead. Only as a task. */
  async dropDead(): Promise<void> {
    await this.#locked(async () => {
      this.#set.refresh();
      await this.#discardDead();
      return true;
    });
  }

  /** Makes room for files beside the log. Only as a task. @returns whether there is room. */
  async reserve(bytes: number): Promise<boolean> {
    const { external } = this;
    if (external.tryTake(bytes)) return true;
    if (bytes > this.maxLiveBytes) return false;
    // What has to go may have live records, which are carried over into the active segment.
    for (let tries = 0; tries < 2; tries++) {
      if ((this.active === undefined || tries > 0) && !await this.roll()) return false;
      try {
        return await this.#locked(() => this.#reserve(bytes));
      } catch (error) {
        // What had to be carried over did not fit into what is left of the active segment.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return false;
  }

  /** Gives back what this process holds of the sum beyond `keep`. Only as a task. */
  async giveBack(keep: number): Promise<void> {
    if (this.external.allowance <= keep) return;
    await this.#locked(() => {
      this.external.read();
      this.external.giveBack(keep);
      return true;
    });
  }

  /** Writes what is owed to the disk, as far as it takes it. Only as a task. */
  async payOff(): Promise<void> {
    if (this.#with.queue.isOwing && this.#core.health.canWrite()) await this.roll();
  }

  /** Gives up the number among the writers. */
  close(): void {
    this.#owner?.close();
    this.#owner = undefined;
  }

  /** Bytes that the log and the files beside it may take at most right now. */
  get #claimed(): number {
    return this.#set.claimed + this.external.total;
  }

  get #claim(): number {
    return claimOf(this.#core.segmentBytes);
  }

  get #with(): Reclaimer {
    return this.#reclaimer!;
  }

  /** Living logs that write, this one included. */
  get #writers(): number {
    return this.#set.owners.length + (this.#owner === undefined ? 1 : 0);
  }

  /** Takes a number among the writers. Only under the lock. */
  #becomeWriter(): Owner {
    if (this.#owner !== undefined) return this.#owner;
    const { layer, directory } = this.#core;
    this.warnOfCrowd();
    return this.#owner = Owner.create(this.#core, layer.list(directory.path));
  }

  /** Tells, once, that so many processes share so small a limit that little fits beside their open segments. */
  warnOfCrowd(): void {
    const { maxBytes, report } = this.#core;
    const error = this.#isCrowded ? undefined : crowdError(maxBytes, this.#writers);
    if (error === undefined) return;
    this.#isCrowded = true;
    report({ kind: "error", error });
  }

  async #reserve(bytes: number): Promise<boolean> {
    const { external } = this;
    this.#set.refresh();
    external.read();
    // Who opens the directory while a file is being written must not take itself for alone.
    this.#becomeWriter();
    const { catalog } = this.#core;
    await this.#evictWhile(() => catalog.liveBytes + bytes > this.maxLiveBytes);
    for (const wanted of [bytes + external.slab, bytes]) {
      if (external.tryTake(bytes)) return true;
      if (!await this.#restoreRoom(wanted)) continue;
      external.write(external.total + wanted);
      external.allowance += wanted - bytes;
      return true;
    }
    return false;
  }

  async #locked(action: () => boolean | Promise<boolean>): Promise<boolean> {
    const { stopwatch, clock, watch, directory } = this.#core;
    const began = stopwatch();
    // Nothing of this log may come to stand in a directory that has taken the place of its own.
    if (!watch.isSame()) throw lostError(directory.path);
    while (!this.#lock.tryAcquire()) {
      if (stopwatch() - began > LOCK_PATIENCE_MS) {
        reportError(this.#core, "Cannot make room in segment log: another process holds its lock");
        return false;
      }
      await new Promise<void>((resolve) => clock.schedule(resolve, LOCK_RETRY_MS, true));
    }
    try {
      if (!watch.isSame()) throw lostError(directory.path);
      return await action();
    } finally {
      this.#lock.release();
    }
  }

  /** Looks at what is there, and ends and removes what dead processes have left. */
  #tidy(): void {
    this.#set.refresh();
    this.#set.adopt();
    this.external.read();
    sweepLeftovers(this.#core);
  }

  /** Room for one more segment, without any that something could be carried over to. */
  async #makeRoomToBegin(): Promise<boolean> {
    const sealed = this.#set.all().filter((segment) => segment.sealed);
    const isOver = (): boolean => this.#claimed + this.#claim > this.#core.maxBytes;
    if (!isOver()) return true;
    for (const victim of sealed) {
      if (discardIfSimple(this.#with, victim) && !isOver()) return true;
    }
    // Only a limit that was lowered, or a death while room was made, leads here. What is carried over now is made good for at once.
    if (this.#set.all().some((segment) => segment.sealed)) return true;
    return await this.#dropFiles(0);
  }

  /** Leaves room for one more segment and `bytes`. */
  async #restoreRoom(bytes: number): Promise<boolean> {
    await this.#discardDead();
    for (let tries = 2 * this.#set.size; tries >= 0; tries--) {
      if (this.#claimed + bytes + this.#claim <= this.#core.maxBytes) return true;
      const victim = chooseVictim(this.#set);
      if (victim === undefined) return await this.#dropFiles(bytes);
      await this.#remove(victim, CARRY_SHARE);
    }
    return false;
  }

  /** Leaves room for one more segment and `bytes` where no segment is left to go: at the expense of files beside the log. */
  async #dropFiles(bytes: number): Promise<boolean> {
    const { external } = this;
    const missing = (): number => this.#claimed + this.#claim + bytes - this.#core.maxBytes;
    external.giveBack(0);
    const wanted = missing();
    if (wanted > 0) await this.#evictWhile((freed) => freed < wanted);
    external.giveBack(0);
    return missing() <= 0;
  }

  async #discardDead(): Promise<void> {
    for (const segment of this.#set.all()) {
      const isDead = segment.sealed && segment.liveBytes + segment.tombstoneBytes <= 0 &&
        !holdsLive(this.#core, segment);
      if (isDead && !discardIfSimple(this.#with, segment) && this.active !== undefined) {
        await this.#remove(segment, 0);
      }
    }
  }

  /** Merges what many short-lived processes have left, and halves that are dead where no limit asks for it. */
  async #compact(): Promise<void> {
    const sealed = this.#set.all().filter((segment) => segment.sealed);
    const small = sealed.filter((segment) => segment.end < this.#core.segmentBytes * SMALL_SHARE);
    if (small.length > SMALL_SEGMENTS) {
      for (const segment of small.slice(0, SMALL_SEGMENTS)) {
        if (this.#with.room() < segment.end) break;
        await this.#remove(segment, 1);
      }
    }
    const victim = chooseVictim(this.#set);
    // No limit asks for room, so no entry may be lost for it.
    const isWorthwhile = victim !== undefined && this.#core.maxBytes === Infinity &&
      victim.deadShare >= 0.5 &&
      victim.liveBytes + victim.tombstoneBytes + victim.slots.length * HINT_ENTRY_BYTES <=
        this.#with.room();
    if (isWorthwhile) await this.#remove(victim, 1);
  }

  async #remove(victim: Segment, share: number): Promise<void> {
    if (this.active === undefined) {
      if (!discardIfSimple(this.#with, victim)) throw new RangeError("Cannot reclaim segment");
    } else {
      await reclaim(this.#with, victim, share);
    }
  }

  /**
   * Lets entries go, and removes the files of those that name one.
   *
   * @param isOver is given the bytes of files that are on their way out, which are returned.
   */
  async #evictWhile(isOver: (freed: number) => boolean): Promise<number> {
    const { catalog } = this.#core;
    const dropped: Uint8Array[] = [];
    const batch = this.#with.queue.newBatch(0);
    let freed = 0;
    while (isOver(freed) && batch.hasRoom(0, 0)) {
      const before = catalog.liveBytes;
      const slot = catalog.evict();
      if (slot < 0) break;
      const body = catalog.isEvictedReference ? this.#events.bodyOf(slot) : undefined;
      if (body === undefined) continue;
      freed += before - catalog.liveBytes;
      appendTombstone(this.#core, batch, slot);
      dropped.push(body);
    }
    if (this.active === undefined || !this.active.fits(batch)) {
      this.#with.queue.drop(batch, true);
    } else {
      // Without its tombstone a reference to a file that is gone is a miss as well.
      await this.#with.queue.commit(batch).catch(exceptDiskFull);
    }
    await Promise.all(dropped.map((body) => this.#events.onDrop(body)));
    return freed;
  }
}
