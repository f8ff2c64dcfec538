/** Where FNV-1a begins. */
const OFFSET_BASIS = 0x811c9dc5;

/**
 * 32 bits of a key: FNV-1a over its UTF-16 code units. The same for the same
 * key and seed in every process.
 *
 * @param seed where to begin. One that nobody knows keeps others from making keys that collide.
 */
export function keyHash(key: string, seed: number = OFFSET_BASIS): number {
  let hash = seed;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
