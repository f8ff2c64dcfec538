import type { Clock } from "../src/types.ts";
import { abortable } from "./_abortable.ts";
import type { ChunkTransport, StreamCall } from "./_chunked_streams.ts";
import { ORPHAN_MS } from "./_stream_scripts.ts";

/** Chunks that are on their way at once. */
const WINDOW = 4;

/** Sends the chunks of one stream, some at once, and keeps them while no more come. */
export class ChunkUpload {
  readonly #transport: ChunkTransport;
  readonly #chunks: string;
  readonly #clock: Clock;
  readonly #call: StreamCall;
  readonly #sending: Promise<unknown>[] = [];
  #stopBeating: () => void = () => {};
  /** Chunks taken so far. */
  count = 0;

  /** @param chunks the stored key of the chunks. */
  constructor(transport: ChunkTransport, chunks: string, clock: Clock, call: StreamCall) {
    this.#transport = transport;
    this.#chunks = chunks;
    this.#clock = clock;
    this.#call = call;
    this.#beat();
  }

  /** Takes a chunk, and waits until there is room for another. */
  async add(bytes: Uint8Array): Promise<void> {
    const { action, key, signal } = this.#call;
    // To its end, also when the signal is aborted: what arrives after the removal would stay.
    const sending = this.#transport.write(this.#chunks, this.count++, bytes, { action, key });
    // It is told by whoever waits for it.
    sending.catch(() => {});
    this.#sending.push(sending);
    if (this.#sending.length < WINDOW) return;
    await abortable(this.#sending[0]!, signal);
    this.#sending.shift();
  }

  /** Resolves when all chunks have arrived. */
  async settled(): Promise<void> {
    await abortable(Promise.all(this.#sending), this.#call.signal);
  }

  /** Keeps them no longer. */
  end(): void {
    this.#stopBeating();
  }

  /** Removes them; where that fails the server does so by itself. */
  async remove(): Promise<void> {
    await Promise.allSettled(this.#sending);
    const { action, key } = this.#call;
    await this.#transport.remove(this.#chunks, { action, key }).catch(() => {});
  }

  #beat(): void {
    this.#stopBeating = this.#clock.schedule(() => {
      this.#beat();
      this.#transport.keep(this.#chunks, this.#call).catch(() => {});
    }, ORPHAN_MS / 4);
  }
}
