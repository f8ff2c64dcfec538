/** How long a bench takes on one runtime of a machine with two cores, in seconds: what the time left is guessed from. */
interface Planned {
  readonly quick: number;
  readonly full: number;
}

const PLAN: Readonly<Record<string, Planned>> = {
  codec: { quick: 2, full: 14 },
  disk_peers: { quick: 3, full: 89 },
  embedding: { quick: 1, full: 2 },
  embedding_storage: { quick: 1, full: 13 },
  filesystem: { quick: 1, full: 10 },
  frame: { quick: 1, full: 5 },
  hit_ratio: { quick: 3, full: 88 },
  load: { quick: 5, full: 35 },
  memory_hit: { quick: 1, full: 8 },
  object: { quick: 3, full: 52 },
  peer: { quick: 2, full: 19 },
  redis: { quick: 2, full: 16 },
  serializer: { quick: 1, full: 25 },
  stack: { quick: 2, full: 24 },
  stream: { quick: 3, full: 62 },
  tier: { quick: 11, full: 190 },
};

const UNKNOWN: Planned = { quick: 4, full: 45 };

/** The seconds that a bench is expected to take. */
export function plannedSeconds(bench: string, isQuick: boolean): number {
  const planned = PLAN[bench] ?? UNKNOWN;
  return isQuick ? planned.quick : planned.full;
}

/** Tells the time left, correcting the plan by how long the finished ones took. */
export class TimeLeft {
  #planned = 0;
  #taken = 0;
  #left: number;

  /** @param plan the seconds of all that is to be done. */
  constructor(plan: readonly number[]) {
    this.#left = plan.reduce((sum, seconds) => sum + seconds, 0);
  }

  /** One has ended. */
  done(planned: number, taken: number): void {
    this.#planned += planned;
    this.#taken += taken;
    this.#left = Math.max(0, this.#left - planned);
  }

  /** Such as `"about 12 min"`. */
  toString(): string {
    const pace = this.#planned === 0 ? 1 : this.#taken / this.#planned;
    const seconds = this.#left * pace;
    return seconds < 100 ? `about ${Math.ceil(seconds)} s` : `about ${Math.ceil(seconds / 60)} min`;
  }
}
