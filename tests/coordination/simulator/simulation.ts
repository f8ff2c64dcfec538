import assert from "node:assert/strict";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { SimBroker } from "./sim_bus.ts";
import { SimHistory } from "./sim_history.ts";
import { SimNode, type SimWorld } from "./sim_node.ts";
import { type ServerHealth, SimServer } from "./sim_server.ts";
import { SimTime, SkewedClock } from "./sim_time.ts";

/** What a run is like. */
export interface SimulationOptions {
  /** Decides all that happens. */
  readonly seed: number;
  /** Machines. */
  readonly nodes: number;
  /** The longest time between two tries of recovery, in milliseconds. */
  readonly recoveryPeriod: number;
}

const KEYS = ["a1", "a2", "a3", "b1", "b2", "c"];
const TAGS = ["red", "blue"];

/** Milliseconds in which things go wrong. */
const TROUBLED_MS = 12_000;

const OPERATIONS = 120;
const FAULTS = 25;

/** Milliseconds that the clocks of two machines may be apart. */
const MAX_SKEW_MS = 500;

const HEALTHS: readonly ServerHealth[] = ["failing", "deaf", "hanging"];

/**
 * Runs machines over one server for a while in which links are cut, the server,
 * the broker and disks fail and machines freeze; then mends all and, two
 * periods later, looks whether all machines have the newest of each key.
 */
export async function simulate({ seed, nodes, recoveryPeriod }: SimulationOptions): Promise<void> {
  const random = seededRandom(seed);
  const time = new SimTime();
  const history = new SimHistory(() => time.now);
  const clock = new SkewedClock(time, 0, (callback) => callback());
  const server = new SimServer(time, clock, random);
  const world: SimWorld = {
    time,
    random,
    server,
    broker: new SimBroker(),
    history,
    recoveryPeriod,
  };
  const machines: SimNode[] = [];
  for (let at = 0; at < nodes; at++) {
    machines.push(await SimNode.start(world, random() * MAX_SKEW_MS, random() < 0.3));
  }
  const failures: unknown[] = [];
  let value = 0;
  const trouble = new Trouble(world, machines);
  for (let at = 0; at < OPERATIONS; at++) {
    time.schedule(() => {
      const ends: (() => void)[] = [];
      const nextValue = (): number => {
        ends.push(history.setting(++value));
        return value;
      };
      operate(pick(random, machines), random, history, nextValue)
        .catch((error) => failures.push(error))
        .finally(() => ends.forEach((end) => end()));
    }, random() * TROUBLED_MS);
  }
  for (let at = 0; at < FAULTS; at++) {
    time.schedule(() => trouble.cause(), random() * TROUBLED_MS);
  }
  await time.runUntil(time.now + TROUBLED_MS);
  trouble.end();
  // As everybody goes on reading: some things are mended only when they are asked for.
  for (let at = 0; at < 2 * OPERATIONS; at++) {
    time.schedule(() => {
      pick(random, machines).cache.get(pick(random, KEYS)).catch((error) => failures.push(error));
    }, random() * 2 * recoveryPeriod);
  }
  await time.runUntil(time.now + 2 * recoveryPeriod);
  assert.deepEqual(failures, [], "no operation may fail for what fails beneath it");
  await check(world, machines);
  const closing = Promise.all(machines.map(({ cache }) => cache.close()));
  await time.runUntil(time.now + 60_000);
  await closing;
}

/** Reads every key on every machine. */
async function check({ time, history }: SimWorld, machines: readonly SimNode[]): Promise<void> {
  const reading = machines.map(({ cache }) => cache.getMany(KEYS));
  const stats = machines.map(({ cache }) => cache.getStats());
  await time.runUntil(time.now + 100);
  const left = await Promise.all(reading);
  for (const [at, key] of KEYS.entries()) {
    const values = left.map((values) => values[at]);
    for (const [machine, value] of values.entries()) {
      history.check(key, value, `machine ${machine} of ${JSON.stringify(values)}`);
    }
    assert.equal(new Set(values).size, 1, `${key} differs: ${JSON.stringify(values)}`);
  }
  for (const { coordination } of await Promise.all(stats)) {
    assert.deepEqual(
      [coordination!.queued, coordination!.untold, coordination!.isConnected],
      [0, 0, true],
      "nothing waits any more",
    );
  }
}

/** Does one thing to a cache. */
async function operate(
  { cache }: SimNode,
  random: () => number,
  history: SimHistory,
  nextValue: () => number,
): Promise<void> {
  const key = pick(random, KEYS);
  const options = {
    ...(random() < 0.2 ? { ttl: "2s" } : {}),
    ...(key.startsWith("b") ? { tags: [pick(random, TAGS)] } : {}),
  };
  const choice = random();
  if (choice < 0.3) await cache.set(key, nextValue(), options);
  else if (choice < 0.35) {
    await cache.setMany([{ key: "a1", value: nextValue() }, { key: "c", value: nextValue() }]);
  } else if (choice < 0.5) await cache.delete(key);
  else if (choice < 0.53) await cache.deleteMany(["a2", "c"]);
  else if (choice < 0.56) {
    const pattern = random() < 0.3 ? undefined : "a*";
    history.clearing(pattern);
    await cache.clear(pattern);
  } else if (choice < 0.6) await cache.deleteByTag(pick(random, TAGS));
  else if (choice < 0.75) await cache.getOrSet(key, nextValue, options);
  else if (choice < 0.8) await cache.getMany(KEYS);
  else await cache.get(key);
}

/** What goes wrong in a world. */
class Trouble {
  readonly #world: SimWorld;
  readonly #machines: readonly SimNode[];
  /** What mends what is broken, each to be called once. */
  readonly #mends = new Set<() => void>();

  constructor(world: SimWorld, machines: readonly SimNode[]) {
    this.#world = world;
    this.#machines = machines;
  }

  /** Breaks something for a while. */
  cause(): void {
    const { random, server, broker } = this.#world;
    const node = pick(random, this.#machines);
    const choice = random();
    if (choice < 0.2) this.#partition();
    else if (choice < 0.35) this.#set(node.store, "isCut", true, false);
    else if (choice < 0.5) this.#set(node.bus, "isCut", true, false);
    else if (choice < 0.65) this.#set(server, "health", pick(random, HEALTHS), "up");
    else if (choice < 0.72) this.#set(broker, "isDown", true, false);
    else if (choice < 0.82) this.#set(node, "isFrozen", true, false);
    else if (choice < 0.9) this.#set(node.store, "latency", 1500, 5);
    else if (choice < 0.95) node.clock.skew = random() * MAX_SKEW_MS;
    else if (node.disk !== undefined) {
      const faults = random() < 0.5 ? { failBefore: 0.5 } : { failAfter: 0.5 };
      this.#set(node.disk, "faults", faults, {});
    }
  }

  /** Mends all that is broken. */
  end(): void {
    for (const mend of this.#mends) mend();
  }

  /** Cuts some machines off from both the server and the broker. */
  #partition(): void {
    const { random } = this.#world;
    for (const node of this.#machines) {
      if (random() < 0.6) continue;
      this.#set(node.store, "isCut", true, false);
      this.#set(node.bus, "isCut", true, false);
    }
  }

  #set<T, K extends keyof T>(target: T, field: K, broken: T[K], whole: T[K]): void {
    const { time, random } = this.#world;
    target[field] = broken;
    const mend = (): void => {
      if (!this.#mends.delete(mend)) return;
      target[field] = whole;
    };
    this.#mends.add(mend);
    time.schedule(mend, random() * 4000);
  }
}

function pick<T>(random: () => number, of: readonly T[]): T {
  return of[Math.floor(random() * of.length)]!;
}
