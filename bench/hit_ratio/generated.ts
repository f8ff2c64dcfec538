import { Draws, Zipf } from "../load/random.ts";
import type { RequestStream } from "./stream.ts";

/** Distinct keys that streams are about, by which their sizes are chosen. */
const KEYS = 10_000;

/** Makes so many requests; the same each time. */
type Generate = (requests: number, draws: Draws) => Iterable<number>;

interface Recipe {
  readonly name: string;
  readonly about: string;
  readonly entries: readonly number[];
  readonly generate: Generate;
}

const RECIPES: readonly Recipe[] = [
  {
    name: "zipf",
    about: `${KEYS} keys whose popularity falls by Zipf's law with exponent 0.9`,
    entries: [100, 500, 2500],
    generate: zipf,
  },
  {
    name: "loop",
    about: "2,000 keys one after another, again and again",
    entries: [500, 1500, 1900],
    generate: (requests) => loop(requests, 2000),
  },
  {
    name: "scan",
    about: "400 hot keys, and between them scans of keys that never come again",
    entries: [200, 500, 1000],
    generate: scanOverHotSet,
  },
  {
    name: "shift",
    about: "a working set of 1,000 keys that moves on all the time",
    entries: [100, 400, 1200],
    generate: shiftingSet,
  },
  {
    name: "burst",
    about: "each key three times within some hundred requests, then never again",
    entries: [50, 200, 800],
    generate: bursts,
  },
  {
    name: "phases",
    about: "a loop, bursts and Zipf in turn, each for a while",
    entries: [200, 1000],
    generate: phases,
  },
  {
    name: "sequence",
    about: "documents of 12 parts each, read from first to last; documents by Zipf's law",
    entries: [500, 2000],
    generate: sequences,
  },
];

/** The streams that need no file. */
export function generatedStreams(requests: number): RequestStream[] {
  return RECIPES.map(({ name, about, entries, generate }, at) => ({
    name,
    about,
    requests: Uint32Array.from(generate(requests, new Draws(at + 1))),
    sizes: entries.map((size) => ({ entries: size })),
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

function* sequences(requests: number, draws: Draws): Iterable<number> {
  const parts = 12;
  const documents = new Zipf(KEYS / parts, 0.6);
  for (let done = 0, document = 0; done < requests; done++) {
    if (done % parts === 0) document = documents.draw(draws);
    yield document * parts + done % parts;
  }
}
