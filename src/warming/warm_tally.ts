import type { WarmCounts } from "./warm_options.ts";

/** The counts of one batch, or of all, in the making. */
export class WarmTally {
  warmed = 0;
  loaded = 0;
  alreadyThere = 0;
  missing = 0;
  declined = 0;
  failed = 0;

  /** Keys in all of them. */
  get done(): number {
    return this.warmed + this.alreadyThere + this.missing + this.declined + this.failed;
  }

  /** Takes in the counts of a batch. */
  add(other: WarmTally): void {
    this.warmed += other.warmed;
    this.loaded += other.loaded;
    this.alreadyThere += other.alreadyThere;
    this.missing += other.missing;
    this.declined += other.declined;
    this.failed += other.failed;
  }

  /** The counts as they are now. */
  toCounts(): WarmCounts {
    const { done, warmed, loaded, alreadyThere, missing, declined, failed } = this;
    return { done, warmed, loaded, alreadyThere, missing, declined, failed };
  }
}

/** How far a source has been worked through, where batches end in any order. */
export class WarmCursor {
  /** Items up to which all batches have ended. */
  at: number;
  readonly #open: { readonly end: number; isDone: boolean }[] = [];

  /** @param start items that are left out. */
  constructor(start: number) {
    this.at = start;
  }

  /** A batch up to an item begins. @returns what ends it. */
  begin(end: number): () => void {
    const batch = { end, isDone: false };
    this.#open.push(batch);
    return () => {
      batch.isDone = true;
      while (this.#open[0]?.isDone) this.at = this.#open.shift()!.end;
    };
  }
}
