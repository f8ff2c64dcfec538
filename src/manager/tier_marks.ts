import type { WriteFormat } from "../entry/content.ts";
import type { VersionClock } from "../entry/version.ts";
import type { Clock } from "../types.ts";
import type { Change } from "./coordination.ts";
import { dropOutdated } from "./drop_outdated.ts";
import type { MarkStore } from "./tag_index.ts";
import type { Tier } from "./tier.ts";
import { entryOf } from "./write.ts";

/** What marks are written with. */
export interface TierMarksParts {
  /** The tiers that outlive this process, fastest first. */
  readonly tiers: readonly Tier[];
  /** The one source of time. */
  readonly clock: Clock;
  /** Told of the versions read. */
  readonly versions: VersionClock;
  /** How values are written. */
  readonly format: WriteFormat;
  /** Told when a mark has been written, and of what others are to be told. */
  readonly changed: (change: Change) => void;
}

/** Keeps the marks of tags in tiers, as entries that live for ever. */
export class TierMarks implements MarkStore {
  readonly #parts: TierMarksParts;

  constructor(parts: TierMarksParts) {
    this.#parts = parts;
  }

  /** The version that a mark holds in the first tier that has it. */
  async read(key: string): Promise<number | undefined> {
    for (const tier of this.#parts.tiers) {
      const entry = await tier.get(key);
      if (entry === undefined) continue;
      try {
        const version = await entry.value();
        if (typeof version === "number") {
          this.#parts.versions.observe(version);
          return version;
        }
      } catch (error) {
        // A mark that has been written again meanwhile goes too, which costs misses.
        await tier.discard(key, error, () => true);
      }
    }
    return undefined;
  }

  /** Writes a mark. @returns whether any tier has it, or a newer one. */
  async write(key: string, version: number, dropped?: string): Promise<boolean> {
    const { tiers, clock, format, changed } = this.#parts;
    const mark = entryOf(
      { key, value: version, ttl: Infinity, tags: [], version },
      clock.now(),
      format,
    );
    const outcomes = await Promise.all(tiers.map((tier) => tier.set(mark)));
    const tag = dropped ?? "";
    const announcement = dropped === undefined ? undefined : { kind: "tag", tag, version } as const;
    changed({ key, entry: mark, version, announcement });
    return await dropOutdated(tiers, mark, outcomes) || outcomes.includes("stored");
  }
}
