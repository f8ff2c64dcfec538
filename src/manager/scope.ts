import { escapeGlob } from "../glob.ts";

/*
 * How the keys of namespaces are told apart in the tiers:
 *
 *   key of the cache itself             the key, unless it begins with "@"
 *   such a key that begins with "@"     "@:" + key
 *   key of namespace "a"                "@a:" + key
 *   key of namespace "b" inside "a"     "@a/b:" + key
 *   records of the library itself       "@!" + anything
 *
 * In names, the characters % / : ! are written as %25 %2F %3A %21. No two pairs
 * of namespace and key share a record: what follows "@" up to the first ":"
 * is the path, and no name has a ":" in it.
 *
 * A glob of the cache itself is compared with what is stored. One that spells
 * out or spans the mark, such as "@:@x" or "?:@x", therefore also removes "@x".
 */

const MARK = "@";
const MARK_UNIT = 0x40;

/** The keys of one namespace. */
export class Scope {
  /** What its keys begin with in the tiers; empty for the cache itself. */
  readonly prefix: string;

  private constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** The scope of a cache itself. */
  static readonly root: Scope = new Scope("");

  /** The scope of a namespace inside this one. */
  inside(name: string): Scope {
    const path = this.prefix === "" ? MARK : `${this.prefix.slice(0, -1)}/`;
    return new Scope(`${path}${escapeName(name)}:`);
  }

  /** The key in the tiers of a key in this scope. */
  key(key: string): string {
    if (this.prefix !== "") return this.prefix + key;
    return key.charCodeAt(0) === MARK_UNIT ? `${MARK}:${key}` : key;
  }

  /** The key in this scope of a key in the tiers, `undefined` where that is of another scope. */
  given(stored: string): string | undefined {
    if (this.prefix !== "") {
      return stored.startsWith(this.prefix) ? stored.slice(this.prefix.length) : undefined;
    }
    if (stored.charCodeAt(0) !== MARK_UNIT) return stored;
    return stored.startsWith(`${MARK}:`) ? stored.slice(2) : undefined;
  }

  /** The patterns that match, in the tiers, what `pattern` matches in this scope; no pattern is everything, also in the scopes inside. */
  patterns(pattern: string | undefined): (string | undefined)[] {
    if (this.prefix === "") {
      if (pattern === undefined) return [undefined];
      return mayBeginWithMark(pattern) ? [pattern, `${MARK}:${pattern}`] : [pattern];
    }
    const own = escapeGlob(this.prefix);
    if (pattern !== undefined) return [own + pattern];
    return [`${own}*`, `${escapeGlob(this.prefix.slice(0, -1))}/*`];
  }
}

/** The key in the tiers of a record of the library itself, apart from all keys of callers. */
export function reservedKey(kind: string, name: string): string {
  return `${MARK}!${kind}:${name}`;
}

/** Whether a key in the tiers is that of a record of the library itself. */
export function isReserved(stored: string): boolean {
  return stored.startsWith(`${MARK}!`);
}

function escapeName(name: string): string {
  return name.replace(
    /[%/:!]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Whether a key that begins with the mark could match; a run of anything matches it in the tiers as it is. */
function mayBeginWithMark(pattern: string): boolean {
  return /^(?:\?|\[|\\?@)/.test(pattern);
}
