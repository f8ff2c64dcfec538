import type { MaybePromise } from "../../../src/maybe_promise.ts";
import type { Batch } from "./batch.ts";
import { type LogCore, pathOf } from "./core.ts";
import { createFile, writeFully, writeFullyAsync } from "./file_layer.ts";
import { HINT_ENTRY_BYTES, HintWriter } from "./hint.ts";
import {
  encodeSegmentHeader,
  headerOfName,
  hintName,
  Segment,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "./segment.ts";

/** The segment that this process appends to. */
export class ActiveSegment {
  readonly segment: Segment;
  readonly #core: LogCore;
  readonly #file: number;
  readonly #hint: HintWriter = new HintWriter();
  #syncedEnd = 0;
  #isClosed = false;

  private constructor(core: LogCore, segment: Segment, file: number) {
    this.#core = core;
    this.segment = segment;
    this.#file = file;
  }

  /** Begins a new segment, whose name nobody has used or will use. */
  static create(core: LogCore, writer: number): ActiveSegment {
    const name = segmentName(core.stamps.next(), writer);
    const { layer, directory, catalog } = core;
    const header = headerOfName(name, core.segmentBytes, directory.id);
    const file = layer.open(pathOf(core, name), "create");
    try {
      const bytes = encodeSegmentHeader(header, directory.id);
      writeFully(layer, file, bytes, bytes.length, 0);
      if (core.durability !== "none") layer.syncDirectory(directory.path);
    } catch (error) {
      layer.close(file);
      try {
        layer.unlink(pathOf(core, name));
      } catch {
        // The first error says more; whoever takes the lock next sweeps the file.
      }
      throw error;
    }
    return new ActiveSegment(core, new Segment(catalog.freeId(), name, header), file);
  }

  /** Bytes of records that still fit, if they are so many. */
  room(records: number): number {
    return this.segment.header.capacity - this.segment.end - this.#hint.length -
      records * HINT_ENTRY_BYTES;
  }

  /** Whether a batch fits, its entries in the hint included. */
  fits(batch: Batch): boolean {
    return !this.#isClosed && batch.used <= this.room(batch.count);
  }

  /**
   * Appends a batch in one write, and lets the catalog know that its records
   * stand here now.
   *
   * @param isSynced whether it must be durable before that counts as done.
   * @throws what the file layer throws; then nothing has changed, but for bytes behind the end.
   */
  write(batch: Batch, isSynced: boolean): MaybePromise<void> {
    const { layer, meter, durability } = this.#core;
    const { segment } = this;
    const records = this.#hint.count;
    const durableTo = durability === "batch" ? this.#syncedEnd : segment.end;
    batch.seal(segment.header.salt, segment.end, durableTo, this.#hint);
    if (isSynced || meter.isAsync) {
      return this.#writeAsync(batch, isSynced).catch((error: unknown) => {
        this.#hint.cutTo(records);
        throw error;
      });
    }
    try {
      writeFully(layer, this.#file, batch.block.bytes, batch.used, segment.end);
    } catch (error) {
      this.#hint.cutTo(records);
      throw error;
    }
    this.#take(batch);
  }

  /** Makes all that was written durable. */
  async sync(): Promise<void> {
    const { end } = this.segment;
    if (this.#isClosed || this.#syncedEnd === end) return;
    await this.#core.layer.syncAsync(this.#file);
    this.#syncedEnd = end;
  }

  /**
   * Ends the segment: nothing is appended any more, its hint is written. What
   * was not acknowledged behind its end is cut off.
   */
  async seal(): Promise<void> {
    if (this.#isClosed) return;
    const { layer, durability } = this.#core;
    const { segment } = this;
    try {
      // A sound hint vouches for the records, so they have to be durable before it.
      if (durability !== "none") await this.sync();
      if (layer.sizeOf(this.#file) > segment.end) layer.truncate(this.#file, segment.end);
      const hint = this.#hint.finish(segment.header.salt, segment.end);
      createFile(layer, pathOf(this.#core, hintName(segment.name)), hint, false);
      segment.hintBytes = hint.length;
    } finally {
      this.close();
    }
  }

  /** Ends the segment without a hint, after a failure; the next one who takes the lock writes it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.segment.sealed = true;
    this.segment.slots.trim();
    try {
      this.segment.fileBytes = this.#core.layer.sizeOf(this.#file);
      this.#core.layer.close(this.#file);
    } catch {
      // Whatever was acknowledged has been synced before, as far as that was promised.
    }
  }

  async #writeAsync(batch: Batch, isSynced: boolean): Promise<void> {
    const { layer } = this.#core;
    const end = this.segment.end + batch.used;
    await writeFullyAsync(layer, this.#file, batch.block.bytes, batch.used, this.segment.end);
    if (isSynced) {
      await layer.syncAsync(this.#file);
      this.#syncedEnd = end;
    }
    this.#take(batch);
  }

  #take(batch: Batch): void {
    const { catalog } = this.#core;
    const { index } = catalog;
    const { segment } = this;
    const base = segment.end;
    for (let at = 0; at < batch.slots.length; at++) {
      const slot = batch.slots.at(at);
      const offset = batch.offsets.at(at);
      segment.slots.push(slot);
      if (index.segment(slot) === batch.id && index.offset(slot) === offset) {
        catalog.move(slot, segment, base + offset);
      }
    }
    segment.oldestStamp = Math.min(segment.oldestStamp, batch.oldestStamp);
    segment.generation = Math.max(segment.generation, batch.generation);
    segment.end = base + batch.used;
    batch.forgetSlots();
    catalog.detach(batch);
  }
}

/** Bytes of an empty segment file. */
export const EMPTY_SEGMENT_BYTES: number = SEGMENT_HEADER_BYTES;
