/** What newer runtimes have, and the types of older ones do not. */
interface Base64Bytes {
  toBase64?(): string;
}
interface Base64Constructor {
  fromBase64?(text: string): Uint8Array;
}

/** Characters that `String.fromCharCode` takes at once on every runtime. */
const PIECE = 8192;

/** Characters of bytes as base64. */
export function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  const native = (bytes as Base64Bytes).toBase64;
  if (native !== undefined) return native.call(bytes);
  let binary = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    binary += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return btoa(binary);
}

/** The bytes of base64, in a buffer of their own, `undefined` for what is none. */
function fromBase64(text: string): Uint8Array | undefined {
  try {
    const { fromBase64 } = Uint8Array as Base64Constructor;
    if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text);
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
    return bytes;
  } catch {
    return undefined;
  }
}

/** The bytes of a reply, `undefined` for what is no base64. */
export function bytesOfReply(reply: unknown): Uint8Array | undefined {
  return typeof reply === "string" ? fromBase64(reply) : undefined;
}
