import type { MaybePromise } from "../../../src/maybe_promise.ts";
import type { ActiveSegment } from "./active_segment.ts";
import { type Batch, makeBatch, maxRecordLength } from "./batch.ts";
import { type LogCore, reportError } from "./core.ts";
import { drainAtExit } from "./exit_drain.ts";
import { isDiskFull } from "./file_layer.ts";

/** A batch is written when it is this full; beyond, a larger write costs no less a byte. */
const BATCH_BYTES = 256 * 1024;
/** Milliseconds after which a batch is written that is not full; a process that ends in between waits for it. */
const LINGER_MS = 2;
/** Bytes waiting from which on those who put more wait too. */
const PATIENT_BYTES = 4 * 1024 * 1024;
/** Bytes waiting from which on puts are declined, when those who put more do not wait. */
const MOST_BYTES = 64 * 1024 * 1024;
const SPARE_BATCHES = 4;
/** New segments begun for one batch at most. */
const MOST_ROLLS = 3;

/** Something to be done while nothing is being written. */
export type QueuedTask = () => MaybePromise<void>;

/** What the queue needs of the place that its batches go to. */
export interface Destination {
  /** The segment to append to, if there is one. */
  readonly active: ActiveSegment | undefined;
  /** Ends the active segment and begins one that has room. @returns whether there is one now. */
  roll(): Promise<boolean>;
  /** Makes room after the disk was found to be full. @returns whether there may be some. */
  relieve(): Promise<boolean>;
  /** Ends the active segment after it failed. */
  abandon(): void;
}

/**
 * Group commit: records are laid into a batch and readable there at once; a
 * batch is written in one call, when it is full, when somebody
 * waits for it, or after two milliseconds. Batches and tasks are worked off one
 * after another, in the order they came.
 */
export class WriteQueue {
  readonly #core: LogCore;
  readonly #destination: Destination;
  readonly #batchBytes: number;
  readonly #work: (Batch | QueuedTask)[] = [];
  readonly #spares: Batch[] = [];
  #filling: Batch | undefined;
  #waitingBytes = 0;
  #writing: Batch | undefined;
  #isBusy = false;
  #cancelLinger: (() => void) | undefined;
  /** When the oldest record that waits for the timer came, or what waited was last written. */
  #lingersSince = 0;
  #endDraining: (() => void) | undefined;
  #isPrompted = false;
  /** Whether the disk has not taken the newest generation. */
  owesGeneration = false;
  /** Keys whose newest state the disk has not taken, by hash. */
  readonly owed: Map<number, readonly [low: number, high: number]> = new Map();

  constructor(core: LogCore, destination: Destination) {
    this.#core = core;
    this.#destination = destination;
    this.#batchBytes = Math.min(BATCH_BYTES, Math.max(4096, core.segmentBytes >>> 4));
  }

  /** Whether the disk has to be told of something that it did not take when it failed. */
  get isOwing(): boolean {
    return this.owesGeneration || this.owed.size > 0;
  }

  /** Bytes of records that are not written yet. */
  get waitingBytes(): number {
    return this.#waitingBytes + (this.#filling?.used ?? 0);
  }

  /** Whether so much waits that a put should be declined. */
  get isOverfull(): boolean {
    return this.#waitingBytes > MOST_BYTES;
  }

  /** The batch that takes the next record. */
  batchFor(keyUnits: number, bodyLength: number): Batch {
    if (this.#filling !== undefined) {
      if (this.#filling.hasRoom(keyUnits, bodyLength)) return this.#filling;
      this.#push();
      this.#run();
    }
    this.#filling = this.newBatch(maxRecordLength(keyUnits, bodyLength));
    return this.#filling;
  }

  /** A batch of its own, for at least so many bytes. */
  newBatch(length: number): Batch {
    const { catalog } = this.#core;
    const spare = length <= this.#batchBytes ? this.#spares.pop() : undefined;
    const id = catalog.freeId();
    const batch = spare?.reuse(id) ?? makeBatch(id, Math.max(length, this.#batchBytes));
    catalog.attach(batch);
    return batch;
  }

  /** Keeps the memory of a batch that has been written. */
  recycle(batch: Batch): void {
    if (batch.block.bytes.length === this.#batchBytes && this.#spares.length < SPARE_BATCHES) {
      this.#spares.push(batch);
    }
  }

  /**
   * Sees to it that the batch being filled is written before long.
   *
   * @returns a promise of that when too much waits already.
   */
  linger(batch: Batch): MaybePromise<boolean> {
    const { clock, stopwatch } = this.#core;
    if (batch.used >= this.#batchBytes) {
      this.#writeNow();
    } else if (this.#cancelLinger === undefined) {
      this.#lingersSince = stopwatch();
      this.#endDraining ??= drainAtExit(() => this.#drain());
      // A process that ends by itself writes first what it has acknowledged.
      this.#cancelLinger = clock.schedule(
        () => {
          this.#cancelLinger = undefined;
          this.#writeNow();
        },
        LINGER_MS,
        true,
      );
    } else if (stopwatch() - this.#lingersSince > LINGER_MS) {
      // A loop of puts that only ever waits for promises lets no timer fire.
      this.#writeNow();
    }
    return this.#waitingBytes > PATIENT_BYTES ? batch.outcome : true;
  }

  /** Sees to it that the batch being filled is written as soon as the caller's turn is over. @returns whether that has worked out. */
  prompt(batch: Batch): Promise<boolean> {
    if (!this.#isPrompted) {
      this.#isPrompted = true;
      queueMicrotask(() => {
        this.#isPrompted = false;
        // Operations behind one that is being made durable share the next write.
        if (!this.#isBusy) {
          this.#push();
          this.#run();
        }
      });
    }
    return batch.outcome;
  }

  /** Ends the wait for more, after the last task was enqueued. */
  close(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    this.#endDraining?.();
  }

  /** Runs a task after all that was put before it. */
  enqueue(task: QueuedTask): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#push();
    this.#work.push(async () => {
      try {
        await task();
        resolve();
      } catch (error) {
        reject(error);
      }
    });
    this.#run();
    return promise;
  }

  /** Writes a batch at once; for tasks, while they run. @throws what the file layer throws. */
  async commit(batch: Batch): Promise<void> {
    const { active } = this.#destination;
    if (active === undefined || !active.fits(batch)) {
      this.drop(batch, false);
      throw new RangeError("Cannot carry records over: they do not fit");
    }
    try {
      await active.write(batch, false);
    } catch (error) {
      this.drop(batch, false);
      throw error;
    }
    batch.settle(true);
    this.recycle(batch);
  }

  /**
   * Writes batches that wait, out of their turn; for tasks, and for what the
   * destination does to get room.
   *
   * @throws {RangeError} when one of them does not fit into the active segment.
   */
  async writePending(isWanted: (batch: Batch) => boolean): Promise<void> {
    const waiting = this.#work.filter((item) => typeof item !== "function");
    if (this.#writing !== undefined) waiting.unshift(this.#writing);
    if (this.#filling !== undefined && isWanted(this.#filling)) {
      waiting.push(this.#filling);
      this.#push();
    }
    for (const batch of waiting.filter(isWanted)) {
      const { active } = this.#destination;
      if (batch.isWritten) continue;
      if (!active?.fits(batch)) throw new RangeError("Cannot write batch: it does not fit");
      await active.write(batch, this.#core.durability === "batch");
      batch.isWritten = true;
    }
  }

  /** Notes that a key's older records on disk must not come back. */
  owe(slot: number): void {
    const { index } = this.#core.catalog;
    this.owed.set(slot, [index.hashLow(slot), index.hashHigh(slot)]);
  }

  /** Gives a batch up: its entries are misses from now on. */
  drop(batch: Batch, isOwed: boolean): void {
    const { catalog } = this.#core;
    const { index } = catalog;
    catalog.discountRecords(batch);
    if (isOwed) {
      for (let at = 0; at < batch.slots.length; at++) {
        const slot = batch.slots.at(at);
        // Older records of the key are on disk and must not come back.
        if (index.records(slot) > 0) this.owe(slot);
      }
    }
    catalog.detach(batch);
    batch.settle(false);
  }

  /** Writes what waits as far as that can be done at once; what waits for a new segment to be begun is lost. */
  #drain(): void {
    if (!this.#isBusy) this.#writeNow();
  }

  #writeNow(): void {
    this.#lingersSince = this.#core.stopwatch();
    this.#push();
    this.#run();
  }

  #push(): void {
    const batch = this.#filling;
    if (batch === undefined || batch.count === 0) return;
    this.#filling = undefined;
    this.#work.push(batch);
    this.#waitingBytes += batch.used;
  }

  /** Works off what can be done at once; goes on later with what has to wait. */
  #run(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (;;) {
      // What came while another batch was being written, and is waited for, has gathered by now.
      if (this.#work.length === 0 && this.#filling?.isAwaited && !this.#isPrompted) this.#push();
      const item = this.#work.shift();
      if (item === undefined) break;
      const done = this.#do(item);
      if (done instanceof Promise) {
        done.then(() => this.#resume(), (error: unknown) => {
          reportError(this.#core, "Cannot write to segment log", error);
          this.#resume();
        });
        return;
      }
    }
    this.#isBusy = false;
  }

  #resume(): void {
    this.#isBusy = false;
    this.#run();
  }

  #do(item: Batch | QueuedTask): MaybePromise<void> {
    if (typeof item === "function") return item();
    if (item.isWritten) return this.#finish(item, true);
    const { active } = this.#destination;
    if (!this.#core.health.canWrite()) return this.#finish(item, false);
    // A new segment begins with what the disk is still owed.
    const mustRoll = active === undefined || this.isOwing || !active.fits(item);
    if (mustRoll) return this.#writeToNext(item);
    try {
      const written = active.write(item, this.#core.durability === "batch");
      if (written instanceof Promise) {
        return written.then(() => this.#finish(item, true), (error) => this.#retry(item, error));
      }
    } catch (error) {
      return this.#retry(item, error);
    }
    return this.#finish(item, true);
  }

  async #writeToNext(batch: Batch): Promise<void> {
    this.#writing = batch;
    try {
      let isWritten = false;
      // What was carried over may have left too little room in the first new segment.
      for (let tries = 0; tries < MOST_ROLLS && !isWritten; tries++) {
        if (!await this.#destination.roll()) break;
        isWritten = await this.#writeOut(batch);
      }
      if (!isWritten) {
        reportError(this.#core, "Cannot write to segment log: there is no room within its limit");
      }
      this.#finish(batch, isWritten);
    } catch (error) {
      await this.#retry(batch, error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeOut(batch: Batch): Promise<boolean> {
    if (batch.isWritten) return true;
    const { active } = this.#destination;
    if (!active?.fits(batch)) return false;
    await active.write(batch, this.#core.durability === "batch");
    return true;
  }

  /** A full disk gets one chance, after room was made; other failures give the batch up. */
  async #retry(batch: Batch, error: unknown): Promise<void> {
    let failure = error;
    if (isDiskFull(error)) {
      try {
        const isRelieved = await this.#destination.relieve() &&
          (this.#destination.active !== undefined || await this.#destination.roll());
        if (isRelieved && await this.#writeOut(batch)) return this.#finish(batch, true);
      } catch (secondError) {
        failure = secondError;
      }
    }
    this.#destination.abandon();
    this.#core.health.writeFailed(failure);
    this.#finish(batch, false);
  }

  #finish(batch: Batch, isWritten: boolean): void {
    this.#waitingBytes -= batch.used;
    if (isWritten) {
      batch.settle(true);
      this.recycle(batch);
    } else {
      this.drop(batch, true);
    }
  }
}
