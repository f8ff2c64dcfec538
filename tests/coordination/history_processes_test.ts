import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { freshSeed } from "../fakes/seeded_random.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";
import { Child } from "./processes/child_process.ts";

/** Operations of all processes; the long form has STRATA_LONG times as many: 1,000,000. */
const OPERATIONS = 100_000 * Number(process.env["STRATA_LONG"] ?? 1);

const PROCESSES = 4;

/** A process may give what was overwritten so long ago: the way of a message, on a machine that does much else. */
const STALENESS_MS = 3000;

/** A delete is stamped so far ahead that it beats what is set elsewhere within that time. */
const FENCE_MS = 500;

/** How far clocks of one machine are apart that begin at different times. */
const CLOCKS_MS = 50;

type Said = [kind: string, key: string, value: string | null, begun: number, ended: number];

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

/** When a value, or its absence, was last replaced by something that no order of what overlapped puts before it. */
function replacedAt(change: Said, changes: readonly Said[]): number {
  const slack = FENCE_MS + CLOCKS_MS;
  let earliest = Infinity;
  for (const other of changes) {
    if (other[3] > change[4] + slack) earliest = Math.min(earliest, other[4]);
  }
  return earliest;
}

describe("Four processes over one Redis", () => {
  const seed = freshSeed();
  it(`read what linearity and the staleness of messages allow, from seed ${seed}`, async () => {
    const share = String(OPERATIONS / PROCESSES);
    const children = Array.from(
      { length: PROCESSES },
      (_, at) =>
        new Child(at, "history_child.ts", server.url, String(at), share, String(seed + at)),
    );
    await Promise.all(children.map((child) => child.says("ready")));
    for (const child of children) child.say("begin");
    await Promise.all(children.map((child) => child.saysAtLast("done")));
    for (const child of children) child.say("last");
    await Promise.all(children.map((child) => child.says("end")));
    const said = children.map(({ lines }) =>
      lines.filter((line) => line.startsWith("[")).map((line) => JSON.parse(line) as Said)
    );
    for (const child of children) assert.equal(await child.end(), 0);
    check(said);
  });
});

/** Looks at each read and at what is left in the end. */
function check(said: readonly (readonly Said[])[]): void {
  const all = said.flat();
  const changes = Map.groupBy(
    all.filter(([kind]) => kind === "set" || kind === "delete"),
    ([, key]) => key,
  );
  const setters = new Map(all.filter(([kind]) => kind === "set").map((set) => [set[2], set]));
  const ends = new Map<Said, number>();
  let reads = 0;
  for (const read of all) {
    const [kind, key, value, begun, ended] = read;
    if (kind !== "get" || value === null) continue;
    reads++;
    const set = setters.get(value);
    assert.ok(set !== undefined && set[1] === key, `${key} gave ${value}, which nobody set`);
    assert.ok(set[3] <= ended + CLOCKS_MS, `${key} gave ${value} before it was set`);
    let end = ends.get(set);
    if (end === undefined) ends.set(set, end = replacedAt(set, changes.get(key)!));
    assert.ok(
      begun <= end + STALENESS_MS,
      `${key} gave ${value}, replaced ${Math.round(begun - end)} ms before`,
    );
  }
  assert.ok(reads > OPERATIONS / 4, `only ${reads} of ${OPERATIONS} operations read a value`);
  // Now that nothing is under way any more all agree, on something that nothing certainly replaced.
  const lasts = all.filter(([kind]) => kind === "last");
  for (const [key, ofKey] of Map.groupBy(lasts, ([, key]) => key)) {
    const values = new Set(ofKey.map(([, , value]) => value));
    assert.equal(values.size, 1, `${key} is ${[...values].join(" and ")}`);
    const [value] = values;
    const set = value === null ? undefined : setters.get(value!);
    if (set !== undefined) assert.equal(replacedAt(set, changes.get(key)!), Infinity, key);
  }
}
