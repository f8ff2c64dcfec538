/*
 * Keys as parts of object names: readable where that is safe, and for every
 * string another text.
 *
 *   A-Z a-z 0-9 _ - : = @     as they are
 *   .                         as it is, but not before "/" or at the end
 *   /                         as it is, but not at an end, after another, or
 *                             after a hundred of them
 *   other characters          ~ and two hex digits for each byte of UTF-8
 *   lone surrogates           ~u and four hex digits
 *   the empty key             ~_
 *
 * So no name has a segment that is empty, "." or "..", ends in "." or "/"
 * (Azure cuts those), has more segments than Azure takes, or a character that
 * a client or proxy writes in two ways.
 */

const EMPTY = "~_";
const MAX_SLASHES = 100;
const PLAIN = /^[\w:=@-]+$/;
const PLAIN_UNIT = /[\w:=@-]/;
const CODED = /^(?:[\w:=@./-]|~[0-9a-f]{2}|~u[0-9a-f]{4})*$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a key. */
export function encodeKeyText(key: string): string {
  if (PLAIN.test(key)) return key;
  return key === "" ? EMPTY : encodeUnits(key, key.length);
}

/** What the texts of all keys begin with that begin with these characters. */
export function encodeKeyStart(start: string): string {
  // Whether those are escaped depends on what follows; half a character may be part of a whole one.
  const known = start.replace(/[\ud800-\udbff]$/, "").replace(/[./]+$/, "");
  return encodeUnits(start, known.length);
}

/** The key of a text, `undefined` for one that no key has. */
export function decodeKeyText(text: string): string | undefined {
  if (text === EMPTY) return "";
  if (text === "" || !CODED.test(text)) return undefined;
  if (!text.includes("~")) return encodeKeyText(text) === text ? text : undefined;
  try {
    const key = text.replace(
      /((?:~[0-9a-f]{2})+)|~u([0-9a-f]{4})/g,
      (_, bytes: string | undefined, unit: string | undefined) =>
        bytes === undefined
          ? String.fromCharCode(parseInt(unit as string, 16))
          : decoder.decode(Uint8Array.from(bytes.slice(1).split("~"), (hex) => parseInt(hex, 16))),
    );
    return encodeKeyText(key) === text ? key : undefined;
  } catch {
    // The bytes are no UTF-8.
    return undefined;
  }
}

/** The first tokens of a text, of at most so many characters. */
export function cutKeyText(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length);
  const open = cut.lastIndexOf("~");
  if (open < 0) return cut;
  const size = text[open + 1] === "u" ? 6 : 3;
  return open + size > length ? cut.slice(0, open) : cut;
}

function encodeUnits(key: string, end: number): string {
  let text = "";
  let slashes = 0;
  for (let at = 0; at < end;) {
    const point = key.codePointAt(at) as number;
    const character = String.fromCodePoint(point);
    const next = key[at + character.length];
    const isKept = character === "."
      ? next !== undefined && next !== "/"
      : character === "/"
      ? at > 0 && next !== undefined && key[at - 1] !== "/" && slashes++ < MAX_SLASHES
      : PLAIN_UNIT.test(character);
    text += isKept ? character : escape(character, point);
    at += character.length;
  }
  return text;
}

function escape(character: string, point: number): string {
  if (point >= 0xd800 && point <= 0xdfff) return `~u${point.toString(16)}`;
  return [...encoder.encode(character)]
    .map((byte) => `~${byte.toString(16).padStart(2, "0")}`)
    .join("");
}
