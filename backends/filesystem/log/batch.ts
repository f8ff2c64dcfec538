import type { HintWriter } from "./hint.ts";
import {
  type Block,
  bodyOffset,
  checkOfBody,
  FLAG_UTF16_KEY,
  KIND_GENERATION,
  makeBlock,
  makeRecordHeader,
  parseHeader,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  recordLength,
  sealHeader,
  writeHeader,
  writeKey,
} from "./record.ts";
import type { Holder } from "./segment.ts";
import { SlotList } from "./slot_list.ts";

const NOTHING = new Uint8Array(0);

/** Records on their way to the disk, in one piece of memory that is written at once. */
export class Batch implements Holder {
  id: number;
  readonly block: Block;
  readonly slots: SlotList = new SlotList();
  /** Where in the block the record of each slot is. */
  readonly offsets: SlotList = new SlotList();
  liveBytes = 0;
  tombstoneBytes = 0;
  /** Bytes filled. */
  used = 0;
  /** Records in it. */
  count = 0;
  /** The oldest stamp in it. */
  oldestStamp = Infinity;
  /** The newest generation in it, 0 for none. */
  generation = 0;
  /** Whether its records stand in a segment. */
  isWritten = false;
  /** Runs once its records stand where they were promised to be. */
  afterwards: (() => void)[] = [];
  readonly #header: RecordHeader = makeRecordHeader();
  #outcome: PromiseWithResolvers<boolean> | undefined;
  #settled: boolean | undefined;

  constructor(id: number, block: Block) {
    this.id = id;
    this.block = block;
  }

  forgetSlots(): void {
    this.slots.reset();
    this.offsets.reset();
    this.liveBytes = 0;
    this.tombstoneBytes = 0;
  }

  /** Whether a record surely fits. */
  hasRoom(keyUnits: number, bodyLength: number): boolean {
    return this.used + maxRecordLength(keyUnits, bodyLength) <= this.block.bytes.length;
  }

  /**
   * Lays a record behind the others; all of `header` but lengths, flags and check is given.
   *
   * @returns its length; it begins at `used` less that.
   */
  append(header: RecordHeader, key: string, body: Uint8Array = NOTHING): number {
    const { block, used: at } = this;
    const keyAt = at + RECORD_HEADER_BYTES;
    const written = writeKey(key, block, keyAt);
    header.flags = written < 0 ? FLAG_UTF16_KEY : 0;
    header.keyLength = written < 0 ? -written - 1 : written;
    header.bodyLength = body.length;
    header.check = checkOfBody(header.kind, body);
    const bodyAt = at + bodyOffset(header.keyLength);
    const length = recordLength(header.keyLength, body.length);
    const { bytes } = block;
    for (let pad = keyAt + header.keyLength; pad < bodyAt; pad++) bytes[pad] = 0;
    bytes.set(body, bodyAt);
    for (let pad = bodyAt + body.length; pad < at + length; pad++) bytes[pad] = 0;
    writeHeader(block, at, header);
    this.used += length;
    this.count++;
    return length;
  }

  /** Counts a whole record from elsewhere that was read to behind the others. */
  appendRead(length: number): void {
    this.used += length;
    this.count++;
  }

  /** Ends all headers for a place in a segment, and notes the records in its hint. */
  seal(salt: number, offset: number, durableTo: number, hint: HintWriter): void {
    const header = this.#header;
    for (let at = 0; at < this.used;) {
      parseHeader(this.block.view, at, header);
      const length = recordLength(header.keyLength, header.bodyLength);
      if (header.stamp < this.oldestStamp) this.oldestStamp = header.stamp;
      if (header.kind === KIND_GENERATION && header.stamp > this.generation) {
        this.generation = header.stamp;
      }
      sealHeader(this.block, at, salt, offset + at, durableTo);
      hint.add(header, offset + at, length);
      at += length;
    }
  }

  /** Resolves with whether the batch has come to stand where it was promised to be. */
  get outcome(): Promise<boolean> {
    if (this.#settled !== undefined) return Promise.resolve(this.#settled);
    this.#outcome ??= Promise.withResolvers();
    return this.#outcome.promise;
  }

  /** Whether somebody waits for {@linkcode Batch.outcome}. */
  get isAwaited(): boolean {
    return this.#outcome !== undefined;
  }

  /** Tells all who wait for {@linkcode Batch.outcome}. */
  settle(isWritten: boolean): void {
    this.isWritten = isWritten;
    this.#settled = isWritten;
    this.#outcome?.resolve(isWritten);
    if (isWritten) { for (const action of this.afterwards) action(); }
  }

  /** Begins anew under another number, once nobody needs what was in it. */
  reuse(id: number): this {
    this.id = id;
    this.forgetSlots();
    this.used = 0;
    this.count = 0;
    this.oldestStamp = Infinity;
    this.generation = 0;
    this.isWritten = false;
    if (this.afterwards.length > 0) this.afterwards = [];
    this.#outcome = undefined;
    this.#settled = undefined;
    return this;
  }
}

/** The most bytes that a record of a key and a body can take. */
export function maxRecordLength(keyUnits: number, bodyLength: number): number {
  return recordLength(keyUnits * 3, bodyLength);
}

/** A batch with memory of its own. */
export function makeBatch(id: number, length: number): Batch {
  return new Batch(id, makeBlock(length));
}
