import { CacheEntry } from "../entry/entry.ts";
import { CacheError, isCacheError } from "../errors.ts";
import type { ByteRange } from "../types.ts";
import { SharedTicket } from "./fences.ts";
import { FrameSource } from "./frame_source.ts";
import { promote } from "./promotion.ts";
import { StreamCopies } from "./stream_copies.ts";
import type { StreamContext } from "./stream_parts.ts";
import type { Tier } from "./tier.ts";
import { ValueSource } from "./value_source.ts";

/** One stream to be read. */
export interface StreamRead {
  /** As the tiers know it. */
  readonly key: string;
  /** The bytes that are wanted, `undefined` for all. */
  readonly range: ByteRange | undefined;
}

/** What was found in a tier. */
interface Found {
  readonly tier: Tier;
  readonly source: FrameSource | ValueSource;
  /** The value as a whole, where it is one. */
  readonly entry: CacheEntry | undefined;
}

/**
 * Reads a value as a stream from the first tier that has it, and copies it
 * meanwhile into the faster ones. Each chunk is checked before it is handed on.
 *
 * @returns `undefined` on a miss.
 * @throws {TypeError} when the value is not bytes.
 */
export async function readStream(
  context: StreamContext,
  read: StreamRead,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array> | undefined> {
  const { tiers, fences, counters, events, background } = context;
  const { key, range } = read;
  const shared = new SharedTicket(fences.open(key));
  try {
    const missed: Tier[] = [];
    for (const tier of tiers) {
      const found = await findIn(context, tier, read, shared, signal);
      if (found === undefined) {
        missed.push(tier);
        continue;
      }
      counters.hits++;
      if (events.has("hit")) events.emit("hit", { key, tier: tier.name });
      const { source, entry } = found;
      const { ticket } = shared;
      if (entry !== undefined) {
        const promotion = promote(events, entry, tier, missed, ticket);
        if (promotion !== undefined) background.run(shared.during(promotion));
      }
      const isCopied = source instanceof FrameSource && range === undefined &&
        missed.length > 0 && ticket.isUndisturbed;
      const copies = isCopied ? new StreamCopies(context, source, tier, missed, ticket) : undefined;
      return flow(context, { key, found, copies, shared: shared.join(), signal });
    }
    counters.misses++;
    if (events.has("miss")) events.emit("miss", { key });
    return undefined;
  } finally {
    shared.leave();
  }
}

async function findIn(
  context: StreamContext,
  tier: Tier,
  { key, range }: StreamRead,
  shared: SharedTicket,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { maxDecodedBytes, clock, versions, tags } = context;
  const { streams } = tier;
  let found: FrameSource | CacheEntry | undefined;
  let value: unknown;
  try {
    found = streams.areRead
      ? await FrameSource.open(streams, { key, range, maxDecodedBytes, signal })
      : await tier.get(key, signal);
    if (streams.areRead) streams.count(found !== undefined);
    if (found === undefined) return undefined;
    const metadata = found instanceof CacheEntry ? found : found.header.metadata;
    if (!tier.isInProcess) versions.observe(metadata.version);
    const isOver = metadata.expiresAt <= clock.now();
    if (isOver || (metadata.tags.length > 0 && await tags.isDropped(metadata))) {
      if (found instanceof FrameSource) found.cancel(undefined);
      return undefined;
    }
    if (found instanceof FrameSource) return { tier, source: found, entry: undefined };
    value = await found.value(maxDecodedBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (found === undefined && streams.areRead) streams.count(true);
    giveUp(context, tier, key, error, shared);
    return undefined;
  }
  // Not before: what a tier fails with may be a TypeError too, as that of a broken connection is.
  return { tier, source: new ValueSource(value, range), entry: found };
}

/** Takes what is damaged out of a tier; a tier that fails has only failed. */
function giveUp(
  { background }: StreamContext,
  tier: Tier,
  key: string,
  error: unknown,
  shared: SharedTicket,
): void {
  if (!isCacheError(error) || !DAMAGE.has(error.code)) return tier.streams.failed(key, error);
  const discarding = tier.discard(key, error, () => shared.ticket.isUndisturbed);
  background.run(shared.during(discarding));
}

const DAMAGE: ReadonlySet<string> = new Set([
  "corrupt",
  "decoded-size",
  "unsupported-format",
  "too-large",
]);

interface Flow {
  readonly key: string;
  readonly found: Found;
  readonly copies: StreamCopies | undefined;
  /** Joined for the stream. */
  readonly shared: SharedTicket;
  readonly signal: AbortSignal;
}

/** The stream that a reader gets: moves only when it is asked to. */
function flow(context: StreamContext, parts: Flow): ReadableStream<Uint8Array> {
  const { counts, background, events } = context;
  const { key, found: { source, tier }, copies, shared, signal } = parts;
  let isOver = false;
  let bytes = 0;
  const end = (result: "done" | "failed" | "cancelled"): void => {
    isOver = true;
    shared.leave();
    signal.removeEventListener("abort", onAbort);
    counts[result === "failed" ? "streamErrors" : "streamReads"]++;
    if (events.has("stream")) {
      events.emit("stream", { key, direction: "read", tier: tier.name, bytes, result });
    }
  };
  let fail: (error: unknown) => void = () => {};
  const onAbort = (): void => fail(signal.reason);
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      fail = (error) => {
        if (isOver) return;
        end("failed");
        source.cancel(error);
        copies?.abort(error);
        controller.error(error);
      };
      signal.addEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
    },
    pull: async (controller) => {
      try {
        const raw = await nextBytes(source, copies);
        if (isOver) return;
        if (raw !== undefined) {
          bytes += raw.length;
          counts.streamBytesRead += raw.length;
          controller.enqueue(raw);
          return;
        }
        if (copies !== undefined) background.run(shared.during(copies.commit()));
        end("done");
        controller.close();
      } catch (error) {
        if (isOver) return;
        giveUp(context, tier, key, error, shared);
        fail(
          isCacheError(error) ? error : new CacheError(
            "backend",
            `Cannot read stream: tier "${tier.name}" failed`,
            { backend: tier.name, key, cause: error },
          ),
        );
      }
    },
    cancel: (reason) => {
      if (isOver) return;
      end("cancelled");
      source.cancel(reason);
      copies?.abort(reason);
    },
  }, { highWaterMark: 0 });
}

/** The next bytes for the reader, who may do with them what it likes. */
async function nextBytes(
  source: FrameSource | ValueSource,
  copies: StreamCopies | undefined,
): Promise<Uint8Array | undefined> {
  if (source instanceof ValueSource) return (await source.next())?.raw;
  for (;;) {
    const chunk = await source.next();
    if (chunk === undefined) return undefined;
    copies?.push(chunk);
    if (chunk.raw.length > 0) return copies?.areWanted ? chunk.raw.slice() : chunk.raw;
  }
}
