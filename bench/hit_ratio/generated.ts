import { Draws, Zipf } from "../load/random.ts";

/** Requests of keys by number, numbers dense from 0. */
export interface RequestStream {
  readonly name: string;
  /** What it is like. */
  readonly about: string;
  readonly keys: Uint32Array;
  /** Numbers of entries that are worth a look. */
  readonly sizes: readonly number[];
}

/** Distinct keys that streams are about, by which their sizes are chosen. */
const KEYS = 10_000;

/** Makes a stream of so many requests; the same each time. */
type Generate = (requests: number, draws: Draws) => Iterable<number>;

const GENERATORS: readonly (Omit<RequestStream, "keys"> & { readonly generate: Generate })[] = [
  {
    name: "zipf",
    about: `${KEYS} keys whose popularity falls by Zipf's law with exponent 0.9`,
    sizes: [100, 500, 2500],
    generate: zipf,
  },
  {
    name: "loop",
    about: "2,000 keys one after another, again and again",
    sizes: [500, 1500, 1900],
    generate: (requests) => loop(requests, 2000),
  },
  {
    name: "scan",
    about: "400 hot keys, and between them scans of keys that never come again",
    sizes: [200, 500, 1000],
    generate: scanOverHotSet,
  },
  {
    name: "shift",
    about: "a working set of 1,000 keys by Zipf's law that moves on all the time",
    sizes: [100, 400, 1200],
    generate: shiftingSet,
  },
  {
    name: "burst",
    about: "each key is asked for three times within some hundred requests, then never",
    sizes: [50, 200, 800],
    generate: bursts,
  },
  {
    name: "phases",
    about: "a loop, bursts and Zipf in turn, each for a while",
    sizes: [200, 1000],
    generate: phases,
  },
];

/** The streams that need no file. */
export function generatedStreams(requests: number): RequestStream[] {
  return GENERATORS.map(({ generate, ...stream }, at) => ({
    ...stream,
    keys: Uint32Array.from(generate(requests, new Draws(at + 1))),
  }));
}

function* zipf(requests: number, draws: Draws): Iterable<number> {
  const ranks = new Zipf(KEYS, 0.9);
  for (let at = 0; at < requests; at++) yield ranks.draw(draws);
}

function* loop(requests: number, keys: number): Iterable<number> {
  for (let at = 0; at < requests; at++) yield at % keys;
}

function* scanOverHotSet(requests: number, draws: Draws): Iterable<number> {
  const hot = 400;
  const ranks = new Zipf(hot, 0.5);
  let next = hot;
  let scanning = 0;
  for (let at = 0; at < requests; at++) {
    if (scanning === 0 && draws.uniform() < 0.01) scanning = 100;
    if (scanning > 0) scanning--;
    yield scanning > 0 ? next++ : ranks.draw(draws);
  }
}

function* shiftingSet(requests: number, draws: Draws): Iterable<number> {
  const ranks = new Zipf(1000, 0.8);
  for (let at = 0; at < requests; at++) {
    // One key enters for every twenty requests; the newest are the hottest half of the time.
    const moved = Math.floor(at / 20);
    const rank = ranks.draw(draws);
    yield moved + (at % 2 === 0 ? 999 - rank : Math.imul(rank, 617) % 1000);
  }
}

function* bursts(requests: number, draws: Draws): Iterable<number> {
  const due: number[][] = [];
  let next = 0;
  for (let at = 0; at < requests; at++) {
    const [key] = due[at] ?? [];
    if (key !== undefined) {
      const waiting = due[at]!;
      waiting.shift();
      if (waiting.length > 0) due[at + 1] = [...waiting, ...due[at + 1] ?? []];
      yield key;
      continue;
    }
    for (let again = 0; again < 2; again++) {
      const when = at + 1 + Math.floor(draws.exponential(1 / 60));
      (due[when] ??= []).push(next);
    }
    yield next++;
  }
}

function* phases(requests: number, draws: Draws): Iterable<number> {
  const length = Math.max(1, Math.floor(requests / 9));
  let first = 0;
  for (let done = 0, phase = 0; done < requests; done += length, phase++) {
    const count = Math.min(length, requests - done);
    if (phase % 3 === 0) yield* loop(count, 1500);
    else if (phase % 3 === 1) {
      let most = 0;
      for (const key of bursts(count, draws)) {
        most = Math.max(most, key);
        yield KEYS + first + key;
      }
      first += most + 1;
    } else yield* zipf(count, draws);
  }
}
