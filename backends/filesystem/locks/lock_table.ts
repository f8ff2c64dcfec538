import { crc } from "../log/crc.ts";
import { decodeIdentities, encodeIdentities, type Identity } from "../log/identity.ts";
import { makeBlock } from "../log/record.ts";

/*
 * Table of locks, version 1: all locks of a directory that are held. It stands
 * in two files, written in turn under the mutex of the folder; the newest
 * whole one counts, so that a writer that is killed leaves what was before.
 * All numbers are little-endian.
 *
 *   offset  type  field
 *        0  u32   magic 0x4b434c53, the letters "SLCK"
 *        4  u32   CRC-32 of all that follows
 *        8  u32   format version, 1
 *       12  u32   number of locks
 *       16  f64   number of this writing, one more than that of the last
 *       24  f64   the newest fencing number that was given
 *       32  u32   bytes of the owners
 *       36        zeros
 *       64        locks of 64 bytes
 *                 owners: a JSON array of identities (log/identity.ts), UTF-8
 *
 * Lock:
 *        0        SHA-256 of the name
 *       32  f64   fencing number, of this lock alone
 *       40  f64   when its lease is over, in milliseconds of the clock below
 *       48  f64   length of the lease, in milliseconds
 *       56  u32   which of the owners has it
 *       60  u32   clock: 0 since the epoch, 1 since the machine was started
 */

const MAGIC = 0x4b434c53;
const FORMAT_VERSION = 1;
const HEADER_BYTES = 64;
const LOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** A lock that is held. */
export interface HeldLock {
  readonly fence: number;
  readonly endsAt: number;
  readonly leaseMs: number;
  /** Whether `endsAt` counts from the start of the machine, not from the epoch. */
  readonly isUptime: boolean;
  readonly owner: Identity;
}

/** All locks that are held, by the digest of their names in hexadecimal digits. */
export interface LockTable {
  readonly writing: number;
  readonly fence: number;
  readonly locks: Map<string, HeldLock>;
}

/** The table before anything was locked. */
export function emptyTable(): LockTable {
  return { writing: 0, fence: 0, locks: new Map() };
}

/** Writes a table. */
export function encodeTable({ writing, fence, locks }: LockTable): Uint8Array {
  const owners: Identity[] = [];
  const numbers = new Map<string, number>();
  for (const { owner } of locks.values()) {
    if (numbers.has(owner.token)) continue;
    numbers.set(owner.token, owners.length);
    owners.push(owner);
  }
  const text = encodeIdentities(owners);
  const { bytes, view } = makeBlock(HEADER_BYTES + locks.size * LOCK_BYTES + text.length);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, locks.size, true);
  view.setFloat64(16, writing, true);
  view.setFloat64(24, fence, true);
  view.setUint32(32, text.length, true);
  let at = HEADER_BYTES;
  for (const [digest, lock] of locks) {
    for (let digit = 0; digit < DIGEST_BYTES; digit++) {
      bytes[at + digit] = parseInt(digest.slice(2 * digit, 2 * digit + 2), 16);
    }
    view.setFloat64(at + 32, lock.fence, true);
    view.setFloat64(at + 40, lock.endsAt, true);
    view.setFloat64(at + 48, lock.leaseMs, true);
    view.setUint32(at + 56, numbers.get(lock.owner.token)!, true);
    view.setUint32(at + 60, lock.isUptime ? 1 : 0, true);
    at += LOCK_BYTES;
  }
  bytes.set(text, at);
  view.setUint32(4, crc(bytes.subarray(8)), true);
  return bytes;
}

/** Reads a table; `"unknown"` for one of another version, `undefined` for one that is damaged. Bytes behind it are passed over. */
export function decodeTable(bytes: Uint8Array): LockTable | "unknown" | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  if (view.getUint32(8, true) !== FORMAT_VERSION) return "unknown";
  const count = view.getUint32(12, true);
  const ownersAt = HEADER_BYTES + count * LOCK_BYTES;
  const end = ownersAt + view.getUint32(32, true);
  if (end > bytes.length || crc(bytes.subarray(8, end)) !== view.getUint32(4, true)) {
    return undefined;
  }
  const owners = decodeIdentities(bytes.subarray(ownersAt, end));
  const writing = view.getFloat64(16, true);
  const fence = view.getFloat64(24, true);
  if (owners === undefined || !Number.isSafeInteger(writing) || !Number.isSafeInteger(fence)) {
    return undefined;
  }
  const locks = new Map<string, HeldLock>();
  for (let at = HEADER_BYTES; at < ownersAt; at += LOCK_BYTES) {
    const owner = owners[view.getUint32(at + 56, true)];
    if (owner === undefined) return undefined;
    let digest = "";
    for (const byte of bytes.subarray(at, at + DIGEST_BYTES)) {
      digest += byte.toString(16).padStart(2, "0");
    }
    locks.set(digest, {
      fence: view.getFloat64(at + 32, true),
      endsAt: view.getFloat64(at + 40, true),
      leaseMs: view.getFloat64(at + 48, true),
      isUptime: view.getUint32(at + 60, true) === 1,
      owner,
    });
  }
  return { writing, fence, locks };
}
