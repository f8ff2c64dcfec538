import type { MaybePromise } from "../src/maybe_promise.ts";

/** A script that a server keeps, so that its digest need only be named. */
export class Script {
  /** The script itself. */
  readonly text: string;
  #digest: MaybePromise<string> | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** Its SHA-1 in hexadecimal digits; a promise until it has been made. */
  digest(): MaybePromise<string> {
    return this.#digest ??= sha1(this.text).then((digest) => this.#digest = digest);
  }
}

/** Whether a server's error says that it does not keep the script that was named. */
export function isUnknownScript(message: string): boolean {
  return message.startsWith("NOSCRIPT");
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
