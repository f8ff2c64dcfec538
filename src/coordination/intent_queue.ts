import { compileGlob } from "../glob.ts";
import { sizeOf } from "../size_of.ts";
import { type Intent, intentId, keyId, type KeyIntent } from "./intent.ts";
import { ExpiryHeap } from "./expiry_heap.ts";

/** What an intent takes besides its value, in bytes. */
const INTENT_BYTES = 300;

/** Clears that are remembered for writes whose failure is told later. */
const MAX_CLEARS = 64;

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
  readonly #clears: { matches: (key: string) => boolean; version: number }[] = [];
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

  /** Takes an intent in place of the one it replaces, unless that is newer. @returns whether it was taken. */
  put(intent: Intent): boolean {
    const id = intentId(intent);
    const held = this.#intents.get(id);
    if (held !== undefined && held.version > intent.version) return false;
    if (held !== undefined) this.#remove(id, held);
    this.#add(id, this.#isCleared(intent) ? withoutValue(intent as KeyIntent) : intent);
    this.#fit();
    return this.#intents.has(id);
  }

  /** What was set before a clear is not to come back, whenever its failure is told. */
  clear(pattern: string | undefined, version: number): void {
    const matches = pattern === undefined ? () => true : compileGlob(pattern);
    this.#clears.push({ matches, version });
    if (this.#clears.length > MAX_CLEARS) this.#clears.shift();
    for (const held of [...this.#intents.values()]) {
      if (this.#isCleared(held)) this.replace(held, withoutValue(held as KeyIntent));
    }
  }

  #isCleared(intent: Intent): boolean {
    return intent.kind === "set" &&
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
    this.#bytes += bytesOf(intent);
    this.#byExpiry.push(intent.kind === "set" ? intent.entry!.expiresAt : Infinity, intent);
  }

  #remove(id: string, intent: Intent): void {
    this.#intents.delete(id);
    this.#bytes -= bytesOf(intent);
  }
}

function withoutValue(intent: KeyIntent): KeyIntent {
  return { ...intent, kind: "delete", entry: undefined };
}

function bytesOf(intent: Intent): number {
  if (intent.kind === "clear") return INTENT_BYTES + (intent.pattern?.length ?? 0) * 2;
  const { key, entry } = intent;
  const value = entry === undefined
    ? 0
    : entry.encodedSize ?? (entry.isLive ? sizeOf(entry.value()) : 0);
  return INTENT_BYTES + key.length * 2 + value;
}
