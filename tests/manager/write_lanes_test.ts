import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WriteLanes } from "../../src/manager/write_lanes.ts";
import { settle } from "../fakes/settle.ts";

/** Writes that end when told to, and the order in which they began. */
class Writes {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<string>>();

  begin(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      const end = Promise.withResolvers<string>();
      this.#ends.set(name, end);
      return end.promise;
    };
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)!.resolve(name);
    await settle();
  }

  async fail(name: string): Promise<void> {
    this.#ends.get(name)!.reject(new Error(name));
    await settle();
  }
}

describe("WriteLanes", () => {
  it("run() begins at once when no write of the key is under way", () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a1"));
    lanes.run("b", writes.begin("b1"));
    assert.deepEqual(writes.begun, ["a1", "b1"]);
  });

  it("run() keeps the order of one key, also when a write fails", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    const first = lanes.run("a", writes.begin("a1"));
    const second = lanes.run("a", writes.begin("a2"));
    const third = lanes.run("a", writes.begin("a3"));
    assert.deepEqual(writes.begun, ["a1"]);
    await writes.fail("a1");
    await assert.rejects(first);
    assert.deepEqual(writes.begun, ["a1", "a2"]);
    await writes.end("a2");
    assert.equal(await second, "a2");
    await writes.end("a3");
    assert.equal(await third, "a3");
  });

  it("runMany() waits for each of its keys, and each of them waits for it", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a1"));
    lanes.run("b", writes.begin("b1"));
    lanes.runMany(["a", "b", "c"], writes.begin("abc"));
    lanes.run("c", writes.begin("c2"));
    lanes.run("d", writes.begin("d1"));
    await writes.end("a1");
    assert.deepEqual(writes.begun, ["a1", "b1", "d1"]);
    await writes.end("b1");
    assert.deepEqual(writes.begun.at(-1), "abc");
    await writes.end("abc");
    assert.deepEqual(writes.begun.at(-1), "c2");
  });

  it("reserve() takes a place that others wait for until it is left", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a1"));
    const place = lanes.reserve("a");
    lanes.run("a", writes.begin("a3"));
    let isTurn = false;
    place.turn.then(() => isTurn = true);
    await settle();
    assert.equal(isTurn, false);
    await writes.end("a1");
    assert.equal(isTurn, true);
    assert.deepEqual(writes.begun, ["a1"]);
    place.leave();
    await settle();
    assert.deepEqual(writes.begun, ["a1", "a3"]);
  });

  it("reserve() that is left before its turn does not let others pass", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a1"));
    lanes.reserve("a").leave();
    lanes.run("a", writes.begin("a3"));
    await settle();
    assert.deepEqual(writes.begun, ["a1"]);
    await writes.end("a1");
    assert.deepEqual(writes.begun, ["a1", "a3"]);
  });

  it("idle() of some keys waits for these only", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a"));
    lanes.run("b", writes.begin("b"));
    const ended: string[] = [];
    lanes.idle(["a", "never written"]).then(() => ended.push("a"));
    lanes.idle(["b"]).then(() => ended.push("b"));
    await writes.end("b");
    assert.deepEqual(ended, ["b"]);
    await writes.end("a");
    assert.deepEqual(ended, ["b", "a"]);
  });

  it("runAll() waits for all and holds up all, and later ones keep their order", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a1"));
    const failed = assert.rejects(lanes.runAll(writes.begin("clear1")), { message: "clear1" });
    lanes.run("a", writes.begin("a2"));
    lanes.runMany(["b", "c"], writes.begin("bc"));
    lanes.runAll(writes.begin("clear2"));
    lanes.run("c", writes.begin("c2"));
    await settle();
    assert.deepEqual(writes.begun, ["a1"]);
    await writes.end("a1");
    assert.deepEqual(writes.begun, ["a1", "clear1"]);
    await writes.fail("clear1");
    await failed;
    assert.deepEqual(writes.begun.slice(0, 2), ["a1", "clear1"]);
    assert.deepEqual(writes.begun.slice(2).sort(), ["a2", "bc"]);
    await writes.end("a2");
    await writes.end("bc");
    assert.deepEqual(writes.begun.at(-1), "clear2");
    await writes.end("clear2");
    assert.deepEqual(writes.begun.at(-1), "c2");
  });

  it("runAll() goes on when patience ends, and tells the keys that may be written yet", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    const patience = Promise.withResolvers<void>();
    lanes.run("hung", writes.begin("hung1"));
    lanes.run("quick", writes.begin("quick1"));
    let stragglers: readonly string[] = [];
    lanes.runAll((late) => {
      stragglers = [...late];
      return writes.begin("clear")();
    }, patience.promise);
    await writes.end("quick1");
    assert.deepEqual(writes.begun, ["hung1", "quick1"]);
    patience.resolve();
    await settle();
    assert.deepEqual(writes.begun.at(-1), "clear");
    assert.deepEqual(stragglers, ["hung"]);
    lanes.run("hung", writes.begin("hung2"));
    lanes.run("quick", writes.begin("quick2"));
    await writes.end("clear");
    assert.deepEqual(writes.begun.at(-1), "quick2", "a straggler still holds up its own key");
    await writes.end("hung1");
    assert.deepEqual(writes.begun.at(-1), "hung2");
  });

  it("idle() resolves when all writes have ended, however they ended", async () => {
    const lanes = new WriteLanes();
    const writes = new Writes();
    lanes.run("a", writes.begin("a")).catch(() => {});
    lanes.runAll(writes.begin("clear"));
    let isIdle = false;
    lanes.idle().then(() => isIdle = true);
    await writes.fail("a");
    assert.equal(isIdle, false);
    await writes.end("clear");
    assert.equal(isIdle, true);
  });

  it("a write that throws where it should reject does not block its key", async () => {
    const lanes = new WriteLanes();
    assert.throws(() =>
      lanes.run("a", () => {
        throw new Error("thrown");
      })
    );
    assert.equal(await lanes.run("a", () => Promise.resolve("next")), "next");
  });
});
