import type { MaybePromise } from "../../../src/maybe_promise.ts";
import { Batch } from "./batch.ts";
import { REFERENCE } from "./catalog.ts";
import { type LogCore, reportCorrupt, reportError } from "./core.ts";
import { errorCode, readFully, readFullyAsync } from "./file_layer.ts";
import { NO_SEGMENT } from "./index.ts";
import {
  bodyOffset,
  isBodyIntact,
  isKeyAt,
  KIND_REFERENCE,
  KIND_VALUE,
  readKey,
  RECORD_HEADER_BYTES,
} from "./record.ts";
import { Segment } from "./segment.ts";

/** What a log holds for a key. */
export interface StoredEntry {
  /** The frame, or what the reference names; the caller's own. */
  readonly body: Uint8Array;
  /** Whether the body names a file that holds the frame. */
  readonly isReference: boolean;
  /** From when on it is a miss, epoch milliseconds. */
  readonly expiresAt: number;
}

/** Neighbours this close are read at once, with what is between them. */
const MAX_GAP_BYTES = 8 * 1024;
const MAX_SPAN_BYTES = 512 * 1024;
/** Enough for the header and most keys. */
const KEY_READ_BYTES = RECORD_HEADER_BYTES + 192;
const KEY_CHUNK_SLOTS = 4096;

/** Records of one segment that are read at once. */
interface Span {
  readonly segment: Segment;
  readonly start: number;
  end: number;
  readonly members: { readonly position: number; readonly slot: number }[];
}

/** Reads records by slot. */
export class Reader {
  readonly #core: LogCore;
  readonly #checkBodies: boolean;

  constructor(core: LogCore, checkBodies: boolean) {
    this.#core = core;
    this.#checkBodies = checkBodies;
  }

  /** The entry of a slot, if its record is of this key and undamaged. */
  read(slot: number, key: string): MaybePromise<StoredEntry | undefined> {
    const { index } = this.#core.catalog;
    const offset = index.offset(slot);
    const length = index.length(slot);
    const holder = this.#core.catalog.holder(index.segment(slot));
    if (holder instanceof Segment) {
      if (this.#core.meter.isAsync) return this.#readAsync(holder, slot, offset, length, key);
      const bytes = this.#readSync(holder, offset, length);
      return bytes === undefined ? undefined : this.take(bytes, slot, key);
    }
    return holder instanceof Batch
      ? this.take(holder.block.bytes.slice(offset, offset + length), slot, key)
      : undefined;
  }

  /** The record of a slot, also when it is hidden; `undefined` when it cannot be read. */
  record(slot: number): Uint8Array | undefined {
    const { index } = this.#core.catalog;
    const offset = index.offset(slot);
    const length = index.length(slot);
    const holder = this.#core.catalog.holder(index.segment(slot));
    if (holder instanceof Batch) return holder.block.bytes.slice(offset, offset + length);
    return holder instanceof Segment ? this.#readSync(holder, offset, length) : undefined;
  }

  /** The body of a slot's record, also when it is hidden. */
  bodyOf(slot: number): Uint8Array | undefined {
    const bytes = this.record(slot);
    if (bytes === undefined || bytes.length < RECORD_HEADER_BYTES) return undefined;
    const at = bodyOffset(uint32(bytes, 12));
    const body = bytes.subarray(at, at + uint32(bytes, 16));
    return isBodyIntact(bytes[9]!, uint32(bytes, 20), body) ? body : undefined;
  }

  /**
   * Takes a record apart. One that is damaged becomes a miss for good.
   *
   * @param bytes the whole record, the result's from now on.
   */
  take(bytes: Uint8Array, slot: number, key: string): StoredEntry | undefined {
    const keyLength = uint32(bytes, 12);
    const bodyLength = uint32(bytes, 16);
    const kind = bytes[9]!;
    const bodyAt = bodyOffset(keyLength);
    if (
      bodyAt + bodyLength > bytes.length || bodyAt + bodyLength + 7 < bytes.length ||
      kind !== KIND_VALUE && kind !== KIND_REFERENCE
    ) {
      this.#damaged(slot, key);
      return undefined;
    }
    if (!isKeyAt(key, bytes, RECORD_HEADER_BYTES, keyLength, bytes[10]!)) {
      this.#damagedUnlessOther(bytes, slot, key);
      return undefined;
    }
    const body = bytes.subarray(bodyAt, bodyAt + bodyLength);
    const isReference = kind === KIND_REFERENCE;
    if ((this.#checkBodies || isReference) && !isBodyIntact(kind, uint32(bytes, 20), body)) {
      this.#damaged(slot, key);
      return undefined;
    }
    return { body, isReference, expiresAt: this.#core.catalog.index.expires(slot) };
  }

  /** The entries of many slots (-1 for none), neighbours read at once. */
  readMany(
    slots: readonly number[],
    keys: readonly string[],
  ): MaybePromise<(StoredEntry | undefined)[]> {
    const found: (StoredEntry | undefined)[] = new Array(slots.length).fill(undefined);
    const spans = this.#plan(slots, keys, found);
    const { epoch } = this.#core.catalog;
    if (!this.#core.meter.isAsync) {
      for (const span of spans) {
        const bytes = this.#readSync(span.segment, span.start, span.end - span.start);
        this.#takeSpan(span, bytes, keys, found, epoch);
      }
      return found;
    }
    return Promise.all(spans.map(async (span) => {
      const length = span.end - span.start;
      const bytes = await this.#readBytesAsync(span.segment, span.start, length);
      this.#takeSpan(span, bytes, keys, found, epoch);
    })).then(() => found);
  }

  /** The keys of all visible entries, each with its slot, by chunks that were read at once. */
  *keyChunks(): Generator<(readonly [key: string, slot: number])[]> {
    const { catalog } = this.#core;
    const { index, epoch } = catalog;
    for (let first = 0; first < index.slots && catalog.epoch === epoch; first += KEY_CHUNK_SLOTS) {
      const slots: number[] = [];
      for (let slot = first; slot < Math.min(index.slots, first + KEY_CHUNK_SLOTS); slot++) {
        if (index.isUsed(slot) && catalog.isVisible(slot)) slots.push(slot);
      }
      slots.sort((a, b) =>
        index.segment(a) - index.segment(b) || index.offset(a) - index.offset(b)
      );
      const chunk: (readonly [string, number])[] = [];
      for (const slot of slots) {
        const key = this.#keyOf(slot);
        if (key !== undefined) chunk.push([key, slot]);
      }
      yield chunk;
    }
  }

  /** The bodies of all references. */
  references(): Uint8Array[] {
    const { index } = this.#core.catalog;
    const bodies: Uint8Array[] = [];
    for (let slot = 0; slot < index.slots; slot++) {
      const body = index.isUsed(slot) && this.isReference(slot) ? this.bodyOf(slot) : undefined;
      if (body !== undefined) bodies.push(body);
    }
    return bodies;
  }

  #keyOf(slot: number): string | undefined {
    const { index } = this.#core.catalog;
    const offset = index.offset(slot);
    const length = index.length(slot);
    const holder = this.#core.catalog.holder(index.segment(slot));
    const wanted = Math.min(length, KEY_READ_BYTES);
    let bytes = holder instanceof Segment
      ? this.#readSync(holder, offset, wanted)
      : this.record(slot);
    if (bytes === undefined || bytes.length < RECORD_HEADER_BYTES) return undefined;
    const end = RECORD_HEADER_BYTES + uint32(bytes, 12);
    if (end > bytes.length) bytes = this.record(slot);
    if (bytes === undefined || end > bytes.length) return undefined;
    return readKey(bytes.subarray(RECORD_HEADER_BYTES, end), bytes[10]!);
  }

  #plan(
    slots: readonly number[],
    keys: readonly string[],
    found: (StoredEntry | undefined)[],
  ): Span[] {
    const { catalog } = this.#core;
    const { index } = catalog;
    const positions: number[] = [];
    for (let position = 0; position < slots.length; position++) {
      const slot = slots[position]!;
      if (slot < 0) continue;
      if (catalog.holder(index.segment(slot)) instanceof Segment) positions.push(position);
      else found[position] = this.read(slot, keys[position]!) as StoredEntry | undefined;
    }
    positions.sort((a, b) =>
      index.segment(slots[a]!) - index.segment(slots[b]!) ||
      index.offset(slots[a]!) - index.offset(slots[b]!)
    );
    const spans: Span[] = [];
    let last: Span | undefined;
    for (const position of positions) {
      const slot = slots[position]!;
      const segment = catalog.holder(index.segment(slot)) as Segment;
      const start = index.offset(slot);
      const end = start + index.length(slot);
      const isNeighbour = last?.segment === segment && start - last.end <= MAX_GAP_BYTES &&
        end - last.start <= MAX_SPAN_BYTES;
      if (last === undefined || !isNeighbour) {
        last = { segment, start, end, members: [] };
        spans.push(last);
      }
      last.end = Math.max(last.end, end);
      last.members.push({ position, slot });
    }
    return spans;
  }

  #takeSpan(
    span: Span,
    bytes: Uint8Array | undefined,
    keys: readonly string[],
    found: (StoredEntry | undefined)[],
    epoch: number,
  ): void {
    if (bytes === undefined) return;
    const { catalog } = this.#core;
    const { index } = catalog;
    for (const { position, slot } of span.members) {
      // While the read was under way, the record may have been carried elsewhere, replaced or cleared.
      const isSlot = catalog.epoch === epoch && index.segment(slot) === span.segment.id;
      const at = isSlot ? index.offset(slot) - span.start : -1;
      if (at < 0 || at + index.length(slot) > bytes.length) {
        found[position] = this.#again(slot, keys[position]!);
        continue;
      }
      // A part of its own, so that one vector that is kept does not keep all the others.
      const record = span.members.length === 1 ? bytes : bytes.slice(at, at + index.length(slot));
      found[position] = this.take(record, slot, keys[position]!);
    }
  }

  async #readAsync(
    segment: Segment,
    slot: number,
    offset: number,
    length: number,
    key: string,
  ): Promise<StoredEntry | undefined> {
    const { catalog } = this.#core;
    const { index, epoch } = catalog;
    const bytes = await this.#readBytesAsync(segment, offset, length);
    const isHere = catalog.epoch === epoch && index.segment(slot) === segment.id &&
      index.offset(slot) === offset;
    if (!isHere) return this.#again(slot, key);
    return bytes === undefined ? undefined : this.take(bytes, slot, key);
  }

  /** Reads once more what has moved while it was being read; the slot may be another key's by now. */
  #again(slot: number, key: string): StoredEntry | undefined {
    const { catalog, hash } = this.#core;
    hash.of(key);
    if (catalog.find(hash.low, hash.high) !== slot || !catalog.isVisible(slot)) return undefined;
    const bytes = this.record(slot);
    return bytes === undefined ? undefined : this.take(bytes, slot, key);
  }

  async #readBytesAsync(
    segment: Segment,
    offset: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    const { layer, files, health } = this.#core;
    let file = -1;
    try {
      // The cache may close its file while this read is under way, and the number may become another file's.
      file = files.reopen(segment);
      const bytes = new Uint8Array(length);
      return await readFullyAsync(layer, file, bytes, 0, length, offset) === length
        ? bytes
        : undefined;
    } catch (error) {
      this.#failed(error);
      if (errorCode(error) !== "ENOENT") health.readFailed(error);
      return undefined;
    } finally {
      if (file >= 0) layer.close(file);
    }
  }

  #readSync(segment: Segment, offset: number, length: number): Uint8Array | undefined {
    const { layer, files, meter, health } = this.#core;
    try {
      const file = files.file(segment);
      const bytes = new Uint8Array(length);
      const began = meter.begin();
      const count = readFully(layer, file, bytes, 0, length, offset);
      meter.end(began);
      return count === length ? bytes : undefined;
    } catch (error) {
      this.#failed(error);
      if (errorCode(error) !== "ENOENT") health.readFailed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    // Another process has removed the segment; the next look at the directory tells.
    if (errorCode(error) === "ENOENT") return;
    reportError(this.#core, "Cannot read from segment log", error);
  }

  /** A record that is sound but of another key has that key's hash by chance; the entry stays that key's. */
  #damagedUnlessOther(bytes: Uint8Array, slot: number, key: string): void {
    const { catalog, hash } = this.#core;
    const other = readKey(
      bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + uint32(bytes, 12)),
      bytes[10]!,
    );
    hash.of(other ?? key);
    const isOther = other !== undefined && catalog.find(hash.low, hash.high) === slot;
    if (!isOther) this.#damaged(slot, key);
  }

  #damaged(slot: number, key: string): void {
    const { catalog } = this.#core;
    if (catalog.index.segment(slot) !== NO_SEGMENT) catalog.hide(slot);
    reportCorrupt(this.#core, "Cannot read record: it is damaged", key);
  }

  /** Whether the record of a slot names a file. */
  isReference(slot: number): boolean {
    return (this.#core.catalog.index.flags(slot) & REFERENCE) !== 0;
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
