import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../servers/eventually.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";
import { Child } from "./processes/child_process.ts";

const LEASE_MS = 1500;

let server: RedisServer;
let children: Child[];

before(async () => {
  server = await startRedis();
  children = Array.from(
    { length: 4 },
    (_, at) => new Child(at, "load_child.ts", server.url, String(LEASE_MS)),
  );
  await Promise.all(children.map((child) => child.says("ready")));
});
after(async () => {
  for (const child of children) child.signal("SIGCONT");
  await Promise.all(children.map((child) => child.end()));
  await server.stop();
});

/** The children that have begun to load a key. */
function loading(key: string): Child[] {
  return children.filter(({ lines }) => lines.includes(`loading ${key}`));
}

/** Waits until so many have begun to load a key. */
async function owners(key: string, count: number): Promise<Child[]> {
  await eventually(`${count} load ${key}`, () => loading(key).length === count);
  return loading(key);
}

describe("CacheManager.getOrSet() in four processes over one Redis", () => {
  it("calls one loader, also when it takes longer than its lease", async () => {
    for (const child of children) child.say("one");
    const [owner] = await owners("one", 1);
    const lock = (): Promise<unknown> => server.command("GET", "loads!lock:{=one}");
    const token = String(await lock());
    await eventually("it is renewed", async () => {
      const left = Number(await server.command("PTTL", "loads!lock:{=one}"));
      return left > 0 && left < LEASE_MS * 0.8;
    });
    await eventually("it is renewed", async () => {
      return Number(await server.command("PTTL", "loads!lock:{=one}")) > LEASE_MS * 0.9;
    });
    assert.equal(String(await lock()), token);
    owner!.say("=value");
    await Promise.all(children.map((child) => child.says("one value")));
    assert.equal(loading("one").length, 1);
  });

  it("replaces an owner that is killed", async () => {
    for (const child of children) child.say("killed");
    const [owner] = await owners("killed", 1);
    owner!.signal("SIGKILL");
    await owner!.ended;
    children = children.filter((child) => child !== owner);
    const [next] = await owners("killed", 1);
    next!.say("=value");
    await Promise.all(children.map((child) => child.says("killed value")));
    assert.equal(loading("killed").length, 1);
  });

  it("replaces an owner that is frozen, and what that one makes later does not win", async () => {
    for (const child of children) child.say("frozen");
    const [owner] = await owners("frozen", 1);
    owner!.signal("SIGSTOP");
    const next = (await owners("frozen", 2)).find((child) => child !== owner);
    next!.say("=new");
    const others = children.filter((child) => child !== owner);
    await Promise.all(others.map((child) => child.says("frozen new")));
    owner!.signal("SIGCONT");
    owner!.say("=old");
    await eventually(
      "it has a value",
      () => owner!.lines.some((line) => line === "frozen old" || line === "frozen new"),
    );
    const late = new Child(0, "load_child.ts", server.url, String(LEASE_MS));
    await late.says("ready");
    late.say("frozen");
    await late.says("frozen new");
    assert.deepEqual(late.lines.filter((line) => line.startsWith("loading")), []);
    assert.equal(await late.end(), 0);
  });

  it("calls one loader for each key of batches that overlap", async () => {
    const keys = Array.from({ length: 300 }, (_, at) => `many ${at}`);
    const batches = children.map((_, at) => {
      const start = at * 50;
      const batch = [...keys.slice(start), ...keys.slice(0, start)];
      return (at % 2 === 0 ? batch : batch.reverse()).join(",");
    });
    children.forEach((child, at) => child.say(`+${batches[at]}`));
    await Promise.all(children.map((child, at) => child.says(`batch ${batches[at]}`)));
    const said = children.flatMap(({ lines }) => lines);
    // On a machine that does much else the locks may be late; then that is told, and locks are
    // left alone for a while: the tests that count on them come before.
    const mayRepeat = (key: string): boolean =>
      said.includes("lockError") || said.includes(`lockLost ${key}`);
    for (const key of keys) {
      const count = said.filter((line) => line === `loading ${key}`).length;
      assert.ok(count === 1 || count > 1 && mayRepeat(key), `${key} was loaded ${count} times`);
    }
  });

  it("each loads for itself when the server is gone", async () => {
    await server.kill();
    for (const child of children) child.say("gone");
    const all = await owners("gone", children.length);
    for (const [at, child] of all.entries()) child.say(`=${at}`);
    await Promise.all(all.map((child, at) => child.says(`gone ${at}`)));
    await server.restart();
  });
});
