import { errorCode, type FileLayer } from "./file_layer.ts";
import type { Segment } from "./segment.ts";

/** Keeps a bounded number of segments open for reading; the ones to close are found by CLOCK. */
export class FileCache {
  readonly #layer: FileLayer;
  readonly #directory: string;
  readonly #maxFiles: number;
  readonly #open: Segment[] = [];
  #hand = 0;

  constructor(layer: FileLayer, directory: string, maxFiles: number) {
    this.#layer = layer;
    this.#directory = directory;
    this.#maxFiles = maxFiles;
  }

  /** The open file of a segment. It may be closed as soon as the event loop turns, see {@linkcode FileCache.reopen}. */
  file(segment: Segment): number {
    segment.isFileUsed = true;
    return segment.file >= 0 ? segment.file : this.#openFile(segment);
  }

  /** A file of the caller's own, for a read that waits. */
  reopen(segment: Segment): number {
    return this.#layer.open(`${this.#directory}/${segment.name}`, "read");
  }

  /** Takes over a file that is open already. */
  adopt(segment: Segment, file: number): void {
    segment.file = file;
    segment.isFileUsed = true;
    this.#open.push(segment);
    this.#makeRoom();
  }

  /** Closes a segment's file. */
  close(segment: Segment): void {
    if (segment.file < 0) return;
    const at = this.#open.indexOf(segment);
    if (at >= 0) this.#closeAt(at);
  }

  /** Closes all files. */
  closeAll(): void {
    while (this.#open.length > 0) this.#closeAt(this.#open.length - 1);
  }

  #openFile(segment: Segment): number {
    const path = `${this.#directory}/${segment.name}`;
    let file: number;
    try {
      file = this.#layer.open(path, "read");
    } catch (error) {
      if (!["EMFILE", "ENFILE"].includes(errorCode(error))) throw error;
      // The process has too many files open; the ones of this cache can be opened again.
      this.closeAll();
      file = this.#layer.open(path, "read");
    }
    this.adopt(segment, file);
    return file;
  }

  #makeRoom(): void {
    while (this.#open.length > this.#maxFiles) {
      this.#hand %= this.#open.length;
      const segment = this.#open[this.#hand]!;
      const isNewest = this.#hand === this.#open.length - 1;
      if (segment.isFileUsed && !isNewest) {
        segment.isFileUsed = false;
        this.#hand++;
      } else if (isNewest) {
        this.#hand = 0;
      } else {
        this.#closeAt(this.#hand);
      }
    }
  }

  #closeAt(at: number): void {
    const segment = this.#open[at]!;
    const last = this.#open.pop()!;
    if (last !== segment) this.#open[at] = last;
    const { file } = segment;
    segment.file = -1;
    try {
      this.#layer.close(file);
    } catch {
      // A file that was only read loses nothing by a failing close.
    }
  }
}
