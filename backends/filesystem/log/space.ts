import { ActiveSegment } from "./active_segment.ts";
import { type LogCore, pathOf, reportError } from "./core.ts";
import type { DirectoryLock } from "./directory_lock.ts";
import { ExternalSpace } from "./external_space.ts";
import { errorCode, isDiskFull, readFile, removeFile } from "./file_layer.ts";
import { HINT_ENTRY_BYTES } from "./hint.ts";
import { isOwnerName, Owner } from "./owner.ts";
import {
  appendGeneration,
  appendTombstone,
  CARRY_SHARE,
  chooseVictim,
  discardIfSimple,
  holdsLive,
  reclaim,
  type Reclaimer,
} from "./reclaim.ts";
import { blocksOf, CLAIM_SLACK, type Segment } from "./segment.ts";
import type { SegmentSet } from "./segment_set.ts";
import type { Destination, WriteQueue } from "./write_queue.ts";

/** How often and how long the lock of a living process is waited for, in milliseconds. */
const LOCK_RETRY_MS = 2;
const LOCK_PATIENCE_MS = 10_000;
/** So many small segments are merged when a new one begins. */
const SMALL_SEGMENTS = 16;
const SMALL_SHARE = 1 / 8;
const LIVE_SHARE = 0.85;

/** What {@linkcode Space} tells its log. */
export interface SpaceEvents {
  /** The body of a reference that was dropped: its file is of no use any more. */
  readonly onDrop: (body: Uint8Array) => void;
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
  readonly maxLiveBytes: number;
  active: ActiveSegment | undefined;
  readonly #core: LogCore;
  readonly #set: SegmentSet;
  readonly #lock: DirectoryLock;
  readonly #events: SpaceEvents;
  #owner: Owner | undefined;
  #reclaimer: Reclaimer | undefined;

  constructor(core: LogCore, set: SegmentSet, lock: DirectoryLock, events: SpaceEvents) {
    this.#core = core;
    this.#set = set;
    this.#lock = lock;
    this.#events = events;
    this.external = new ExternalSpace(core);
    this.maxLiveBytes = liveBudget(core.maxBytes, core.segmentBytes);
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
      onDrop: this.#events.onDrop,
    };
  }

  /** Number of this process among the writers, once it has written. */
  get writer(): number {
    return this.#owner?.writer ?? 0;
  }

  async roll(): Promise<boolean> {
    await this.sealActive();
    return await this.#locked(async () => {
      this.#tidy();
      if (!this.#makeRoomToBegin()) return false;
      this.#owner ??= Owner.create(this.#core, this.#core.layer.list(this.#core.directory.path));
      this.active = ActiveSegment.create(this.#core, this.#owner.writer);
      this.#set.begin(this.active.segment);
      await this.#payOwed();
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
    if (this.active === undefined && !await this.roll()) return false;
    return await this.#locked(async () => {
      this.#set.refresh();
      external.read();
      // Who opens the directory while a file is being written must not take itself for alone.
      this.#owner ??= Owner.create(this.#core, this.#core.layer.list(this.#core.directory.path));
      await this.#evictFor(bytes);
      let wanted = bytes + external.slab;
      if (!await this.#restoreRoom(wanted)) {
        wanted = bytes;
        if (!await this.#restoreRoom(wanted)) return false;
      }
      external.write(external.total + wanted);
      external.allowance += wanted - bytes;
      return true;
    });
  }

  /** Gives back what this process holds of the sum beyond `keep`. Only as a task. */
  async giveBack(keep: number): Promise<void> {
    const { external } = this;
    if (external.allowance <= keep) return;
    await this.#locked(() => {
      external.read();
      const excess = external.allowance - keep;
      external.write(Math.max(0, external.total - excess));
      external.allowance = keep;
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

  async #locked(action: () => boolean | Promise<boolean>): Promise<boolean> {
    const { stopwatch, clock } = this.#core;
    const began = stopwatch();
    while (!this.#lock.tryAcquire()) {
      if (stopwatch() - began > LOCK_PATIENCE_MS) {
        reportError(this.#core, "Cannot make room in segment log: another process holds its lock");
        return false;
      }
      await new Promise<void>((resolve) => clock.schedule(resolve, LOCK_RETRY_MS, true));
    }
    try {
      return await action();
    } finally {
      this.#lock.release();
    }
  }

  /** Looks at what is there, and ends and removes what dead processes have left. */
  #tidy(): void {
    const { layer, directory } = this.#core;
    this.#set.refresh();
    this.#set.adopt();
    this.external.read();
    const names = new Set(layer.list(directory.path));
    for (const name of names) {
      const isLeft = name.endsWith(".hint")
        ? !names.has(`${name.slice(0, -5)}.seg`)
        : (name.endsWith(".tmp") || name.startsWith("break-") || isOwnerName(name)) &&
          !this.#isHeld(name);
      if (isLeft) removeFile(layer, pathOf(this.#core, name));
    }
  }

  #isHeld(name: string): boolean {
    const { layer, witness } = this.#core;
    try {
      return witness.isAlive(readFile(layer, pathOf(this.#core, name)));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Room for one more segment, without any that something could be carried over to. */
  #makeRoomToBegin(): boolean {
    const sealed = this.#set.all().filter((segment) => segment.sealed);
    const isOver = (): boolean => this.#claimed + this.#claim > this.#core.maxBytes;
    if (!isOver()) return true;
    for (const victim of sealed) {
      if (discardIfSimple(this.#with, victim) && !isOver()) return true;
    }
    // Only a limit that was lowered, or a death while room was made, leads here. What is carried over now is made good for at once.
    return this.#set.all().some((segment) => segment.sealed);
  }

  /** Leaves room for one more segment and `bytes`. */
  async #restoreRoom(bytes: number): Promise<boolean> {
    await this.#discardDead();
    for (let tries = 2 * this.#set.size; tries >= 0; tries--) {
      if (this.#claimed + bytes + this.#claim <= this.#core.maxBytes) return true;
      const victim = chooseVictim(this.#set);
      if (victim === undefined) return false;
      await this.#remove(victim, CARRY_SHARE);
    }
    return false;
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

  /** Lets entries go until the policy has room for `bytes` more, and drops the files of those that name one. */
  async #evictFor(bytes: number): Promise<void> {
    const { catalog } = this.#core;
    const dropped: Uint8Array[] = [];
    const batch = this.#with.queue.newBatch(0);
    while (catalog.liveBytes + bytes > this.maxLiveBytes && batch.hasRoom(0, 0)) {
      const slot = catalog.evict();
      if (slot < 0) break;
      const body = catalog.isEvictedReference ? this.#events.bodyOf(slot) : undefined;
      if (body === undefined) continue;
      appendTombstone(this.#core, batch, slot);
      dropped.push(body);
    }
    if (this.active === undefined || !this.active.fits(batch)) {
      this.#with.queue.drop(batch, true);
    } else {
      await this.#with.queue.commit(batch);
    }
    for (const body of dropped) this.#events.onDrop(body);
  }

  /** Writes tombstones for what the disk has not taken when it failed. */
  async #payOwed(): Promise<void> {
    const { queue } = this.#with;
    const { catalog } = this.#core;
    const owed = [...queue.owed.values()];
    let batch = queue.newBatch(0);
    if (queue.owesGeneration) appendGeneration(batch, catalog.generation);
    for (const [low, high] of owed) {
      const slot = catalog.find(low, high);
      if (slot < 0 || catalog.isSettled(slot)) continue;
      if (!batch.hasRoom(0, 0)) {
        await queue.commit(batch);
        batch = queue.newBatch(0);
      }
      appendTombstone(this.#core, batch, slot);
    }
    await queue.commit(batch);
    queue.owed.clear();
    queue.owesGeneration = false;
  }
}

/**
 * The most bytes of live entries within a limit: what is left beside the
 * segment that is written and the room for one more, less a share that is
 * dead. Segments go as a whole, and the more of them is dead, the less has to
 * be carried over.
 */
export function liveBudget(maxBytes: number, segmentBytes: number): number {
  return Math.max(0, maxBytes - 2 * claimOf(segmentBytes) - 8 * 4096) * LIVE_SHARE;
}

function claimOf(segmentBytes: number): number {
  return blocksOf(segmentBytes) + CLAIM_SLACK + 4096;
}
