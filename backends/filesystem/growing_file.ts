import { SLOT_BYTES } from "../../src/entry/stream_frame.ts";
import type { Clock } from "../../src/types.ts";
import type { Disk } from "./disk.ts";
import {
  type LargeFile,
  type LargeFiles,
  newFile,
  ORPHAN_AGE_MS,
  resizedBody,
} from "./large_files.ts";

/** Room is taken by so many bytes at once. */
const MAX_STEP_BYTES = 1024 * 1024;

/** Smaller pieces are put together before they are written. */
const MIN_WRITE_BYTES = 128 * 1024;

/** Bytes that wait for the disk at the end, where they have to be on it. */
const SYNC_BYTES = 32 * 1024 * 1024;

const BLOCK_BYTES = 4096;

/** A file that is written piece by piece. It is nobody's before a reference to it has been put. */
export class GrowingFile {
  readonly #files: LargeFiles;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #isDurable: boolean;
  readonly #stepBytes: number;
  readonly #file: LargeFile;
  readonly #body: Uint8Array;
  #fd = -1;
  #length = 0;
  #reserved = 0;
  #unsynced = 0;
  /** Small pieces that wait to be written together. */
  #small: Uint8Array | undefined;
  #smallLength = 0;
  /** The last write, which the next one follows. */
  #writing: Promise<void> = Promise.resolve();
  #lastByte = 0;
  #stopBeating: () => void = () => {};

  /** @param maxBytes the most that files may take. */
  constructor(
    files: LargeFiles,
    disk: Disk,
    clock: Clock,
    maxBytes: number,
    isDurable: boolean,
  ) {
    this.#files = files;
    this.#disk = disk;
    this.#clock = clock;
    this.#isDurable = isDurable;
    const share = Math.min(MAX_STEP_BYTES, maxBytes / 16);
    this.#stepBytes = Math.max(1, Math.floor(share / BLOCK_BYTES)) * BLOCK_BYTES;
    const { file, body } = newFile(0);
    this.#file = file;
    this.#body = body;
  }

  /** Bytes taken so far. */
  get length(): number {
    return this.#length + this.#smallLength;
  }

  /**
   * Takes a piece. It is written while the next one is fetched.
   *
   * @param release called when nothing of the piece is used any more.
   * @returns `false` when there is no room for it.
   */
  async append(piece: Uint8Array, release?: (piece: Uint8Array) => void): Promise<boolean> {
    if (this.length + piece.length > this.#reserved && !await this.#grow(piece.length)) {
      return false;
    }
    if (this.#fd < 0) await this.#create();
    if (piece.length >= MIN_WRITE_BYTES) {
      await this.#writeSmall();
      await this.#write(piece, release);
      return true;
    }
    for (let at = 0; at < piece.length;) {
      this.#small ??= new Uint8Array(SLOT_BYTES);
      const part = piece.subarray(at, at + SLOT_BYTES - this.#smallLength);
      this.#small.set(part, this.#smallLength);
      this.#smallLength += part.length;
      at += part.length;
      if (this.#smallLength === SLOT_BYTES) await this.#writeSmall();
    }
    release?.(piece);
    return true;
  }

  /** Ends the file. @returns it, and the body of a reference to it. */
  async finish(): Promise<{ readonly file: LargeFile; readonly body: Uint8Array }> {
    await this.#writeSmall();
    await this.#writing;
    this.#stopBeating();
    await this.#files.finish(this.#fd);
    this.#close();
    const bytes = this.#length;
    const taken = Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
    this.#files.release(this.#reserved - taken);
    this.#reserved = taken;
    const file = { name: this.#file.name, bytes };
    if (!await this.#files.isWhole(file)) throw new Error(`Cannot write ${file.name}: it is gone`);
    return { file, body: resizedBody(this.#body, bytes) };
  }

  /** Leaves nothing of the file. */
  async discard(): Promise<void> {
    this.#stopBeating();
    await this.#writing.catch(() => {});
    const wasMade = this.#fd >= 0 || this.#length > 0;
    this.#close();
    if (wasMade) await this.#files.discard(this.#file, this.#reserved);
    else this.#files.release(this.#reserved);
    this.#reserved = 0;
  }

  async #grow(bytes: number): Promise<boolean> {
    const missing = this.length + bytes - this.#reserved;
    const step = Math.ceil(missing / this.#stepBytes) * this.#stepBytes;
    if (!await this.#files.reserve(step)) return false;
    this.#reserved += step;
    return true;
  }

  async #create(): Promise<void> {
    this.#fd = await this.#files.create(this.#file);
    this.#beat();
  }

  async #writeSmall(): Promise<void> {
    if (this.#smallLength === 0) return;
    const piece = this.#small!.subarray(0, this.#smallLength);
    this.#small = undefined;
    this.#smallLength = 0;
    await this.#write(piece);
  }

  /** Waits for the write before, and begins this one. */
  async #write(piece: Uint8Array, release?: (piece: Uint8Array) => void): Promise<void> {
    await this.#writing;
    const position = this.#length;
    this.#length += piece.length;
    this.#lastByte = piece[piece.length - 1]!;
    this.#writing = this.#writeAll(piece, position).then(() => release?.(piece));
    // It is told by the next one, or the end.
    this.#writing.catch(() => {});
  }

  async #writeAll(piece: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < piece.length;) {
      const written = await this.#disk.write(this.#fd, piece.subarray(at), position + at);
      if (written === 0) throw new Error(`Cannot write ${this.#file.name}: nothing was taken`);
      at += written;
    }
    this.#unsynced += piece.length;
    if (!this.#isDurable || this.#unsynced < SYNC_BYTES) return;
    this.#unsynced = 0;
    await this.#disk.sync(this.#fd);
  }

  /** Keeps the file young while nothing comes: an old one is taken for left over. */
  #beat(): void {
    this.#stopBeating = this.#clock.schedule(() => {
      this.#beat();
      if (this.#length === 0) return;
      const [position, last] = [this.#length - 1, Uint8Array.of(this.#lastByte)];
      this.#writing = this.#writing.then(async () => {
        await this.#disk.write(this.#fd, last, position);
      });
      this.#writing.catch(() => {});
    }, ORPHAN_AGE_MS / 4);
  }

  #close(): void {
    if (this.#fd >= 0) this.#disk.close(this.#fd);
    this.#fd = -1;
  }
}
