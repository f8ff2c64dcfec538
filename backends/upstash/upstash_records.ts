import type { CacheEntry } from "../../src/entry/entry.ts";
import type { Clock } from "../../src/types.ts";
import { batches } from "../_batches.ts";
import type { FrameReader } from "../_frames.ts";
import { chunksNameOf } from "../_stream_reference.ts";
import { base64Length, bytesOfReply, toBase64 } from "./base64.ts";
import * as commands from "./commands.ts";
import type { UpstashSettings } from "./upstash_config.ts";
import type { CallOptions, UpstashStore } from "./upstash_store.ts";

/** What the records of a backend are made of. */
export interface UpstashRecordsParts {
  /** Takes commands. */
  readonly store: UpstashStore;
  /** Names and limits. */
  readonly settings: UpstashSettings;
  /** Reads headers. */
  readonly frames: FrameReader;
  /** The one source of time. */
  readonly clock: Clock;
}

/** Writes and removes records whatever their versions, and the chunks that they refer to. */
export class UpstashRecords {
  readonly #parts: UpstashRecordsParts;

  constructor(parts: UpstashRecordsParts) {
    this.#parts = parts;
  }

  /** Stores entries. @returns which of them fit into a request. */
  async write(entries: readonly CacheEntry[], call: CallOptions): Promise<boolean[]> {
    const encoded = entries.map((entry) => entry.encode());
    // Frames that are there at once must not be overtaken by a delete that is begun later.
    const frames = encoded.some((frame) => frame instanceof Promise)
      ? await Promise.all(encoded)
      : encoded as Uint8Array[];
    call.signal?.throwIfAborted();
    const writes = entries.map((entry, at) => this.#write(entry, frames[at]!));
    await this.#replace(writes.map(({ command }) => command), call);
    return writes.map(({ isStored }) => isStored);
  }

  /** Removes stored keys. @returns how many held a live entry. */
  async remove(stored: readonly string[], call: CallOptions): Promise<number> {
    const { frames } = this.#parts;
    let removed = 0;
    for (const batch of batches(stored, commands.BATCH_KEYS)) {
      for (const { start, reply } of await this.#replace(batch.map(commands.unlink), call)) {
        if (start !== undefined && frames.isLive(start) && Number(reply) === 1) removed++;
      }
    }
    return removed;
  }

  /** Whether stored keys hold live entries. */
  async liveness(stored: readonly string[], call: CallOptions): Promise<boolean[]> {
    const { store, frames } = this.#parts;
    const starts = await store.send(stored.map(commands.getHeader), call);
    return starts.map((reply) => {
      const start = bytesOfReply(reply);
      return start !== undefined && frames.isLive(start);
    });
  }

  /** Runs commands that each change a key. @returns their replies, with what the records before them began with. */
  async #replace(
    changes: readonly commands.ChangeCommand[],
    call: CallOptions,
  ): Promise<{ readonly start: Uint8Array | undefined; readonly reply: unknown }[]> {
    const { store, settings: { names } } = this.#parts;
    // Together with the changes as far as they fit, and before them in any case.
    const starts = changes.map(({ writes }) => ({ ...commands.getHeader(writes), writes }));
    const replies = await store.send([...starts, ...changes], call);
    const changed = changes.map((_, at) => ({
      start: bytesOfReply(replies[at]),
      reply: replies[changes.length + at],
    }));
    const orphans = changed.flatMap(({ start }) => {
      const name = start && chunksNameOf(start);
      return name === undefined ? [] : [commands.unlink(names.streamPrefix + name)];
    });
    if (orphans.length > 0) await store.send(orphans, call);
    return changed;
  }

  #write(
    entry: CacheEntry,
    frame: Uint8Array,
  ): { readonly command: commands.ChangeCommand; readonly isStored: boolean } {
    const { clock, settings: { names, maxRequestBytes, expiryGrace } } = this.#parts;
    const stored = names.entry(entry.key);
    const left = Math.ceil(entry.staleUntil - clock.now());
    // From now, by the server's clock, so that it need not agree with ours.
    const write = commands.set(
      stored,
      () => toBase64(frame),
      base64Length(frame.length),
      left + expiryGrace,
    );
    const isStored = write.bytes <= maxRequestBytes;
    // Neither a value that is too large nor one that is over leaves an older one behind.
    return { command: isStored && left > 0 ? write : commands.unlink(stored), isStored };
  }
}
