import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { freshSeed } from "../fakes/seeded_random.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";
import { checkHistory, type Said } from "./processes/check_history.ts";
import { Child } from "./processes/child_process.ts";

/** Operations of all processes; the long form has STRATA_LONG times as many: 1,000,000. */
const OPERATIONS = 100_000 * Number(process.env["STRATA_LONG"] ?? 1);

const PROCESSES = 4;

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

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
    const said = children.flatMap(({ lines }) =>
      lines.filter((line) => line.startsWith("[")).map((line) => JSON.parse(line) as Said)
    );
    for (const child of children) assert.equal(await child.end(), 0);
    const { hits, misses } = checkHistory(said);
    const done = `${hits} hits and ${misses} misses of ${OPERATIONS} operations`;
    assert.ok(hits > OPERATIONS / 4 && misses > OPERATIONS / 1000, done);
  });
});
