/**
 * 32 bits of a key: FNV-1a over its UTF-16 code units. The same for the same
 * key in every process, so that who wants keys that collide can make them; a
 * secret start would not keep them from it, as some collide from one start in a hundred.
 */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
