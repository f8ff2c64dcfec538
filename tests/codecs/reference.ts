/** The text that other encoders compressed for the tests of codecs. */
export const REFERENCE_TEXT: Uint8Array = new TextEncoder().encode(
  "Strata keeps what is dear to compute. ".repeat(4),
);

/** Bytes from hexadecimal digits. */
export function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** A copy of bytes with some of them replaced. */
export function patched(bytes: Uint8Array, at: number, replacement: readonly number[]): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy.set(replacement, at < 0 ? bytes.length + at : at);
  return copy;
}
