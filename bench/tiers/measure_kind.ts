import { percentileOf } from "../demo/percentiles.ts";
import { record } from "../suite/record.ts";
import { scaled } from "../suite/scale.ts";
import type { Store, TierKind } from "./store.ts";
import { drain, streamOf } from "./streams.ts";
import { keysOf, makeValues, type Size } from "./values.ts";

/** Calls under way at once where it is the throughput that counts; of the largest values fewer, or they alone would fill the memory. */
const AT_ONCE = 64;
const LARGE_AT_ONCE = 8;
const LARGE_BYTES = 1 << 20;
const FILL_AT_ONCE = 16;
/** Keys of one batch call. */
const BATCH = 100;
/** Batches of larger values would move more than 10 MB each. */
const MAX_BATCH_VALUE = 100 << 10;
/** Turns that each contender has; more means more fairness and less time a turn. The largest values take long enough in fewer. */
const TURNS = scaled(1, 8);
const LARGE_TURNS = scaled(1, 4);
/** The least samples of a turn; batches that move a lot are sampled once a turn. */
const MIN_SAMPLES = scaled(1, 3);
const MAX_BYTES_SAMPLED_AGAIN = 1 << 20;
/** Values of so many bytes take long enough to be timed one by one. */
const BYTES_A_SAMPLE = 256 << 10;
/** What is timed together says nothing of single calls: for percentiles some are timed alone as well. */
const ALONE = " alone";
/** Samples from which on a percentile has something to stand on. */
const SAMPLES_FOR = { p99: 100, "p99.9": 1000 } as const;

/** Smaller values are not streamed by anybody. */
const MIN_STREAMED = 100 << 10;

const OPERATIONS = [
  "set",
  "get",
  "getMany of 100",
  "set as a stream",
  "get as a stream",
  "delete",
] as const;

interface Contender {
  readonly name: string;
  readonly floor: string | undefined;
  readonly store: Store;
  readonly samples: Map<string, number[]>;
}

/** What is measured together. */
export interface Measurement {
  /** The name of the kind. */
  readonly tier: string;
  readonly kind: TierKind;
  readonly size: Size;
  /** For all operations of one store. */
  readonly seconds: number;
}

/** Measures all operations of all stores of a kind with values of one size; the stores take turns. */
export async function measureKind({ tier, kind, size, seconds }: Measurement): Promise<void> {
  const values = makeValues(size);
  const keys = keysOf(size);
  const contenders: Contender[] = [];
  for (const { name, floor, open } of kind.sources) {
    contenders.push({ name, floor, store: await open(), samples: new Map() });
  }
  try {
    for (const contender of contenders) await warmUp(contender, keys, values);
    const turns = size.bytes < LARGE_BYTES ? TURNS : LARGE_TURNS;
    for (let turn = 0; turn < turns; turn++) {
      for (let at = 0; at < contenders.length; at++) {
        const contender = contenders[(at + turn) % contenders.length]!;
        await takeTurn(contender, kind, { keys, values, seconds: seconds / turns });
      }
    }
    for (const contender of contenders) tell(contender, tier, size);
  } finally {
    for (const { store } of contenders) await store.close();
  }
}

async function warmUp(
  { store, name }: Contender,
  keys: readonly string[],
  values: readonly Uint8Array[],
): Promise<void> {
  await fill(store, keys, values);
  const value = await store.get(keys[0]!);
  if (value?.length !== values[0]!.length || value[1] !== values[0]![1]) {
    throw new Error(`${name} gives another value than it was set`);
  }
}

/** What a turn is made of. */
interface Turn {
  readonly keys: readonly string[];
  readonly values: readonly Uint8Array[];
  readonly seconds: number;
}

/** One turn: each operation for its share of the time, one call after another, then get and set many at once. */
async function takeTurn(
  { store, samples }: Contender,
  kind: TierKind,
  { keys, values, seconds }: Turn,
): Promise<void> {
  const { length: bytes } = values[0]!;
  const callsPerSample = Math.max(1, Math.min(kind.callsPerSample, BYTES_A_SAMPLE / bytes | 0));
  let next = 0;
  const key = (): string => keys[next++ % keys.length]!;
  const get = (): unknown => store.get(key());
  const set = (): unknown => store.set(key(), values[next % values.length]!);
  const share = seconds / 6 * 1000;
  const add = (name: string, more: readonly number[]): void => {
    const all = samples.get(name) ?? [];
    for (const sample of more) all.push(sample);
    samples.set(name, all);
  };
  const addCalls = async (name: string, call: () => unknown): Promise<void> => {
    add(name, await latencies(call, { milliseconds: share, callsPerSample }));
    if (callsPerSample > 1) add(name + ALONE, await latencies(call, { milliseconds: share / 4 }));
  };
  await addCalls("set", set);
  await addCalls("get", get);
  if (store.getMany !== undefined && bytes <= MAX_BATCH_VALUE) {
    const batch = keys.slice(0, BATCH);
    const minSamples = bytes * BATCH > MAX_BYTES_SAMPLED_AGAIN ? 1 : MIN_SAMPLES;
    const read = (): unknown => store.getMany!(batch);
    add("getMany of 100", await latencies(read, { milliseconds: share, minSamples }));
  }
  if (bytes >= MIN_STREAMED && store.setStream !== undefined) {
    const write = (): unknown => store.setStream!(key(), streamOf(values[next % values.length]!));
    add("set as a stream", await latencies(write, { milliseconds: share }));
  }
  if (bytes >= MIN_STREAMED && store.getStream !== undefined) {
    const read = async (): Promise<unknown> => drain(await store.getStream!(key()), bytes);
    add("get as a stream", await latencies(read, { milliseconds: share }));
  }
  const atOnce = callersOf(bytes);
  add("get at once", [await throughput(get, share, atOnce)]);
  add("set at once", [await throughput(set, share, atOnce)]);
  const doomed = keys.slice(0, Math.max(MIN_SAMPLES, Math.floor(keys.length / 4)));
  const addDeletes = async (name: string, callsPerSample: number): Promise<void> => {
    let last = 0;
    const remove = (): unknown => store.delete(doomed[last++]!);
    const maxCalls = doomed.length;
    add(name, await latencies(remove, { milliseconds: share, callsPerSample, maxCalls }));
    await fill(store, doomed.slice(0, last), values);
  };
  const together = Math.min(callsPerSample, doomed.length);
  await addDeletes("delete", together);
  if (together > 1) await addDeletes("delete" + ALONE, 1);
}

/** Sets keys, some at once: a store in a network would take its time. */
async function fill(
  store: Store,
  keys: readonly string[],
  values: readonly Uint8Array[],
): Promise<void> {
  const atOnce = Math.min(FILL_AT_ONCE, callersOf(values[0]!.length));
  for (let from = 0; from < keys.length; from += atOnce) {
    const some = keys.slice(from, from + atOnce);
    await Promise.all(some.map((key, at) => store.set(key, values[(from + at) % values.length]!)));
  }
}

function callersOf(bytes: number): number {
  return bytes < LARGE_BYTES ? AT_ONCE : LARGE_AT_ONCE;
}

/** How long calls are made, and how they are sampled. */
interface Sampling {
  /** How long calls are made. */
  readonly milliseconds: number;
  /** Calls that are timed together. @default 1 */
  readonly callsPerSample?: number;
  /** The least samples, whatever they take. @default 3, in a quick run 1 */
  readonly minSamples?: number;
  /** The most calls. @default Infinity */
  readonly maxCalls?: number;
}

/** Microseconds of each call, one after another. */
async function latencies(
  call: () => unknown,
  { milliseconds, callsPerSample = 1, minSamples = MIN_SAMPLES, maxCalls = Infinity }: Sampling,
): Promise<number[]> {
  const samples: number[] = [];
  const end = performance.now() + milliseconds;
  for (let made = 0; made + callsPerSample <= maxCalls; made += callsPerSample) {
    const start = performance.now();
    for (let time = 0; time < callsPerSample; time++) {
      const answer = call();
      if (answer instanceof Promise) await answer;
    }
    const now = performance.now();
    samples.push((now - start) * 1000 / callsPerSample);
    if (now > end && samples.length >= minSamples) break;
  }
  return samples;
}

/** Calls a second, so many callers each with one under way. */
async function throughput(
  call: () => unknown,
  milliseconds: number,
  atOnce: number,
): Promise<number> {
  const start = performance.now();
  let calls = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    do {
      // Awaited also where it answers at once, so that callers take turns.
      await call();
      calls++;
    } while (performance.now() < start + milliseconds);
  }));
  return calls * 1000 / (performance.now() - start);
}

function tell({ name, floor, samples }: Contender, tier: string, size: Size): void {
  const subject = { subject: name, floor };
  const shown: string[] = [];
  for (const operation of OPERATIONS) {
    const times = samples.get(operation);
    if (times === undefined) continue;
    const group = `${operation}, ${tier}, ${size.name}`;
    const of = { ...subject, group, unit: "us", samples: times.length } as const;
    const p50 = percentileOf(times, 0.5);
    const spread = (percentileOf(times, 0.75) - percentileOf(times, 0.25)) / p50;
    record({ ...of, metric: "p50", value: p50, spread });
    const calls = samples.get(operation + ALONE) ?? times;
    for (const [metric, least] of Object.entries(SAMPLES_FOR)) {
      if (calls.length < least) continue;
      const value = percentileOf(calls, Number(metric.slice(1)) / 100);
      record({ ...of, metric, value, samples: calls.length });
    }
    shown.push(`${operation} ${p50.toFixed(1)}`);
  }
  const atOnce = callersOf(size.bytes);
  for (const operation of ["get", "set"]) {
    const speeds = samples.get(`${operation} at once`)!;
    const value = percentileOf(speeds, 0.5);
    const group = `${operation} many at once, ${tier}, ${size.name}, ${atOnce} at once`;
    record({
      ...subject,
      group,
      metric: "throughput",
      unit: "op/s",
      value,
      samples: speeds.length,
    });
    shown.push(`${operation} × ${atOnce} ${Math.round(value)}/s`);
  }
  console.log(`  ${tier}, ${size.name.padEnd(7)} ${name.padEnd(28)} ${shown.join("   ")}`);
}
