import { PrefetchTrial } from "./prefetch_trial.ts";
import type { FillOutcome } from "./fills.ts";
import { SuccessorTable, type TableRow, Trail } from "./successor_table.ts";

/** A key must have followed so often before it is guessed. */
const MIN_SUPPORT = 2;

/** Keys fetched in one batch. */
const MAX_BATCH = 64;

/** Guesses that wait for the batch under way; older ones are given up for newer. */
const MAX_QUEUE = 256;

/** Guesses that are neither used nor given up: this share of what memory holds, within bounds. */
const PENDING_SHARE = 0.1;
const MIN_PENDING = 16;
const MAX_PENDING = 4096;

/** After so many guesses the number of entries is asked for again. */
const GUESSES_BETWEEN_COUNTS = 256;

/** Namespaces that are told apart; the one used longest ago is forgotten for another. */
const MAX_STREAMS = 256;

/** What prefetching has done. */
export interface PrefetchStats {
  /** Keys that were fetched ahead, or are about to be. */
  readonly issued: number;
  /** Of these, made by the loader. */
  readonly loaded: number;
  /** Of these, used from memory: misses that were avoided. */
  readonly used: number;
  /** Asked for before they had come. */
  readonly late: number;
  /** Given up: not used in time, or in no tier. */
  readonly wasted: number;
  /** Reads of keys that memory did not have. */
  readonly misses: number;
  /** Used ones as a share of those used and wasted; 0 before the first. */
  readonly precision: number;
  /** Used ones as a share of what would have been missed without them; 0 before the first. */
  readonly coverage: number;
  /** Used ones as a share of those used and late; 0 before the first. */
  readonly timeliness: number;
  /** Namespaces in which fetching ahead is switched on. */
  readonly live: number;
  /** Bytes that the table takes. */
  readonly tableBytes: number;
}

/** What a prefetcher works with. */
export interface PrefetcherParts {
  /** What the table may take, in bytes. */
  readonly maxBytes: number;
  /** See {@linkcode PrefetchOptions.minConfidence}. */
  readonly minConfidence: number;
  /** See {@linkcode PrefetchOptions.minPrecision}. */
  readonly minPrecision: number;
  /** Whether memory has a key. */
  readonly holds: (key: string) => boolean;
  /** Brings keys into memory. */
  readonly fill: (keys: readonly string[], signal: AbortSignal) => Promise<FillOutcome>;
  /** How many entries memory holds. */
  readonly countEntries: () => Promise<number>;
  /** Makes values of keys that no tier has, as far as that is allowed, and brings them into memory. @returns those that are there now. */
  readonly load?:
    | ((keys: readonly string[], signal: AbortSignal) => Promise<readonly string[]>)
    | undefined;
  /** Told when fetching ahead in a namespace begins or ends. */
  readonly changed?: ((change: PrefetchChange) => void) | undefined;
}

/** Fetching ahead in a namespace has begun, because guesses come true, or has ended, because they do not. */
export interface PrefetchChange {
  /** The namespace, those inside others with a `/` between; empty for the cache itself. */
  readonly namespace: string;
  /** `resumed`: it had been stopped, and pays again. */
  readonly state: "started" | "stopped" | "resumed";
  /** The share of guesses that have come true lately. */
  readonly precision: number;
}

/** The requests of one namespace. */
interface Stream {
  readonly namespace: string;
  /** Whether fetching ahead was on before. */
  wasLive: boolean;
  readonly trail: Trail;
  readonly trial: PrefetchTrial;
}

/** A key that was guessed to be asked for soon. */
interface Guess {
  readonly stream: Stream;
  /** Whether it is fetched, or only watched to see whether it comes true. */
  readonly isLive: boolean;
  hasArrived: boolean;
}

/**
 * Learns which keys follow which, for each namespace by itself, and fetches
 * them from slower tiers before they are asked for.
 *
 * It learns from what would have been a miss: reads that memory did not have,
 * and first uses of what was fetched ahead. So a hit costs no more than a look
 * for the latter, and the table is not filled by keys that stay in memory
 * anyhow. What it holds in memory without proof is bounded by a tenth of the
 * entries there.
 */
export class Prefetcher {
  readonly #parts: PrefetcherParts;
  readonly #table: SuccessorTable;
  readonly #streams = new Map<string, Stream>();
  readonly #pending = new Map<string, Guess>();
  readonly #queue = new Set<string>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #maxPending = MIN_PENDING;
  #guesses = 0;
  #issued = 0;
  #loaded = 0;
  #used = 0;
  #late = 0;
  #wasted = 0;
  #misses = 0;

  constructor(parts: PrefetcherParts) {
    this.#parts = parts;
    this.#table = new SuccessorTable(parts.maxBytes);
  }

  /** Takes note that memory had a key. */
  hit(key: string): void {
    if (this.#pending.size === 0) return;
    const guess = this.#pending.get(key);
    if (guess === undefined || !guess.hasArrived) return;
    this.#pending.delete(key);
    this.#used++;
    this.#settle(guess, true);
    this.#asked(key);
  }

  /** Takes note that memory did not have keys that were asked for together. */
  missed(keys: readonly string[]): void {
    this.#misses += keys.length;
    for (const key of keys) {
      const guess = this.#pending.get(key);
      if (guess !== undefined) {
        this.#pending.delete(key);
        this.#queue.delete(key);
        if (guess.isLive && !guess.hasArrived) this.#late++;
        if (guess.isLive && guess.hasArrived) this.#wasted++;
        // A late one saves nothing, nor does one that has left memory already.
        this.#settle(guess, !guess.isLive);
      }
    }
    for (const key of keys) this.#asked(key);
  }

  /** Resolves when no batch is under way and none waits. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Fetches nothing any more; resolves when the batch under way has ended. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#queue.clear();
    await this.idle();
  }

  /** What it has learned, as {@linkcode Prefetcher.restore} takes it. */
  rows(): Iterable<TableRow> {
    return this.#table.rows();
  }

  /** Takes in what an earlier process has learned. */
  restore(rows: readonly TableRow[]): void {
    this.#table.restore(rows);
  }

  /** What was done so far. */
  getStats(): PrefetchStats {
    const [issued, used, late, wasted] = [this.#issued, this.#used, this.#late, this.#wasted];
    return {
      issued,
      loaded: this.#loaded,
      used,
      late,
      wasted,
      misses: this.#misses,
      precision: share(used, wasted),
      coverage: share(used, this.#misses),
      timeliness: share(used, late),
      live: [...this.#streams.values()].filter(({ trial }) => trial.isLive).length,
      tableBytes: this.#table.bytes,
    };
  }

  /** Learns a key, and guesses what comes next. */
  #asked(key: string): void {
    const { minConfidence, holds } = this.#parts;
    const stream = this.#streamOf(key);
    this.#table.learn(key, stream.trail);
    for (const next of this.#table.successorsOf(key, MIN_SUPPORT, minConfidence)) {
      if (!this.#pending.has(next.key) && !holds(next.key)) this.#guess(next.key, stream);
    }
  }

  #guess(key: string, stream: Stream): void {
    const { isLive } = stream.trial;
    if (this.#guesses++ % GUESSES_BETWEEN_COUNTS === 0) void this.#count();
    this.#pending.set(key, { stream, isLive, hasArrived: false });
    while (this.#pending.size > this.#maxPending) {
      const [oldest] = this.#pending.keys();
      this.#giveUp(oldest!);
    }
    if (!isLive || this.#closing.signal.aborted) return;
    this.#issued++;
    this.#queue.add(key);
    if (this.#queue.size > MAX_QUEUE) {
      const [oldest] = this.#queue;
      this.#giveUp(oldest!);
    }
    this.#running ??= this.#run();
  }

  #giveUp(key: string): void {
    const guess = this.#pending.get(key);
    this.#queue.delete(key);
    if (guess === undefined) return;
    this.#pending.delete(key);
    if (guess.isLive) this.#wasted++;
    this.#settle(guess, false);
  }

  #settle({ stream, isLive }: Guess, isRight: boolean): void {
    // Guesses of an earlier state say nothing of this one.
    if (isLive !== stream.trial.isLive || !stream.trial.settle(isRight)) return;
    const { namespace, wasLive, trial } = stream;
    const state = !trial.isLive ? "stopped" : wasLive ? "resumed" : "started";
    stream.wasLive = true;
    this.#parts.changed?.({ namespace, state, precision: trial.precision });
  }

  /** Fetches what is in the queue, one batch at a time. */
  async #run(): Promise<void> {
    // What is guessed in the same turn goes together.
    await Promise.resolve();
    while (this.#queue.size > 0 && !this.#closing.signal.aborted) {
      const batch = [...this.#queue].slice(0, MAX_BATCH);
      for (const key of batch) this.#queue.delete(key);
      const outcome = await this.#fill(batch);
      for (const key of outcome.filled) this.#arrived(key);
      const loaded = new Set(await this.#load(outcome.absent));
      this.#loaded += loaded.size;
      for (const key of outcome.absent) {
        if (loaded.has(key)) this.#arrived(key);
        else this.#giveUp(key);
      }
      for (const key of outcome.declined) this.#giveUp(key);
      // Somebody else has brought these: nothing was fetched, nothing can be told.
      for (const key of outcome.held) this.#pending.delete(key);
    }
    this.#running = undefined;
  }

  #arrived(key: string): void {
    const guess = this.#pending.get(key);
    if (guess !== undefined) guess.hasArrived = true;
  }

  async #load(keys: readonly string[]): Promise<readonly string[]> {
    const { load } = this.#parts;
    // Of those that somebody has asked for meanwhile, he sees to himself.
    const wanted = keys.filter((key) => this.#pending.has(key));
    if (load === undefined || wanted.length === 0) return [];
    try {
      return await load(wanted, this.#closing.signal);
    } catch {
      // The loads have told of it.
      return [];
    }
  }

  async #fill(keys: readonly string[]): Promise<FillOutcome> {
    try {
      return await this.#parts.fill(keys, this.#closing.signal);
    } catch {
      // Only closing makes a fill fail.
      return { held: [], filled: [], declined: [], absent: [...keys] };
    }
  }

  async #count(): Promise<void> {
    const entries = await this.#parts.countEntries();
    const share = Math.floor(entries * PENDING_SHARE);
    this.#maxPending = Math.min(MAX_PENDING, Math.max(MIN_PENDING, share));
  }

  #streamOf(key: string): Stream {
    // Keys of a namespace begin with "@path:", see scope.ts.
    const name = key.startsWith("@") ? key.slice(0, key.indexOf(":")) : "";
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = {
        namespace: name.slice(1),
        wasLive: false,
        trail: new Trail(),
        trial: new PrefetchTrial(this.#parts.minPrecision),
      };
      if (this.#streams.size >= MAX_STREAMS) {
        const [oldest] = this.#streams.keys();
        this.#streams.delete(oldest!);
      }
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

function share(part: number, rest: number): number {
  return part + rest === 0 ? 0 : part / (part + rest);
}
