import { crc } from "./crc.ts";
import { errorCode, overwriteFile, readFile } from "./file_layer.ts";
import { type LogCore, pathOf } from "./core.ts";
import { makeBlock } from "./record.ts";

/*
 * SPACE, version 1: bytes that files beside the log may take, of all
 * processes. 16 bytes, little-endian, changed only under the lock.
 *
 *   offset  type  field
 *        0  f64   bytes
 *        8  u32   CRC-32 of bytes 0 to 7
 *       12  u32   format version, 1
 */

const NAME = "SPACE";
const LENGTH = 16;
const FORMAT_VERSION = 1;
const LARGEST_SLAB = 16 * 1024 * 1024;

/**
 * What large files, one for each value, take of the limit. Processes take from
 * the common sum in slabs, so that most reservations touch no file.
 */
export class ExternalSpace {
  readonly slab: number;
  readonly #core: LogCore;
  /** The sum of all processes, as read last. */
  total = 0;
  /** What this process has taken from the sum and not used. */
  allowance = 0;

  constructor(core: LogCore) {
    this.#core = core;
    this.slab = Math.min(LARGEST_SLAB, Math.floor(core.maxBytes / 64 / 4096) * 4096);
  }

  /** Takes from what this process holds already. */
  tryTake(bytes: number): boolean {
    if (bytes > this.allowance) return false;
    this.allowance -= bytes;
    return true;
  }

  /** Gives back to the sum, which has been read, what this process has taken of it beyond `keep`. Only under the lock. */
  giveBack(keep: number): void {
    const excess = this.allowance - keep;
    if (excess <= 0) return;
    this.write(Math.max(0, this.total - excess));
    this.allowance = keep;
  }

  /** Reads the sum. Only under the lock. @returns whether it was there. */
  read(): boolean {
    let bytes: Uint8Array;
    try {
      bytes = readFile(this.#core.layer, pathOf(this.#core, NAME));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isIntact = bytes.length === LENGTH &&
      view.getUint32(8, true) === crc(bytes.subarray(0, 8)) &&
      view.getUint32(12, true) === FORMAT_VERSION;
    if (isIntact) this.total = view.getFloat64(0, true);
    return isIntact;
  }

  /** Changes the sum, which has been read. Only under the lock. */
  write(total: number): void {
    const { layer } = this.#core;
    const path = pathOf(this.#core, NAME);
    const { bytes, view } = makeBlock(LENGTH);
    view.setFloat64(0, total, true);
    view.setUint32(8, crc(bytes.subarray(0, 8)), true);
    view.setUint32(12, FORMAT_VERSION, true);
    overwriteFile(layer, path, bytes);
    this.total = total;
  }
}
