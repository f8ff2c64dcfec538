import { crc32 } from "../entry/checksum.ts";
import { decodeKey, encodeKey } from "../entry/frame.ts";
import { PieceReader } from "../entry/piece_reader.ts";
import { CacheError } from "../errors.ts";

/*
 * Snapshot, version 1. All numbers are little-endian.
 *
 *   offset  type  field
 *        0  u32   magic 0x50535453, the letters "STSP"
 *        4  u8    format version, 1
 *        5  u8    0
 *        6  u16   0
 *        8  f64   made at, epoch milliseconds
 *       16  f64   id, a whole number: names the list of what has changed since
 *       24  u32   0
 *       28  u32   CRC-32 of bytes 0 to 27
 *       32        records
 *
 * A record:
 *
 *        0  u32   kind: 1 keys, 2 entry, 3 successors, 4 end
 *        4  u32   length of what it holds, in bytes
 *        8  u32   CRC-32 of that
 *       12  u32   CRC-32 of bytes 0 to 11
 *       16        what it holds
 *
 * Keys and successors are lists of keys, each a u32 of twice its length in
 * bytes, plus 1 where it is UTF-16LE instead of UTF-8, and its bytes. Behind
 * each key of successors stand a u8 of its visits, a u8 of the number of its
 * successors, and for each of those a u32, its place among all keys of such
 * records, and a u8, how often it followed. An entry is a frame, see frame.ts.
 * The end holds the number of records before it as a u32.
 */

const MAGIC = 0x50535453;
const FORMAT_VERSION = 1;
const HEADER_BYTES = 32;
const RECORD_HEADER_BYTES = 16;

/** No record is longer. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

const NO_BYTES = new Uint8Array(0);

/** What a record holds. */
export const RecordKind = { keys: 1, entry: 2, successors: 3, end: 4 } as const;

/** One record of a snapshot. */
export interface SnapshotRecord {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** What the header of a snapshot tells. */
export interface SnapshotHeader {
  /** When it was made, epoch milliseconds. */
  readonly madeAt: number;
  /** Names the list of what has changed since. */
  readonly id: number;
}

/** Writes the header. */
export function encodeHeader({ madeAt, id }: SnapshotHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, FORMAT_VERSION);
  view.setFloat64(8, madeAt, true);
  view.setFloat64(16, id, true);
  view.setUint32(28, crc32(bytes.subarray(0, 28)), true);
  return bytes;
}

/** Writes a record. */
export function encodeRecord({ kind, bytes }: SnapshotRecord): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, kind, true);
  view.setUint32(4, bytes.length, true);
  view.setUint32(8, crc32(bytes), true);
  view.setUint32(12, crc32(record.subarray(0, 12)), true);
  record.set(bytes, RECORD_HEADER_BYTES);
  return record;
}

/** Writes the last record. */
export function encodeEnd(records: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, records, true);
  return encodeRecord({ kind: RecordKind.end, bytes });
}

/** Reads a snapshot piece by piece. */
export class SnapshotReader {
  readonly #pieces: PieceReader;

  /** @param pieces the bytes of the file. */
  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = new PieceReader(async () => {
      const { done, value } = await pieces.next();
      return done ? { done, value: NO_BYTES } : { done: false, value };
    });
  }

  /**
   * Reads the header.
   *
   * @throws {CacheError} `"unsupported-format"` when it is of another version, or no snapshot at all; `"corrupt"` when it is damaged.
   */
  async header(): Promise<SnapshotHeader> {
    if (!await this.#pieces.fill(5)) throw foreign("it is too short");
    const start = this.#pieces.peek(5);
    if (viewOf(start).getUint32(0, true) !== MAGIC) throw foreign("it is no snapshot");
    if (start[4] !== FORMAT_VERSION) throw foreign(`it is of version ${start[4]}`);
    await this.#need(HEADER_BYTES);
    const bytes = this.#pieces.take(HEADER_BYTES);
    const view = viewOf(bytes);
    if (view.getUint32(28, true) !== crc32(bytes.subarray(0, 28))) throw damaged("its header is");
    const id = view.getFloat64(16, true);
    if (!Number.isSafeInteger(id) || id < 0) throw damaged("its id is");
    return { madeAt: view.getFloat64(8, true), id };
  }

  /**
   * Reads the records up to the end.
   *
   * @throws {CacheError} `"corrupt"` at the first one that is damaged, and when there is no end.
   */
  async *records(): AsyncGenerator<SnapshotRecord> {
    for (let count = 0;; count++) {
      await this.#need(RECORD_HEADER_BYTES);
      const header = this.#pieces.take(RECORD_HEADER_BYTES);
      const view = viewOf(header);
      const length = view.getUint32(4, true);
      const isSound = view.getUint32(12, true) === crc32(header.subarray(0, 12)) &&
        length <= MAX_RECORD_BYTES;
      if (!isSound) throw damaged(`the header of record ${count} is`);
      await this.#need(length);
      const bytes = this.#pieces.take(length);
      if (view.getUint32(8, true) !== crc32(bytes)) throw damaged(`record ${count} is`);
      const kind = view.getUint32(0, true);
      if (kind === RecordKind.end) {
        if (length !== 4 || viewOf(bytes).getUint32(0, true) !== count) {
          throw damaged("the number of its records is");
        }
        return;
      }
      yield { kind, bytes };
    }
  }

  async #need(length: number): Promise<void> {
    if (!await this.#pieces.fill(length)) {
      throw new CacheError("corrupt", "Cannot read snapshot: it is cut");
    }
  }
}

/** Gathers keys, and numbers behind them, into the bytes of a record. */
export class KeyListWriter {
  #bytes = new Uint8Array(1024);
  #view = viewOf(this.#bytes);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends a key. */
  key(key: string): this {
    const { bytes, utf16 } = encodeKey(key);
    this.u32(bytes.length * 2 + (utf16 ? 1 : 0));
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Appends a number. */
  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  /** Appends a number. */
  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Takes what was appended. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

/** Reads what a {@linkcode KeyListWriter} has written. @throws {CacheError} `"corrupt"` for what it cannot have. */
export class KeyListReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Bytes that have been read. */
  get at(): number {
    return this.#at;
  }

  /** Whether there is more. */
  get hasMore(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** The next key. */
  key(): string {
    const head = this.u32();
    const start = this.#advance(head >>> 1);
    return decodeKey(this.#bytes.subarray(start, this.#at), (head & 1) === 1);
  }

  /** The next number. */
  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** The next number. */
  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) throw damaged("a list of keys is");
    this.#at += count;
    return start;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function foreign(reason: string): CacheError {
  return new CacheError("unsupported-format", `Cannot read snapshot: ${reason}`);
}

function damaged(part: string): CacheError {
  return new CacheError("corrupt", `Cannot read snapshot: ${part} damaged`);
}
