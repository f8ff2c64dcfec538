import { type FileLayer, readFully } from "./file_layer.ts";
import {
  blockOf,
  bodyOffset,
  isBodyIntact,
  isKnownRecord,
  KIND_TOMBSTONE,
  makeRecordHeader,
  readHeader,
  RECORD_ALIGNMENT,
  type RecordHeader,
} from "./record.ts";

/** Takes a record that a scan found; the header is filled in anew for the next one. */
export type RecordSink = (header: RecordHeader, offset: number, length: number) => void;

/** What a scan found. */
export interface ScanResult {
  /** Behind the last record that was handed out. */
  readonly end: number;
  /** The highest `durableTo` of all records. */
  readonly durableTo: number;
  /** Records whose body is damaged. */
  readonly damaged: number;
}

/** What to scan. */
export interface ScanOptions {
  /** The open segment. */
  readonly file: number;
  /** Where the first record begins. */
  readonly from: number;
  /** Length of the file. */
  readonly to: number;
  /** Salt of the segment. */
  readonly salt: number;
  /** `durableTo` known from before. */
  readonly durableTo: number;
  /**
   * Nobody writes to it any more. A scan of a segment in use stops at the
   * first record that is not whole, which may be one that is being written; a
   * final one goes on behind it.
   */
  readonly isFinal: boolean;
}

/**
 * Reads the records of a segment that has no hint.
 *
 * A damaged body costs its record only. Such a record is handed out as a
 * tombstone when what was promised to be on disk has been damaged, so that no
 * older value of the key comes back; behind that mark it was never
 * acknowledged, and is passed over. Behind a damaged header the scan goes on
 * at the next place where a record begins.
 */
export function scan(layer: FileLayer, options: ScanOptions, sink: RecordSink): ScanResult {
  const { file, from, salt, isFinal } = options;
  const bytes = new Uint8Array(Math.max(0, options.to - from));
  const length = readFully(layer, file, bytes, 0, bytes.length, from);
  const block = blockOf(bytes);
  const header = makeRecordHeader();
  const damagedAt: number[] = [];
  let durableTo = options.durableTo;
  let end = from;
  for (let at = 0; at < length;) {
    const recordLength = readHeader(block, at, length, salt, from + at, header);
    if (recordLength === 0 || at + recordLength > length) {
      if (!isFinal) break;
      at += RECORD_ALIGNMENT;
      continue;
    }
    if (isKnownRecord(block.view, at)) {
      const bodyAt = at + bodyOffset(header.keyLength);
      const body = bytes.subarray(bodyAt, bodyAt + header.bodyLength);
      if (isBodyIntact(header.kind, header.check, body)) {
        sink(header, from + at, recordLength);
      } else {
        if (!isFinal) break;
        damagedAt.push(at);
      }
      durableTo = Math.max(durableTo, header.durableTo);
    }
    at += recordLength;
    end = from + at;
  }
  for (const at of damagedAt) {
    const recordLength = readHeader(block, at, length, salt, from + at, header);
    if (from + at >= durableTo) continue;
    header.kind = KIND_TOMBSTONE;
    header.blocks = 0;
    sink(header, from + at, recordLength);
  }
  return { end, durableTo, damaged: damagedAt.length };
}
