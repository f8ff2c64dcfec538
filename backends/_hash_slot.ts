/*
 * Slots of a Redis cluster (redis.io, "Redis cluster specification", key
 * distribution model): CRC-16/XMODEM of the key, or of what stands in its
 * first braces, modulo 16,384.
 */

const SLOTS = 16_384;
const POLYNOMIAL = 0x1021;
const TAG_LENGTH = 4;
const RADIX = 36;

const ENCODER = new TextEncoder();

/** Tags by their slots, as far as they have been looked for. */
const tags = new Map<number, string>();
let tried = 0;

/** The slot of a stored key. */
export function slotOf(stored: string): number {
  const open = stored.indexOf("{");
  const close = open < 0 ? -1 : stored.indexOf("}", open + 1);
  return slotOfText(close > open + 1 ? stored.slice(open + 1, close) : stored);
}

/** Four letters and digits that bring a key that has them in braces into a slot. */
export function tagOfSlot(slot: number): string {
  for (;;) {
    const known = tags.get(slot);
    if (known !== undefined) return known;
    const tag = (tried++).toString(RADIX).padStart(TAG_LENGTH, "0");
    const own = slotOfText(tag);
    if (!tags.has(own)) tags.set(own, tag);
  }
}

function slotOfText(text: string): number {
  let crc = 0;
  for (const byte of ENCODER.encode(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000 ? (crc << 1 ^ POLYNOMIAL) & 0xffff : crc << 1;
    }
  }
  return crc % SLOTS;
}
