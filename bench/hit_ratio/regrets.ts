import type { EvictionPolicyName } from "../../mod.ts";

/** What all policies have reached on one stream with one number of entries, in percent. */
export interface Row {
  readonly stream: string;
  readonly entries: number;
  readonly hitRatios: Readonly<Record<EvictionPolicyName, number>>;
  /** Of the best policy known, be it one of these or of the reference. */
  readonly best: number;
  /** Of the optimum. */
  readonly belady: number;
  /** Of the reference's W-TinyLFU, the better of several. */
  readonly wTinyLfu?: number | undefined;
}

/** How far a policy has stayed behind, in points. */
export interface Regret {
  readonly mean: number;
  readonly worst: number;
  /** By how many points it was below LRU where that was most. */
  readonly belowLru: number;
  /** The mean distance from the optimum. */
  readonly belowBelady: number;
  /** The mean distance from the reference's W-TinyLFU, where there is a reference. */
  readonly belowWTinyLfu: number;
}

/** Sums up a policy's rows. */
export function regretOf(policy: EvictionPolicyName, rows: readonly Row[]): Regret {
  const regrets = rows.map(({ best, hitRatios }) => best - hitRatios[policy]);
  const referenced = rows.filter(({ wTinyLfu }) => wTinyLfu !== undefined);
  return {
    mean: meanOf(regrets),
    worst: Math.max(...regrets),
    belowLru: Math.max(...rows.map(({ hitRatios }) => hitRatios.lru - hitRatios[policy])),
    belowBelady: meanOf(rows.map(({ belady, hitRatios }) => belady - hitRatios[policy])),
    belowWTinyLfu: meanOf(
      referenced.map(({ wTinyLfu, hitRatios }) => wTinyLfu! - hitRatios[policy]),
    ),
  };
}

function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
