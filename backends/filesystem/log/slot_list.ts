const FIRST_LENGTH = 64;

/** A list of slots that grows; 4 bytes each. */
export class SlotList {
  #slots: Int32Array = new Int32Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#slots.byteLength;
  }

  at(index: number): number {
    return this.#slots[index]!;
  }

  push(slot: number): void {
    if (this.#length === this.#slots.length) {
      this.#resize(Math.max(FIRST_LENGTH, this.#length * 2));
    }
    this.#slots[this.#length++] = slot;
  }

  /** Gives back what is kept for growth. */
  trim(): void {
    if (this.#slots.length > this.#length) this.#resize(this.#length);
  }

  /** Empties it, and keeps its memory for what comes. */
  reset(): void {
    this.#length = 0;
  }

  /** Empties it and frees its memory. */
  clear(): void {
    this.#slots = new Int32Array(0);
    this.#length = 0;
  }

  #resize(length: number): void {
    const slots = new Int32Array(length);
    slots.set(this.#slots.subarray(0, this.#length));
    this.#slots = slots;
  }
}
