/*
 * Caches for JavaScript side by side, in memory: a hit, a write, a hit of
 * "get or load", and how often a loader runs when 100 callers want a key at the
 * same time. Each is used as its README says, values live an hour.
 * The disks of those that have one are in disk_peers_bench.ts.
 *
 *   --quick   short, shows only that it works
 */

import { printTable } from "./demo/table.ts";
import { PEERS } from "./peers/peers.ts";
import type { OpenPeer } from "./peers/peer.ts";
import { note, record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { type Contender, takeTurns } from "./suite/take_turns.ts";

const KEYS = 500;
const CALLERS = 100;
const SECONDS = scaled(0.3, 6);
const FLOOR = PEERS[0]!.name;

const keys = Array.from({ length: KEYS }, (_, n) => `user:${n * 7919}:profile`);
/** Every key once, in an order that is not the one in which they came. */
const asked = keys.map((_, n) => keys[(n * 317) % KEYS]!);
const values = keys.map((key, id) => ({ id, key, name: "Ada", roles: ["reader", "writer"] }));

const peers = new Map<string, OpenPeer>();
for (const { name, open } of PEERS) {
  try {
    const peer = await open();
    for (const [at, key] of keys.entries()) {
      await peer.set?.(key, values[at]);
      await peer.getOrSet?.(`loaded:${key}`, () => Promise.resolve(values[at]));
    }
    peers.set(name, peer);
  } catch (error) {
    note(`${name} does not run here: ${String(error).split("\n")[0]}`);
  }
}

const never = (): Promise<never> => Promise.reject(new Error("a hit needs no loader"));

// Each has a loop of its own, so that none is slowed down by the kinds of objects that the others use.
const JOBS: Readonly<Record<string, (peer: OpenPeer) => (() => Promise<void>) | undefined>> = {
  "get, hit": ({ get }) =>
    get && (async () => {
      for (const key of asked) if (await get(key) === undefined) throw new Error("a hit missed");
    }),
  "set": ({ set }) =>
    set && (async () => {
      for (const [at, key] of keys.entries()) await set(key, values[at]);
    }),
  "getOrSet, hit": ({ getOrSet }) =>
    getOrSet && (async () => {
      for (const key of asked) {
        if (await getOrSet(`loaded:${key}`, never) === undefined) throw new Error("a hit missed");
      }
    }),
};

const shown = new Map<string, string[]>([...peers].map(([name]) => [name, [name]]));
for (const [group, jobOf] of Object.entries(JOBS)) {
  const contenders: Contender[] = [];
  for (const [name, peer] of peers) {
    const run = jobOf(peer);
    if (run !== undefined) contenders.push({ name, run, operations: KEYS });
  }
  const turns = await takeTurns(contenders, { seconds: SECONDS });
  for (const [subject, cells] of shown) {
    const turn = turns.get(subject);
    cells.push(turn === undefined ? "–" : `${(turn.us * 1000).toFixed(0)} ns`);
    if (turn === undefined) continue;
    const { us, spread, samples } = turn;
    record({
      group,
      subject,
      metric: "time",
      unit: "ns",
      value: us * 1000,
      spread,
      samples,
      floor: FLOOR,
      ...(group === "get, hit" && subject === "Strata, memory"
        ? { goal: { of: "ratio", atMost: 2 } }
        : {}),
    });
  }
}

for (const [subject, { getOrSet }] of peers) {
  const cells = shown.get(subject)!;
  if (getOrSet === undefined) {
    cells.push("–");
    continue;
  }
  let calls = 0;
  const load = async (): Promise<object> => {
    calls++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return values[0]!;
  };
  await Promise.all(Array.from({ length: CALLERS }, () => getOrSet("wanted by all", load)));
  const group = `stampede, ${CALLERS} callers of one key`;
  record({ group, subject, metric: "loads", unit: "calls", value: calls });
  cells.push(String(calls));
}

printTable(["", ...Object.keys(JOBS), "loads of 100 callers"], [...shown.values()]);
for (const { close } of peers.values()) await close?.();
