import type { FrameSource, ReadChunk } from "./frame_source.ts";
import { dropOutdated } from "./drop_outdated.ts";
import type { Ticket } from "./fences.ts";
import type { StreamContext } from "./stream_parts.ts";
import type { StreamSink } from "./stream_sink.ts";
import type { Tier } from "./tier.ts";
import { CHUNK_HEADER_BYTES, encodeEnd } from "../entry/stream_frame.ts";

/** Bytes by which a copy may be behind the reader; one that is further behind is given up. */
const MAX_LAG_BYTES = 8 * 1024 * 1024;

/** The copies of a stream that is read, into the tiers that missed it. They never hold the reader up. */
export class StreamCopies {
  readonly #context: StreamContext;
  readonly #source: FrameSource;
  readonly #from: Tier;
  readonly #copies: readonly { readonly tier: Tier; readonly sink: StreamSink }[];
  #chunks = 0;
  #rawLength = 0;
  #storedLength = 0;

  constructor(
    context: StreamContext,
    source: FrameSource,
    from: Tier,
    missed: readonly Tier[],
    ticket: Ticket,
  ) {
    this.#context = context;
    this.#source = source;
    this.#from = from;
    const { header, size } = source;
    this.#copies = missed.flatMap((tier) => {
      const sink = tier.streams.copy({
        entry: { ...header.metadata, key: header.key },
        layout: header,
        size,
        format: context.format,
        queueBytes: MAX_LAG_BYTES,
        isCurrent: () => ticket.isUndisturbed,
      });
      return sink === undefined ? [] : [{ tier, sink }];
    });
  }

  /** Whether chunks are still wanted: then they are shared with the copies, and must not be changed. */
  get areWanted(): boolean {
    return this.#copies.some(({ sink }) => sink.isOpen);
  }

  /** Takes a chunk that the reader gets. */
  push(chunk: ReadChunk): void {
    this.#chunks++;
    this.#rawLength += chunk.raw.length;
    this.#storedLength += chunk.bytes.length - CHUNK_HEADER_BYTES;
    for (const { sink } of this.#copies) {
      if (!sink.isOpen) continue;
      if (sink.hasRoom) sink.push(chunk);
      else sink.abort(new Error("the copy is slower than the reader"));
    }
  }

  /** All has been read: the copies become visible, in the background. */
  commit(): Promise<unknown> {
    const { events } = this.#context;
    const { header } = this.#source;
    const { key } = header;
    const end = encodeEnd(header, this.#chunks, this.#rawLength, this.#storedLength);
    const ends = this.#copies.map(async ({ tier, sink }) => {
      const outcome = await sink.commit(end);
      if (outcome === "stored" && events.has("promotion")) {
        events.emit("promotion", { key, from: this.#from.name, to: tier.name });
      }
      return outcome;
    });
    return Promise.all(ends).then((outcomes) =>
      dropOutdated(
        this.#copies.map(({ tier }) => tier),
        { key, version: header.metadata.version },
        outcomes,
      )
    );
  }

  /** Leaves nothing of the copies. */
  abort(reason: unknown): void {
    for (const { sink } of this.#copies) sink.abort(reason);
  }
}
