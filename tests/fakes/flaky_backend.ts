import { CacheError } from "../../src/errors.ts";
import { CacheEntry } from "../../src/entry/entry.ts";
import { encodeFrame } from "../../src/entry/frame.ts";
import type { BackendStats, CacheBackend, OperationOptions } from "../../src/types.ts";

/** What a {@linkcode FlakyBackend} does wrong; every field may be changed while it runs. */
export interface Faults {
  /** Share of operations that reject without being done. @default 0 */
  failBefore?: number;
  /** Share of operations that are done and reject all the same, as when an answer is lost. @default 0 */
  failAfter?: number;
  /** Share of reads that give the entry of another key. @default 0 */
  otherKey?: number;
  /** Share of reads that give an entry whose value cannot be decoded. @default 0 */
  garbled?: number;
  /** Only operations of these names are at fault. @default all */
  only?: readonly string[];
  /** What it rejects with. @default a new CacheError "backend" each time */
  error?: Error;
}

/**
 * Wraps a backend and makes it fail. It has the capabilities of what it wraps,
 * and without faults behaves just like it.
 */
export class FlakyBackend implements CacheBackend {
  readonly name: string;
  /** Faults in force. */
  faults: Faults;
  /** Names of the operations begun, in order. */
  readonly calls: string[] = [];
  declare readonly getMany?: NonNullable<CacheBackend["getMany"]>;
  declare readonly setMany?: NonNullable<CacheBackend["setMany"]>;
  declare readonly deleteMany?: NonNullable<CacheBackend["deleteMany"]>;
  declare readonly keys?: NonNullable<CacheBackend["keys"]>;
  declare readonly flush?: NonNullable<CacheBackend["flush"]>;
  readonly #inner: CacheBackend;
  readonly #random: () => number;
  #gate: { readonly open: Promise<void>; readonly release: () => void } | undefined;
  #isDeaf = false;

  /** @param random decides who fails; see `seededRandom`. */
  constructor(inner: CacheBackend, random: () => number, faults: Faults = {}) {
    this.name = inner.name;
    this.#inner = inner;
    this.#random = random;
    this.faults = faults;
    const { getMany, setMany, deleteMany, keys, flush } = inner;
    if (getMany !== undefined) {
      this.getMany = (wanted, options) =>
        this.#run("getMany", options, async () => {
          const entries = await getMany.call(inner, wanted, options);
          return entries.map((entry, at) => this.#spoil(wanted[at] as string, entry));
        });
    }
    if (setMany !== undefined) {
      this.setMany = (entries, options) =>
        this.#run("setMany", options, () => setMany.call(inner, entries, options));
    }
    if (deleteMany !== undefined) {
      this.deleteMany = (doomed, options) =>
        this.#run("deleteMany", options, () => deleteMany.call(inner, doomed, options));
    }
    if (keys !== undefined) {
      this.keys = (pattern, options) => this.#list(keys.call(inner, pattern, options), options);
    }
    if (flush !== undefined) {
      this.flush = () => this.#run("flush", undefined, () => flush.call(inner));
    }
  }

  /** Makes operations wait, those from now on, until {@linkcode FlakyBackend.resume}; they still end with their signal. */
  pause(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate ??= { open: promise, release: resolve };
  }

  /** As {@linkcode FlakyBackend.pause}, and operations do not hear their signal. */
  hang(): void {
    this.pause();
    this.#isDeaf = true;
  }

  /** Lets all that wait go on. */
  resume(): void {
    this.#gate?.release();
    this.#gate = undefined;
    this.#isDeaf = false;
  }

  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#run(
      "get",
      options,
      async () => this.#spoil(key, await this.#inner.get(key, options)),
    );
  }

  set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    return this.#run("set", options, () => this.#inner.set(key, entry, options));
  }

  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#run("delete", options, () => this.#inner.delete(key, options));
  }

  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#run("exists", options, () => this.#inner.exists(key, options));
  }

  clear(pattern?: string, options?: OperationOptions): Promise<number> {
    return this.#run("clear", options, () => this.#inner.clear(pattern, options));
  }

  getStats(): Promise<BackendStats> {
    return this.#run("getStats", undefined, () => this.#inner.getStats());
  }

  async close(): Promise<void> {
    this.resume();
    await this.#inner.close?.();
  }

  async #run<T>(
    name: string,
    options: OperationOptions | undefined,
    operate: () => Promise<T>,
  ): Promise<T> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    this.calls.push(name);
    if (this.#gate !== undefined) {
      await (this.#isDeaf || signal === undefined
        ? this.#gate.open
        : untilAborted(this.#gate.open, signal));
    }
    if (this.#hits("failBefore", name)) throw this.#failure(name);
    const result = await operate();
    if (this.#hits("failAfter", name)) throw this.#failure(name);
    return result;
  }

  async *#list(
    keys: AsyncIterable<string>,
    options: OperationOptions | undefined,
  ): AsyncIterable<string> {
    await this.#run("keys", options, () => Promise.resolve());
    yield* keys;
  }

  #hits(fault: "failBefore" | "failAfter" | "otherKey" | "garbled", name: string): boolean {
    const { only } = this.faults;
    const share = this.faults[fault] ?? 0;
    return share > 0 && (only === undefined || only.includes(name)) && this.#random() < share;
  }

  #failure(name: string): Error {
    return this.faults.error ??
      new CacheError("backend", `Cannot ${name}: ${this.name} is out of order`, {
        backend: this.name,
      });
  }

  #spoil(key: string, entry: CacheEntry | undefined): CacheEntry | undefined {
    if (entry === undefined) return undefined;
    if (this.#hits("otherKey", "get")) return madeUp(`${key} of another`, entry, 0);
    if (this.#hits("garbled", "get")) return madeUp(key, entry, 1);
    return entry;
  }
}

/** An entry with the metadata of another; its bytes are no JSON, and it may say that they are. */
function madeUp(
  key: string,
  { createdAt, expiresAt, staleUntil, version, tags }: CacheEntry,
  serializer: 0 | 1,
): CacheEntry {
  const bytes = new Uint8Array([0xff, 0xfe, 0x7b]);
  const frame = encodeFrame(key, { createdAt, expiresAt, staleUntil, version, tags }, {
    bytes,
    rawLength: bytes.length,
    serializer,
    codec: 0,
    dtype: serializer === 0 ? 1 : 0,
  });
  return CacheEntry.decode(key, frame);
}

function untilAborted(gate: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  gate.then(() => {
    signal.removeEventListener("abort", onAbort);
    resolve();
  });
  return promise;
}
