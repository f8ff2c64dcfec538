import { mapLimited } from "../../src/manager/map_limited.ts";
import { errnoOf } from "./disk.ts";
import { digestFromName, SHARDS } from "./names.ts";
import type { Reader } from "./reader.ts";
import type { Remover } from "./remover.ts";
import type { Shared } from "./shared.ts";

/** Files looked at at once. */
const CONCURRENCY = 32;

/** Goes through all entries of the directory, those of other processes too. */
export class Lister {
  readonly #shared: Shared;
  readonly #reader: Reader;
  readonly #remover: Remover;

  constructor(shared: Shared, reader: Reader, remover: Remover) {
    this.#shared = shared;
    this.#reader = reader;
    this.#remover = remover;
  }

  /** The keys of live entries that match. */
  async *keys(
    matches: (key: string) => boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string> {
    for (let shard = 0; shard < SHARDS; shard++) {
      signal?.throwIfAborted();
      const digests = await listEntries(this.#shared, shard);
      for (let at = 0; at < digests.length; at += CONCURRENCY) {
        signal?.throwIfAborted();
        const heads = await Promise.all(
          digests.slice(at, at + CONCURRENCY).map((digest) => this.#reader.headOf(digest)),
        );
        for (const head of heads) {
          if (head !== undefined && this.#isLive(head.header.expiresAt) && matches(head.key)) {
            yield head.key;
          }
        }
      }
    }
  }

  /**
   * Removes the entries that match, or all when no test is given. Only when no other change runs.
   *
   * @returns how many of them were live.
   */
  async clear(
    matches: ((key: string) => boolean) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    let count = 0;
    let failure: unknown;
    for (let shard = 0; shard < SHARDS; shard++) {
      const digests = await listEntries(this.#shared, shard);
      // All that was begun ends here, so that no removal meets a later write.
      await mapLimited(digests, CONCURRENCY, async (digest) => {
        if (failure !== undefined || signal?.aborted) return;
        try {
          if (await this.#clearOne(digest, matches)) count++;
        } catch (error) {
          failure ??= error;
        }
      });
      signal?.throwIfAborted();
      if (failure !== undefined) throw failure;
    }
    return count;
  }

  async #clearOne(
    digest: Uint8Array,
    matches: ((key: string) => boolean) | undefined,
  ): Promise<boolean> {
    const { index } = this.#shared;
    const slot = index.find(digest);
    const known = slot < 0 ? NaN : index.expiresAt(slot);
    if (matches === undefined && !Number.isNaN(known)) {
      return await this.#remover.remove(digest) && this.#isLive(known);
    }
    const head = await this.#reader.headOf(digest);
    if (matches !== undefined && (head === undefined || !matches(head.key))) return false;
    const wasThere = await this.#remover.removeIf(digest, () => Promise.resolve(true));
    return wasThere && head !== undefined && this.#isLive(head.header.expiresAt);
  }

  #isLive(expiresAt: number): boolean {
    return expiresAt > this.#shared.clock.now();
  }
}

/** The digests that the files of a shard are named for. Other files are passed over. */
export async function listEntries(
  { disk, directories }: Shared,
  shard: number,
): Promise<Uint8Array[]> {
  if (!await directories.measure(shard)) return [];
  try {
    const names = await disk.list(directories.path(shard));
    return names.map((name) => digestFromName(shard, name)).filter((digest) =>
      digest !== undefined
    );
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
