import { KeyMemo } from "./_key_memo.ts";
import type { EmbeddingTarget } from "./embedding_model.ts";
import { encodeKey } from "./entry/frame.ts";
import type { MaybePromise } from "./maybe_promise.ts";

/** Follows the digest of a text that has no UTF-8, since it has lone surrogates. */
const UTF16_MARK = "w";

/**
 * Makes the keys of texts. A long text stands in its key by its SHA-256
 * (FIPS 180-4), of which no two different inputs with the same digest are known:
 * documents would otherwise take more room than their vectors, in every tier.
 */
export class EmbeddingKeys {
  readonly #memo = new KeyMemo();
  readonly #digestTextsOver: number;
  /** Digests under way, so that calls for one text go on in the order in which they were made. */
  readonly #underWay = new Map<string, Promise<string>>();

  /** @param digestTextsOver the length in UTF-16 code units from which on a text is long. */
  constructor(digestTextsOver: number) {
    // Without a secure context a browser has no digests; the text itself is right too.
    this.#digestTextsOver = globalThis.crypto?.subtle === undefined ? Infinity : digestTextsOver;
  }

  /** The key of a text; a promise for a long one that was not met lately. */
  keyOf(target: EmbeddingTarget, text: string): MaybePromise<string> {
    const { prefix, seed } = target;
    if (text.length <= this.#digestTextsOver) return this.#memo.join(prefix, seed, text);
    const known = this.#memo.find(prefix, seed, text);
    if (known !== undefined) return known;
    const name = prefix + text;
    let making = this.#underWay.get(name);
    if (making === undefined) {
      making = this.#digest(target, text).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, making);
    }
    return making;
  }

  async #digest({ prefix, seed, digestPrefix }: EmbeddingTarget, text: string): Promise<string> {
    const { bytes, utf16 } = encodeKey(text);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
    const key = `${digestPrefix}${hexOf(digest)}${utf16 ? UTF16_MARK : ""}`;
    this.#memo.add(prefix, seed, text, key);
    return key;
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hexOf(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}
