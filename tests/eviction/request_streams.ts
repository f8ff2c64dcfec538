import { seededRandom } from "../fakes/seeded_random.ts";

/** Keys of falling popularity, the n-th asked for n^-skew times as often as the first. */
export function* zipf(
  keys: number,
  requests: number,
  skew: number,
  seed: number,
): Generator<number> {
  const random = seededRandom(seed);
  const totals: number[] = [];
  let total = 0;
  for (let rank = 1; rank <= keys; rank++) totals.push(total += rank ** -skew);
  for (let request = 0; request < requests; request++) {
    const wanted = random() * total;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (totals[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    yield low;
  }
}

/** Keys one after another, again and again. */
export function* loop(keys: number, requests: number): Generator<number> {
  for (let request = 0; request < requests; request++) yield request % keys;
}

/** A hot set, and between its uses keys that never come again. */
export function* hotSetWithScans(hot: number, requests: number, seed: number): Generator<number> {
  const random = seededRandom(seed);
  for (let request = 0; request < requests; request++) {
    yield random() < 0.5 ? Math.floor(random() * hot) : hot + request;
  }
}

/** Each key three times, the uses so many requests apart, then never again; numbers from `first` on. */
export function* bursts(apart: number, requests: number, first: number): Generator<number> {
  for (let request = 0; request < requests; request++) {
    const block = Math.floor(request / (3 * apart));
    yield first + block * apart + request % apart;
  }
}

/** Keys that come once each. */
export function* flood(requests: number, first: number): Generator<number> {
  for (let request = 0; request < requests; request++) yield first + request;
}
