import { CacheEntry } from "../entry/entry.ts";
import {
  encodeEnd,
  encodeHeader,
  encodeRecord,
  KeyListReader,
  KeyListWriter,
  RecordKind,
  type SnapshotHeader,
  type SnapshotRecord,
} from "./snapshot_format.ts";
import type { TableRow } from "./successor_table.ts";

/** Lists of keys are cut into records of about this many bytes; small records are written together. */
const PIECE_BYTES = 256 * 1024;

/** What a snapshot holds. */
export interface SnapshotContent {
  readonly header: SnapshotHeader;
  /** Keys whose values are elsewhere. */
  readonly keys: AsyncIterable<string> | Iterable<string>;
  /** Entries with their values. */
  readonly entries: AsyncIterable<CacheEntry>;
  /** What has followed what. */
  readonly rows: Iterable<TableRow>;
}

/** Writes a snapshot, piece by piece. */
export async function* encodeSnapshot(content: SnapshotContent): AsyncGenerator<Uint8Array> {
  let records = 0;
  let gathered: Uint8Array[] = [encodeHeader(content.header)];
  let length = 0;
  for await (const record of recordsOf(content)) {
    records++;
    const bytes = encodeRecord(record);
    gathered.push(bytes);
    length += bytes.length;
    if (length < PIECE_BYTES) continue;
    yield joined(gathered);
    gathered = [];
    length = 0;
  }
  yield joined([...gathered, encodeEnd(records)]);
}

/** Takes an entry out of its record. @throws {CacheError} when it is damaged. */
export function entryIn(bytes: Uint8Array): CacheEntry {
  const reader = new KeyListReader(bytes);
  const key = reader.key();
  // In a buffer of its own, so that an array in it is aligned and nothing else kept alive.
  return CacheEntry.decode(key, bytes.slice(reader.at));
}

/** Takes keys out of their record. @throws {CacheError} when they are damaged. */
export function keysIn(bytes: Uint8Array): string[] {
  const keys: string[] = [];
  for (const reader = new KeyListReader(bytes); reader.hasMore;) keys.push(reader.key());
  return keys;
}

/** No table has more rows. */
const MAX_ROWS = 1 << 20;

/** Gathers what has followed what, of any number of records. */
export class RowsIn {
  readonly #keys: string[] = [];
  readonly #rows: { visits: number; successors: { place: number; count: number }[] }[] = [];

  /** Takes in a record. @throws {CacheError} when it is damaged. */
  add(bytes: Uint8Array): void {
    const reader = new KeyListReader(bytes);
    while (reader.hasMore && this.#keys.length < MAX_ROWS) {
      this.#keys.push(reader.key());
      const visits = reader.u8();
      const successors = Array.from(
        { length: reader.u8() },
        () => ({ place: reader.u32(), count: reader.u8() }),
      );
      this.#rows.push({ visits, successors });
    }
  }

  /** All rows. */
  rows(): TableRow[] {
    return this.#rows.map(({ visits, successors }, at) => ({
      key: this.#keys[at]!,
      visits,
      successors: successors
        .filter(({ place }) => place < this.#keys.length)
        .map(({ place, count }) => ({ key: this.#keys[place]!, count })),
    }));
  }
}

async function* recordsOf(
  { keys, entries, rows }: SnapshotContent,
): AsyncGenerator<SnapshotRecord> {
  const list = new KeyListWriter();
  for await (const key of keys) {
    list.key(key);
    if (list.length >= PIECE_BYTES) yield { kind: RecordKind.keys, bytes: list.take() };
  }
  if (list.length > 0) yield { kind: RecordKind.keys, bytes: list.take() };
  for await (const entry of entries) {
    let frame: Uint8Array;
    try {
      // The entry that memory holds must not come to hold its bytes as well.
      frame = await entry.withoutBytes().encode();
    } catch {
      // What the format cannot carry is not kept.
      continue;
    }
    yield { kind: RecordKind.entry, bytes: joined([list.key(entry.key).take(), frame]) };
  }
  const all = [...rows];
  const places = new Map(all.map(({ key }, at) => [key, at]));
  for (const { key, visits, successors } of all) {
    const known = successors.filter((successor) => places.has(successor.key));
    list.key(key).u8(visits).u8(known.length);
    for (const { key, count } of known) list.u32(places.get(key)!).u8(count);
    if (list.length >= PIECE_BYTES) yield { kind: RecordKind.successors, bytes: list.take() };
  }
  if (list.length > 0) yield { kind: RecordKind.successors, bytes: list.take() };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
