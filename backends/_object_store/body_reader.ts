import type { BodyReader } from "./object_store.ts";

/** What is used of a `Readable` of Node. */
export interface NodeBody {
  readonly destroyed?: boolean;
  on(event: "data", listener: (piece: Uint8Array) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
}

/** Bytes that may wait for their reader before a stream of Node is told to pause. */
const AHEAD_BYTES = 256 * 1024;

type Step = Awaited<ReturnType<BodyReader["read"]>>;

/** Reads the body of an answer to `fetch`. */
export function readerOfResponse({ body }: Response): BodyReader {
  return (body ?? new Blob([]).stream()).getReader();
}

/** Reads a stream of Node as it is: made into a Web stream, every piece of it would be copied. */
export class NodeBodyReader implements BodyReader {
  readonly #body: NodeBody;
  readonly #pieces: Uint8Array[] = [];
  #ahead = 0;
  #isPaused = false;
  #isFlowing = false;
  #end: Promise<Step> | undefined;
  #waiting: ((step: Step | Promise<Step>) => void) | undefined;

  /** @param body of which nothing has been read. Its connection may have broken already. */
  constructor(body: NodeBody) {
    this.#body = body;
    if (body.destroyed === true) this.#ended(Promise.reject(new Error("It was closed")));
    body.on("error", (error) => this.#ended(Promise.reject(error)));
    body.on("end", () => this.#ended(Promise.resolve({ done: true })));
    body.on("close", () => this.#ended(Promise.reject(new Error("It was closed"))));
  }

  read(): Promise<Step> {
    if (!this.#isFlowing) {
      this.#isFlowing = true;
      this.#body.on("data", (piece) => this.#take(piece));
    }
    const piece = this.#pieces.shift();
    if (piece === undefined) {
      return this.#end ?? new Promise((resolve) => this.#waiting = resolve);
    }
    this.#ahead -= piece.length;
    if (this.#isPaused && this.#ahead < AHEAD_BYTES) {
      this.#isPaused = false;
      this.#body.resume();
    }
    return Promise.resolve({ done: false, value: piece });
  }

  cancel(): Promise<void> {
    this.#body.destroy();
    return Promise.resolve();
  }

  #take({ buffer, byteOffset, length }: Uint8Array): void {
    const value = new Uint8Array(buffer, byteOffset, length);
    if (this.#waiting !== undefined) return this.#settle({ done: false, value });
    this.#pieces.push(value);
    this.#ahead += length;
    if (this.#ahead < AHEAD_BYTES || this.#isPaused) return;
    this.#isPaused = true;
    this.#body.pause();
  }

  /** What it ended with first stays; the others follow from it. */
  #ended(end: Promise<Step>): void {
    end.catch(() => {});
    this.#end ??= end;
    if (this.#waiting !== undefined) this.#settle(this.#end);
  }

  #settle(step: Step | Promise<Step>): void {
    const resolve = this.#waiting!;
    this.#waiting = undefined;
    resolve(step);
  }
}
