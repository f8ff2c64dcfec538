import { type Disk, nodeDisk } from "../../backends/filesystem/disk.ts";

/** The calls of {@linkcode Disk} that can be made to fail or to wait. */
export type DiskCall = Exclude<keyof Disk, "close">;

/** Decides what becomes of one call; may return a promise to let it wait, or throw to let it fail. */
export type DiskHook = (call: DiskCall, path: string | undefined) => void | Promise<void>;

/** A disk with hooks before and after each call, which counts what passes. */
export class FaultyDisk implements Disk {
  /** Runs before each call. */
  before: DiskHook = () => {};
  /** Runs after each call that succeeded. */
  after: DiskHook = () => {};
  /** Bytes read from files so far. */
  bytesRead = 0;
  /** Files open now. */
  openFiles = 0;
  /** The most files that were open at once. */
  mostOpenFiles = 0;
  /** Calls so far, by name. */
  readonly counts = new Map<DiskCall, number>();

  openToRead = (path: string): Promise<number> =>
    this.#open("openToRead", path, () => nodeDisk.openToRead(path));
  openToWrite = (path: string): Promise<number> =>
    this.#open("openToWrite", path, () => nodeDisk.openToWrite(path));
  openDirectory = (path: string): Promise<number> =>
    this.#open("openDirectory", path, () => nodeDisk.openDirectory(path));
  read = async (fd: number, into: Uint8Array, position: number): Promise<number> => {
    const read = await this.#pass("read", undefined, () => nodeDisk.read(fd, into, position));
    this.bytesRead += read;
    return read;
  };
  write = (fd: number, bytes: Uint8Array, position: number): Promise<number> =>
    this.#pass("write", undefined, () => nodeDisk.write(fd, bytes, position));
  sync = (fd: number): Promise<void> => this.#pass("sync", undefined, () => nodeDisk.sync(fd));
  unlink = (path: string): Promise<void> => this.#pass("unlink", path, () => nodeDisk.unlink(path));
  removeDirectory = (path: string): Promise<void> =>
    this.#pass("removeDirectory", path, () => nodeDisk.removeDirectory(path));
  makeDirectory = (path: string): Promise<void> =>
    this.#pass("makeDirectory", path, () => nodeDisk.makeDirectory(path));
  list = (path: string): Promise<string[]> => this.#pass("list", path, () => nodeDisk.list(path));
  status: Disk["status"] = (path) => this.#pass("status", path, () => nodeDisk.status(path));

  close(fd: number): void {
    this.openFiles--;
    nodeDisk.close(fd);
  }

  async #open(name: DiskCall, path: string, open: () => Promise<number>): Promise<number> {
    const fd = await this.#pass(name, path, open);
    this.mostOpenFiles = Math.max(this.mostOpenFiles, ++this.openFiles);
    return fd;
  }

  async #pass<T>(name: DiskCall, path: string | undefined, make: () => Promise<T>): Promise<T> {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    await this.before(name, path);
    const result = await make();
    await this.after(name, path);
    return result;
  }
}

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made up for a test`), { code });
}
