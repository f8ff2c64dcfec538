/** Bytes of a key in one chunk. */
const PAYLOAD = 12;

/** Bytes that a chunk takes: those of the key, and where the next one is. */
export const CHUNK_BYTES: number = PAYLOAD + 4;

/** Before the bytes of a key stand twice its length in bytes, plus 1 where it takes two bytes a character. */
const HEAD = 2;

/** Longer keys are not kept. */
const MAX_KEY_BYTES = 4096;

/**
 * Keeps strings in one array of bytes, in chunks that are linked to one
 * another: a short key takes 16 bytes instead of the 50 and more that it does
 * as a string, and what is freed is of use to any other key.
 */
export class KeyChunks {
  /** Chunks that there are. */
  readonly capacity: number;
  readonly #payload: Uint8Array;
  readonly #next: Int32Array;
  #free = -1;
  #touched = 0;
  #used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#payload = new Uint8Array(capacity * PAYLOAD);
    this.#next = new Int32Array(capacity);
  }

  /** Chunks in use. */
  get used(): number {
    return this.#used;
  }

  /** Chunks that a key takes; `Infinity` for one that is too long to be kept. */
  static needed(key: string): number {
    const bytes = isWide(key) ? key.length * 2 : key.length;
    return bytes > MAX_KEY_BYTES ? Infinity : Math.ceil((HEAD + bytes) / PAYLOAD);
  }

  /** Keeps a key. There must be room for it. @returns its first chunk. */
  add(key: string): number {
    const wide = isWide(key);
    const length = wide ? key.length * 2 : key.length;
    const head = length * 2 + (wide ? 1 : 0);
    const first = this.#take();
    let chunk = first;
    let at = chunk * PAYLOAD;
    let end = at + PAYLOAD;
    const payload = this.#payload;
    payload[at++] = head & 0xff;
    payload[at++] = head >> 8;
    for (let place = 0; place < length; place++) {
      if (at === end) {
        const next = this.#take();
        this.#next[chunk] = next;
        chunk = next;
        at = chunk * PAYLOAD;
        end = at + PAYLOAD;
      }
      payload[at++] = byteOf(key, place, wide);
    }
    this.#next[chunk] = -1;
    return first;
  }

  /** Whether a key is the one that begins at a chunk. */
  equals(first: number, key: string): boolean {
    const payload = this.#payload;
    let at = first * PAYLOAD;
    const head = payload[at]! | payload[at + 1]! << 8;
    const wide = (head & 1) === 1;
    const length = head >> 1;
    if (length !== (wide ? key.length * 2 : key.length)) return false;
    let chunk = first;
    let end = at + PAYLOAD;
    at += HEAD;
    for (let place = 0; place < length; place++) {
      if (at === end) {
        chunk = this.#next[chunk]!;
        at = chunk * PAYLOAD;
        end = at + PAYLOAD;
      }
      // A character that needs two bytes differs from any that was kept as one.
      if (!wide && key.charCodeAt(place) > 0xff) return false;
      if (payload[at++] !== byteOf(key, place, wide)) return false;
    }
    return true;
  }

  /** The key that begins at a chunk. */
  read(first: number): string {
    const payload = this.#payload;
    let at = first * PAYLOAD;
    const head = payload[at]! | payload[at + 1]! << 8;
    const length = head >> 1;
    let chunk = first;
    let end = at + PAYLOAD;
    at += HEAD;
    const bytes = new Uint8Array(length);
    for (let place = 0; place < length; place++) {
      if (at === end) {
        chunk = this.#next[chunk]!;
        at = chunk * PAYLOAD;
        end = at + PAYLOAD;
      }
      bytes[place] = payload[at++]!;
    }
    return (head & 1) === 1 ? wideString(bytes) : stringOf(bytes);
  }

  /** Frees the chunks of the key that begins at one. */
  remove(first: number): void {
    for (let chunk = first; chunk >= 0;) {
      const next = this.#next[chunk]!;
      this.#next[chunk] = this.#free;
      this.#free = chunk;
      this.#used--;
      chunk = next;
    }
  }

  #take(): number {
    this.#used++;
    const chunk = this.#free;
    if (chunk < 0) return this.#touched++;
    this.#free = this.#next[chunk]!;
    return chunk;
  }
}

/** One character that needs two bytes makes all of them take two. */
function isWide(key: string): boolean {
  for (let at = 0; at < key.length; at++) if (key.charCodeAt(at) > 0xff) return true;
  return false;
}

function byteOf(key: string, place: number, wide: boolean): number {
  if (!wide) return key.charCodeAt(place);
  const unit = key.charCodeAt(place >> 1);
  return (place & 1) === 0 ? unit & 0xff : unit >> 8;
}

function wideString(bytes: Uint8Array): string {
  const units = Array.from(
    { length: bytes.length / 2 },
    (_, at) => bytes[2 * at]! | bytes[2 * at + 1]! << 8,
  );
  return stringOf(units);
}

/** Spreading would go through an iterator. */
function stringOf(units: ArrayLike<number>): string {
  return String.fromCharCode.apply(null, units as number[]);
}
