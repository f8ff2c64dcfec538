import { testOf } from "../glob.ts";
import { isReserved } from "../manager/scope.ts";
import { sizeOf } from "../size_of.ts";
import { type Intent, intentId, keyId, type KeyIntent, withoutValue } from "./intent.ts";
import { ExpiryHeap } from "./expiry_heap.ts";

/** What an intent takes besides its value, in bytes. */
const INTENT_BYTES = 300;

/** Clears that are remembered for writes whose failure is told later. */
const MAX_CLEARS = 64;

/** A clear that has been made. */
interface Clear {
  readonly pattern: string | undefined;
  readonly matches: (key: string) => boolean;
  readonly version: number;
}

/** Bounds of an {@linkcode IntentQueue}. */
export interface IntentLimits {
  /** The most intents. */
  readonly maxIntents: number;
  /** The most bytes that they may take. */
  readonly maxBytes: number;
}

/**
 * Keeps the last intent of each key, within bounds. What does not fit is given
 * up in the order in which it expires. Of a value that takes too many bytes it
 * is kept that it was set: then at least what it replaced does not come back.
 */
export class IntentQueue {
  readonly #limits: IntentLimits;
  readonly #onDropped: (intent: Intent, reason: "count" | "bytes") => void;
  readonly #intents = new Map<string, Intent>();
  readonly #byExpiry = new ExpiryHeap<Intent>((intent) =>
    this.#intents.get(intentId(intent)) === intent
  );
  /** The last clears. */
  #clears: Clear[] = [];
  /** Tests of the clears that wait, by their ids. */
  readonly #waitingClears = new Map<string, (key: string) => boolean>();
  #bytes = 0;

  /** @param onDropped told of each intent that is given up. */
  constructor(
    limits: IntentLimits,
    onDropped: (intent: Intent, reason: "count" | "bytes") => void,
  ) {
    this.#limits = limits;
    this.#onDropped = onDropped;
  }

  /** Intents that wait. */
  get size(): number {
    return this.#intents.size;
  }

  /** Bytes that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All of them, the oldest first. */
  all(): Intent[] {
    return [...this.#intents.values()];
  }

  /** The intent of an id. */
  get(id: string): Intent | undefined {
    return this.#intents.get(id);
  }

  /** Whether an intent concerns a key. */
  concerns(key: string): boolean {
    if (this.#intents.has(keyId(key))) return true;
    for (const matches of this.#waitingClears.values()) if (matches(key)) return true;
    return false;
  }

  /** Takes an intent in place of the one it replaces, unless that is newer. @returns whether it was taken. */
  put(intent: Intent): boolean {
    const id = intentId(intent);
    const held = this.#intents.get(id);
    if (held !== undefined && held.version > intent.version) return false;
    if (held !== undefined) this.#remove(id, held);
    this.#add(id, this.isCleared(intent) ? withoutValue(intent as KeyIntent) : intent);
    this.#fit();
    return this.#intents.has(id);
  }

  /** What was set before a clear is not to come back, whenever its failure is told. */
  clear(pattern: string | undefined, version: number): void {
    const held = this.#clears.find((clear) => clear.pattern === pattern);
    if (held !== undefined && held.version >= version) return;
    const matches = testOf(pattern);
    this.#clears = this.#clears.filter((clear) => clear !== held).slice(1 - MAX_CLEARS);
    this.#clears.push({ pattern, matches, version });
    for (const held of [...this.#intents.values()]) {
      if (this.isCleared(held)) this.replace(held, withoutValue(held as KeyIntent));
    }
  }

  /** Whether an intent is to set what was cleared later, as far as is known. */
  isCleared(intent: Intent): boolean {
    // A mark of a tag concerns entries that were set after the clear too.
    return intent.kind === "set" && !isReserved(intent.key) &&
      this.#clears.some(({ matches, version }) => intent.version <= version && matches(intent.key));
  }

  /** Puts another in the place of one that is still there. */
  replace(intent: Intent, by: Intent): void {
    const id = intentId(intent);
    if (this.#intents.get(id) !== intent) return;
    this.#remove(id, intent);
    this.#add(id, by);
  }

  /** Forgets an intent, if it is still there. */
  remove(intent: Intent): void {
    const id = intentId(intent);
    if (this.#intents.get(id) === intent) this.#remove(id, intent);
  }

  /** Forgets what was meant for a key up to a version. */
  settle(key: string, version: number): void {
    const id = keyId(key);
    const held = this.#intents.get(id);
    if (held !== undefined && held.version <= version) this.#remove(id, held);
  }

  #fit(): void {
    const { maxIntents, maxBytes } = this.#limits;
    while (this.#intents.size > maxIntents) {
      const soonest = this.#byExpiry.pop();
      if (soonest === undefined) return;
      this.#remove(intentId(soonest), soonest);
      this.#onDropped(soonest, "count");
    }
    while (this.#bytes > maxBytes) {
      const soonest = this.#byExpiry.pop();
      if (soonest === undefined) return;
      const id = intentId(soonest);
      this.#remove(id, soonest);
      if (soonest.kind === "set") this.#add(id, withoutValue(soonest));
      this.#onDropped(soonest, "bytes");
    }
  }

  #add(id: string, intent: Intent): void {
    this.#intents.set(id, intent);
    if (intent.kind === "clear") this.#waitingClears.set(id, testOf(intent.pattern));
    this.#bytes += bytesOf(intent);
    this.#byExpiry.push(intent.kind === "set" ? intent.entry!.expiresAt : Infinity, intent);
  }

  #remove(id: string, intent: Intent): void {
    this.#intents.delete(id);
    this.#waitingClears.delete(id);
    this.#bytes -= bytesOf(intent);
  }
}

function bytesOf(intent: Intent): number {
  if (intent.kind === "clear") return INTENT_BYTES + (intent.pattern?.length ?? 0) * 2;
  const { key, entry } = intent;
  const value = entry === undefined
    ? 0
    : entry.encodedSize ?? (entry.isLive ? sizeOf(entry.value()) : 0);
  return INTENT_BYTES + key.length * 2 + value;
}
