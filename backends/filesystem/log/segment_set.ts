import { type LogCore, pathOf, reportCorrupt, reportError } from "./core.ts";
import { createFile, errorCode, readFile, readFully, removeFile } from "./file_layer.ts";
import { HintReader, HintWriter } from "./hint.ts";
import { ownerName } from "./owner.ts";
import { KIND_GENERATION, makeRecordHeader, type RecordHeader } from "./record.ts";
import { scan } from "./scan.ts";
import {
  blocksOf,
  decodeSegmentHeader,
  headerOfName,
  hintName,
  isSegmentName,
  Segment,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
} from "./segment.ts";

/** Polls after which a segment in use is read on behind a record that never becomes whole. */
const PATIENT_POLLS = 20;

/** A larger one is rare, and its memory not worth keeping. */
const MAX_KEPT_HINT_BYTES = 1024 * 1024;

/**
 * The segments of the directory, of this process and of all others, and what
 * this process has read of them.
 */
export class SegmentSet {
  readonly #core: LogCore;
  readonly #byName = new Map<string, Segment>();
  readonly #strangers = new Map<string, number>();
  readonly #header: RecordHeader = makeRecordHeader();
  /** What the last hint was read into, for the next one: opening a large log reads hundreds. */
  #hintBytes = new Uint8Array(0);
  /** The one this process appends to. */
  active: Segment | undefined;
  /** Names of owner files at the last {@linkcode SegmentSet.refresh}. */
  owners: readonly string[] = [];
  /** Bytes of all other files of the log, in blocks. */
  #otherBytes = 0;

  constructor(core: LogCore) {
    this.#core = core;
  }

  /** All known segments, oldest first. */
  all(): Segment[] {
    return [...this.#byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  get size(): number {
    return this.#byName.size;
  }

  /** What all files of the log take, those that may still grow at their full size. */
  get claimed(): number {
    let total = this.#otherBytes;
    for (const segment of this.#byName.values()) total += segment.claim;
    for (const bytes of this.#strangers.values()) total += bytes;
    return total;
  }

  /** Makes the segment known that this process has begun. */
  begin(segment: Segment): void {
    this.#byName.set(segment.name, segment);
    this.#core.catalog.attach(segment);
    this.active = segment;
  }

  /**
   * Reads what others have done: their new segments, what they have appended,
   * what they have removed.
   *
   * @throws what the file layer throws when the directory cannot be read.
   */
  refresh(): void {
    const names = this.#core.watch.list();
    const present = new Set(names);
    const hints = new Set<string>();
    let others = 0;
    const owners: string[] = [];
    for (const name of names) {
      if (name.endsWith(".hint")) hints.add(name);
      else if (name.endsWith(".own")) owners.push(name);
      if (!isSegmentName(name) && !name.endsWith(".hint")) others++;
    }
    this.owners = owners;
    // The directory itself, its own entries at a generous 64 bytes each.
    this.#otherBytes = (others + 1) * 4096 + blocksOf(names.length * 64);
    this.#strangers.forEach((_, name) => present.has(name) || this.#strangers.delete(name));
    for (const name of names.filter(isSegmentName).sort()) {
      let segment = this.#byName.get(name);
      if (segment === undefined) segment = this.#meet(name);
      if (segment !== undefined && !segment.sealed && segment !== this.active) {
        try {
          this.#follow(segment, hints.has(hintName(name)));
        } catch (error) {
          if (errorCode(error) !== "ENOENT") throw error;
          // Removed since the names were read.
          present.delete(name);
        }
      }
    }
    for (const segment of this.#byName.values()) {
      if (!present.has(segment.name)) this.forget(segment);
    }
  }

  /** Drops a segment that is gone, with all entries that are nowhere else. */
  forget(segment: Segment): void {
    const { catalog, files } = this.#core;
    files.close(segment);
    catalog.discountRecords(segment);
    catalog.detach(segment);
    this.#byName.delete(segment.name);
    if (this.active === segment) this.active = undefined;
  }

  /** Removes a segment's files; the catalog has been told or will be by {@linkcode SegmentSet.forget}. */
  unlink(segment: Segment): void {
    const { layer } = this.#core;
    // Segment first: a hint without one is swept, a segment without one is scanned.
    removeFile(layer, pathOf(this.#core, segment.name));
    removeFile(layer, pathOf(this.#core, hintName(segment.name)));
  }

  /** Drops a segment whose records the catalog does not count any more, and its files. */
  discard(segment: Segment): void {
    this.#core.files.close(segment);
    this.#core.catalog.detach(segment);
    this.#byName.delete(segment.name);
    this.unlink(segment);
  }

  /** Writes the hints that segments of dead owners lack. Only under the lock. */
  adopt(): void {
    for (const segment of this.#byName.values()) {
      if (!segment.sealed || segment.hintBytes > 0) continue;
      const core = this.#core;
      const hint = new HintWriter();
      scan(core.layer, {
        file: core.files.file(segment),
        from: SEGMENT_HEADER_BYTES,
        to: segment.end,
        salt: segment.header.salt,
        durableTo: 0,
        isFinal: true,
      }, (header, offset, length) => hint.add(header, offset, length));
      this.#cutTail(segment);
      const path = pathOf(core, hintName(segment.name));
      removeFile(core.layer, path);
      const bytes = hint.finish(segment.header.salt, segment.end);
      createFile(core.layer, path, bytes, core.durability !== "none");
      segment.hintBytes = bytes.length;
    }
  }

  /** Removes what a dead writer left behind its last whole record. */
  #cutTail(segment: Segment): void {
    if (segment.fileBytes <= segment.end) return;
    const { layer } = this.#core;
    const file = layer.open(pathOf(this.#core, segment.name), "write");
    try {
      layer.truncate(file, segment.end);
    } finally {
      layer.close(file);
    }
    segment.fileBytes = segment.end;
  }

  /** A segment that was not known before; `undefined` while its file is not ready to be read. */
  #meet(name: string): Segment | undefined {
    const core = this.#core;
    let file: number;
    try {
      file = core.layer.open(pathOf(core, name), "read");
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    const size = core.layer.sizeOf(file);
    readFully(core.layer, file, bytes, 0, bytes.length, 0);
    const header = decodeSegmentHeader(bytes);
    const isForeign = header !== undefined && header.version !== SEGMENT_VERSION;
    const owner = headerOfName(name, 0, core.directory.id).writer;
    if (isForeign || size < SEGMENT_HEADER_BYTES && this.isOwnerAlive(owner)) {
      core.layer.close(file);
      this.#strangers.set(name, blocksOf(Math.max(size, core.segmentBytes)));
      return undefined;
    }
    this.#strangers.delete(name);
    const capacity = header?.capacity ?? Math.max(size, core.segmentBytes);
    const segment = new Segment(
      core.catalog.freeId(),
      name,
      headerOfName(name, capacity, core.directory.id),
    );
    this.#byName.set(name, segment);
    core.catalog.attach(segment);
    core.files.adopt(segment, file);
    return segment;
  }

  /** Reads on in a segment that is or was another's. */
  #follow(segment: Segment, hasHint: boolean): void {
    if (hasHint && this.#readHint(segment)) return;
    const isOver = !this.isOwnerAlive(segment.header.writer);
    const { layer, files } = this.#core;
    const file = files.file(segment);
    const size = layer.sizeOf(file);
    const isStuck = segment.stuckPolls >= PATIENT_POLLS;
    if (size > segment.end) {
      const found = scan(layer, {
        file,
        from: segment.end,
        to: size,
        salt: segment.header.salt,
        durableTo: segment.durableTo,
        isFinal: isOver || isStuck,
      }, (header, offset, length) => this.#apply(segment, header, offset, length));
      segment.stuckPolls = found.end === segment.end && !isStuck ? segment.stuckPolls + 1 : 0;
      segment.end = found.end;
      segment.durableTo = found.durableTo;
      if (found.damaged > 0) {
        reportCorrupt(this.#core, `Cannot read ${found.damaged} records of ${segment.name}`);
      }
    }
    if (isOver) {
      segment.fileBytes = size;
      this.#close(segment, segment.end);
    }
  }

  /** Takes what is left to know of a segment from its hint. @returns whether the hint is sound. */
  #readHint(segment: Segment): boolean {
    let bytes: Uint8Array;
    try {
      const path = pathOf(this.#core, hintName(segment.name));
      bytes = readFile(this.#core.layer, path, this.#hintBytes);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
    if (bytes.length <= MAX_KEPT_HINT_BYTES) {
      this.#hintBytes = new Uint8Array(bytes.buffer as ArrayBuffer);
    }
    const hint = HintReader.of(bytes, segment.header.salt);
    if (hint === undefined) {
      // While its owner lives, the hint may just be being written; a killed one may have been at it.
      if (!HintReader.isTorn(bytes) && !this.isOwnerAlive(segment.header.writer)) {
        reportCorrupt(this.#core, `Cannot read hint of ${segment.name}: reading the segment`);
      }
      return false;
    }
    this.#core.catalog.observeGeneration(hint.generation);
    for (let at = 0; at < hint.count; at++) {
      const offset = hint.offset(at);
      if (offset < segment.end) continue;
      this.#apply(segment, this.#header, offset, hint.read(at, this.#header));
    }
    this.#close(segment, hint.end);
    segment.hintBytes = bytes.length;
    return true;
  }

  #apply(segment: Segment, header: RecordHeader, offset: number, length: number): void {
    const { catalog, stamps, clock } = this.#core;
    stamps.observe(header.stamp);
    if (header.stamp < segment.oldestStamp) segment.oldestStamp = header.stamp;
    if (header.kind === KIND_GENERATION) {
      segment.generation = Math.max(segment.generation, header.stamp);
      catalog.observeGeneration(header.stamp);
    }
    catalog.apply(header, length, segment, offset, clock.recent());
  }

  #close(segment: Segment, end: number): void {
    segment.end = end;
    segment.sealed = true;
    segment.slots.trim();
  }

  /** Whether the log that appends to the segments of a writer is open in a living process. */
  isOwnerAlive(writer: number): boolean {
    try {
      return this.#core.witness.isAlive(
        readFile(this.#core.layer, pathOf(this.#core, ownerName(writer))),
      );
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      reportError(this.#core, `Cannot tell whether writer ${writer} is alive`, error);
      return true;
    }
  }
}
