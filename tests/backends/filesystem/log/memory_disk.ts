import type {
  DirectoryLook,
  FileLayer,
  OpenMode,
} from "../../../../backends/filesystem/log/file_layer.ts";
import type { ProcessTable } from "../../../../backends/filesystem/log/identity.ts";

/** A file's content, whatever names it has. */
export interface Inode {
  readonly id: number;
  bytes: Uint8Array;
}

/** One change of a disk, as it was asked for. */
export type Change =
  | {
    readonly kind: "write";
    readonly inode: number;
    readonly at: number;
    readonly bytes: Uint8Array;
  }
  | { readonly kind: "truncate"; readonly inode: number; readonly length: number }
  | { readonly kind: "sync"; readonly inode: number }
  | { readonly kind: "name"; readonly path: string; readonly inode: number }
  | { readonly kind: "unlink"; readonly path: string }
  | { readonly kind: "syncDirectory" }
  | { readonly kind: "mark"; readonly mark: unknown };

/** An error as node:fs throws it. */
export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** A disk in memory that can be full, fail at will, and tells what was done to it. */
export class MemoryDisk implements FileLayer {
  /** All that was done, in order. */
  readonly trace: Change[] = [];
  /** Runs before each call; may throw. */
  before: (call: string, path: string) => void = () => {};
  /** How many bytes a single write takes. */
  mostWritten: () => number = () => Infinity;
  /** How many bytes a single read gives. */
  mostRead: () => number = () => Infinity;
  /** Bytes that fit. */
  capacity = Infinity;
  readonly #names: Map<string, Inode>;
  readonly #files = new Map<number, { readonly inode: Inode; readonly path: string }>();
  #lastInode = 0;
  /** Names that came or went. */
  #changes = 0;
  #lastFile = 0;

  constructor(names: ReadonlyMap<string, Inode> = new Map()) {
    this.#names = new Map(names);
    for (const { id } of names.values()) this.#lastInode = Math.max(this.#lastInode, id);
  }

  /** The content of a file. */
  bytes(path: string): Uint8Array {
    return this.#inode(path).bytes;
  }

  /** Replaces the content of a file. */
  set(path: string, bytes: Uint8Array): void {
    this.#inode(path).bytes = bytes;
  }

  /** A disk of its own with the same files, without those that `keep` refuses. */
  copy(keep: (path: string) => boolean = () => true): MemoryDisk {
    const names = new Map<string, Inode>();
    for (const [path, { id, bytes }] of this.#names) {
      if (keep(path)) names.set(path, { id, bytes: bytes.slice() });
    }
    return new MemoryDisk(names);
  }

  /** Paths of all files. */
  paths(): string[] {
    return [...this.#names.keys()];
  }

  /** Open files. */
  get openFiles(): number {
    return this.#files.size;
  }

  /** Bytes of all files, in blocks. */
  get usage(): number {
    let total = 0;
    for (const { bytes } of this.#names.values()) total += Math.ceil(bytes.length / 4096) * 4096;
    return total;
  }

  open(path: string, mode: OpenMode): number {
    this.before("open", path);
    let inode = this.#names.get(path);
    if (mode === "create") {
      if (inode !== undefined) throw diskError("EEXIST");
      inode = { id: ++this.#lastInode, bytes: new Uint8Array(0) };
      this.#names.set(path, inode);
      this.#changes++;
      this.trace.push({ kind: "name", path, inode: inode.id });
    } else if (inode === undefined) {
      throw diskError("ENOENT");
    }
    this.#files.set(++this.#lastFile, { inode, path });
    return this.#lastFile;
  }

  close(file: number): void {
    if (!this.#files.delete(file)) throw diskError("EBADF");
  }

  read(file: number, into: Uint8Array, at: number, length: number, position: number): number {
    const { inode, path } = this.#file(file);
    this.before("read", path);
    const end = Math.min(position + Math.min(length, this.mostRead()), inode.bytes.length);
    if (end <= position) return 0;
    into.set(inode.bytes.subarray(position, end), at);
    return end - position;
  }

  readAsync(
    file: number,
    into: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number> {
    return Promise.resolve().then(() => this.read(file, into, at, length, position));
  }

  write(file: number, from: Uint8Array, at: number, length: number, position: number): number {
    const { inode, path } = this.#file(file);
    this.before("write", path);
    const count = Math.min(length, this.mostWritten());
    const end = position + count;
    if (end > inode.bytes.length) {
      const growth = Math.ceil(end / 4096) - Math.ceil(inode.bytes.length / 4096);
      if (this.usage + growth * 4096 > this.capacity) throw diskError("ENOSPC");
      const longer = new Uint8Array(end);
      longer.set(inode.bytes);
      inode.bytes = longer;
    }
    const bytes = from.slice(at, at + count);
    inode.bytes.set(bytes, position);
    this.trace.push({ kind: "write", inode: inode.id, at: position, bytes });
    return count;
  }

  writeAsync(
    file: number,
    from: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number> {
    return Promise.resolve().then(() => this.write(file, from, at, length, position));
  }

  truncate(file: number, length: number): void {
    const { inode, path } = this.#file(file);
    this.before("truncate", path);
    inode.bytes = inode.bytes.slice(0, length);
    this.trace.push({ kind: "truncate", inode: inode.id, length });
  }

  sync(file: number): void {
    const { inode, path } = this.#file(file);
    this.before("sync", path);
    this.trace.push({ kind: "sync", inode: inode.id });
  }

  syncAsync(file: number): Promise<void> {
    return Promise.resolve().then(() => this.sync(file));
  }

  syncDirectory(path: string): void {
    this.before("syncDirectory", path);
    this.trace.push({ kind: "syncDirectory" });
  }

  size(path: string): number {
    return this.#inode(path).bytes.length;
  }

  sizeOf(file: number): number {
    return this.#file(file).inode.bytes.length;
  }

  unlink(path: string): void {
    this.before("unlink", path);
    this.#inode(path);
    this.#names.delete(path);
    this.#changes++;
    this.trace.push({ kind: "unlink", path });
  }

  link(path: string, second: string): void {
    this.before("link", second);
    const inode = this.#inode(path);
    if (this.#names.has(second)) throw diskError("EEXIST");
    this.#names.set(second, inode);
    this.#changes++;
    this.trace.push({ kind: "name", path: second, inode: inode.id });
  }

  list(path: string): string[] {
    this.before("list", path);
    const prefix = `${path}/`;
    return [...this.#names.keys()].filter((name) =>
      name.startsWith(prefix) && !name.slice(prefix.length).includes("/")
    ).map((name) => name.slice(prefix.length));
  }

  look(path: string): DirectoryLook {
    this.before("look", path);
    return { inode: 1, changedAt: this.#changes };
  }

  makeDirectory(path: string): void {
    this.before("makeDirectory", path);
  }

  fileSystem(): number {
    return 0xef53;
  }

  /** Notes something between two changes. */
  mark(mark: unknown): void {
    this.trace.push({ kind: "mark", mark });
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw diskError("ENOENT");
    return inode;
  }

  #file(file: number): { readonly inode: Inode; readonly path: string } {
    const found = this.#files.get(file);
    if (found === undefined) throw diskError("EBADF");
    return found;
  }
}

/** A process table in which processes are what a test says they are. */
export class FakeProcesses {
  readonly #alive = new Map<number, string>();
  #lastPid = 0;

  /** The table as a new process sees it. */
  spawn(boot: string = "boot"): ProcessTable & { readonly pid: number } {
    const pid = ++this.#lastPid;
    const started = `${pid}00`;
    this.#alive.set(pid, started);
    return {
      pid,
      self: () => ({ pid, started, boot, space: "space" }),
      started: (other) => this.#alive.get(other),
    };
  }

  /** Ends a process without letting it do anything. */
  kill(pid: number): void {
    this.#alive.delete(pid);
  }

  /** Gives a process's number to another one. */
  recycle(pid: number): void {
    this.#alive.set(pid, "another start");
  }
}
