/** Slots stand in buckets; a text may be in any slot of the bucket that its hash names. Both are powers of two. */
const BUCKETS = 512;
const BUCKET_SLOTS = 8;
const SLOTS = BUCKETS * BUCKET_SLOTS;

/** The most characters of keys that are kept: 8 MiB, twice that beyond Latin-1, less what the memory tier holds of the same strings. */
const MAX_CHARACTERS = 1 << 23;

/** The longest key that is kept, so that a few cannot push out all others. */
const MAX_KEY_CHARACTERS = 1 << 17;

/** How many characters, spread over the text, and how many at its end are hashed. */
const SPREAD_SAMPLES = 12;
const END_SAMPLES = 6;

/** A key and what it was made of. */
interface Joined {
  readonly prefix: string;
  /** The end of the key, not the string that was given: runtimes let a slice share the memory of the whole. */
  readonly text: string;
  readonly key: string;
}

/**
 * Remembers the keys of recent texts.
 *
 * A key made anew is a new string: the runtime must join and hash all of it
 * before a Map can look it up, 0.2 µs (Deno) to 1.7 µs (Node 24) for 1 KB. A
 * key that was looked up before carries its hash. So the memo finds it by a
 * hash of a sample of the text and one comparison with the whole text, which
 * runs at memory speed.
 */
export class KeyMemo {
  readonly #slots: (Joined | undefined)[] = new Array(SLOTS).fill(undefined);
  /** Spare most comparisons of whole texts. */
  readonly #hashes = new Int32Array(SLOTS);
  #characters = 0;
  #victim = 0;
  #hand = 0;

  /**
   * The prefix and the text, joined.
   *
   * @param seed a number that goes with the prefix, see {@linkcode seedOf}.
   */
  join(prefix: string, seed: number, text: string): string {
    const known = this.find(prefix, seed, text);
    if (known !== undefined) return known;
    const key = prefix + text;
    this.#keep(seed, { prefix, text: key.slice(prefix.length), key });
    return key;
  }

  /** The key that a prefix and a text were given, if that is remembered. */
  find(prefix: string, seed: number, text: string): string | undefined {
    const hash = sampleHash(text, seed);
    const start = (hash & (BUCKETS - 1)) * BUCKET_SLOTS;
    for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
      if (this.#hashes[slot] !== hash) continue;
      const joined = this.#slots[slot];
      if (joined !== undefined && joined.text === text && joined.prefix === prefix) {
        return joined.key;
      }
    }
    return undefined;
  }

  /** Gives a prefix and a text a key that does not hold the text. */
  add(prefix: string, seed: number, text: string, key: string): void {
    this.#keep(seed, { prefix, text: ` ${text}`.slice(1), key });
  }

  #keep(seed: number, joined: Joined): void {
    if (lengthOf(joined) > MAX_KEY_CHARACTERS) return;
    const hash = sampleHash(joined.text, seed);
    const slot = this.#slotFor((hash & (BUCKETS - 1)) * BUCKET_SLOTS);
    this.#clear(slot);
    this.#characters += lengthOf(joined);
    while (this.#characters > MAX_CHARACTERS) this.#clear(this.#hand++ % SLOTS);
    this.#slots[slot] = joined;
    this.#hashes[slot] = hash;
  }

  /** A slot of a bucket that nothing is in, else each in turn. */
  #slotFor(start: number): number {
    for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
      if (this.#slots[slot] === undefined) return slot;
    }
    return start + this.#victim++ % BUCKET_SLOTS;
  }

  #clear(slot: number): void {
    const joined = this.#slots[slot];
    if (joined !== undefined) this.#characters -= lengthOf(joined);
    this.#slots[slot] = undefined;
  }
}

/** A joined key and its text are one string to the runtime. */
function lengthOf({ key, text, prefix }: Joined): number {
  return key.length === prefix.length + text.length ? key.length : key.length + text.length;
}

/** A number for a prefix, by all of it: FNV-1a over code units. */
export function seedOf(prefix: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < prefix.length; at++) hash = mix(hash, prefix, at);
  return hash;
}

/** FNV-1a over a sample of code units, with the finish of MurmurHash3. */
function sampleHash(text: string, seed: number): number {
  const { length } = text;
  const stride = Math.floor(length / SPREAD_SAMPLES) || 1;
  let hash = seed ^ length;
  for (let at = 0; at < length; at += stride) hash = mix(hash, text, at);
  for (let at = Math.max(0, length - END_SAMPLES); at < length; at++) hash = mix(hash, text, at);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return hash ^ hash >>> 16;
}

function mix(hash: number, text: string, at: number): number {
  return Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
}
