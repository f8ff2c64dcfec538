const FIRST_BYTES = 1024;

/** Most UTF-16 units for which a loop beats the call into TextEncoder. */
const LOOP_UNITS = 63;

const encoder = new TextEncoder();

/** Bytes that grow as they are written. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** What has been written, in a buffer of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Writes one byte. */
  u8(byte: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = byte;
  }

  /** Writes an unsigned integer below 2^32, 7 bits a byte. */
  varint(value: number): void {
    if (this.#length + 5 > this.#bytes.length) this.#grow(5);
    while (value > 0x7f) {
      this.#bytes[this.#length++] = value & 0x7f | 0x80;
      value >>>= 7;
    }
    this.#bytes[this.#length++] = value;
  }

  /** Writes a double. */
  f64(value: number): void {
    if (this.#length + 8 > this.#bytes.length) this.#grow(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Writes bytes as they are. */
  bytes(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Writes a short string behind a tag plus its length. @returns `false`, with nothing written, when it is not ASCII or not short. */
  shortAscii(tag: number, text: string): boolean {
    const { length } = text;
    if (length > LOOP_UNITS) return false;
    if (this.#length + 1 + length > this.#bytes.length) this.#grow(1 + length);
    const bytes = this.#bytes;
    const start = this.#length;
    for (let at = 0; at < length; at++) {
      const unit = text.charCodeAt(at);
      if (unit > 0x7f) return false;
      bytes[start + 1 + at] = unit;
    }
    bytes[start] = tag + length;
    this.#length = start + 1 + length;
    return true;
  }

  /** Writes the varint count of its bytes and a well-formed string as UTF-8. */
  utf8(text: string): void {
    // Most text is ASCII: room for that is tried first, three times as much only when it is not.
    const gap = varintLength(text.length);
    let written = this.#tryUtf8(text, gap, text.length);
    if (written < 0) written = this.#tryUtf8(text, gap, text.length * 3);
    const start = this.#length + gap;
    const shift = varintLength(written) - gap;
    if (shift > 0) this.#bytes.copyWithin(start + shift, start, start + written);
    this.varint(written);
    this.#length += written;
  }

  /** Writes the varint count of its units and any string as UTF-16LE. */
  utf16(text: string): void {
    this.varint(text.length);
    if (this.#length + text.length * 2 > this.#bytes.length) this.#grow(text.length * 2);
    for (let at = 0; at < text.length; at++) {
      this.#view.setUint16(this.#length, text.charCodeAt(at), true);
      this.#length += 2;
    }
  }

  /** Writes text behind a gap. @returns the bytes written, or -1 when the room was too small. */
  #tryUtf8(text: string, gap: number, room: number): number {
    // A longer length than that of ASCII moves the text by up to 4 bytes.
    if (this.#length + gap + room + 4 > this.#bytes.length) this.#grow(gap + room + 4);
    const start = this.#length + gap;
    const { read, written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    return read === text.length ? written : -1;
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + needed));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

function varintLength(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5;
}
