import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KeyIntent } from "../../src/coordination/intent.ts";
import { IntentQueue } from "../../src/coordination/intent_queue.ts";
import { entryOf } from "../fakes/entries.ts";

function set(key: string, version: number, value: unknown = 1, ttlMs = Infinity): KeyIntent {
  const entry = entryOf(key, value, { version, ttlMs });
  return { kind: "set", key, entry, version, announcement: undefined };
}

function open(maxIntents: number, maxBytes = Infinity) {
  const dropped: string[] = [];
  const queue = new IntentQueue(
    { maxIntents, maxBytes },
    (intent, reason) => dropped.push(`${(intent as KeyIntent).key} ${reason}`),
  );
  const kept = (): string[] =>
    queue.all().map((intent) => `${intent.kind} ${(intent as KeyIntent).key} ${intent.version}`);
  return { queue, dropped, kept };
}

describe("IntentQueue", () => {
  it("keeps the newest intent of each key", () => {
    const { queue, kept } = open(10);
    assert.equal(queue.put(set("a", 2)), true);
    assert.equal(queue.put(set("a", 1)), false);
    assert.equal(queue.put(set("b", 1)), true);
    assert.equal(queue.put(set("a", 3)), true);
    assert.deepEqual(kept(), ["set b 1", "set a 3"]);
    queue.settle("a", 2);
    queue.settle("b", 1);
    assert.deepEqual(kept(), ["set a 3"]);
  });

  it("gives up what expires first when there are too many, and never holds more", () => {
    const { queue, dropped, kept } = open(3);
    queue.put(set("long", 1, 1, 9000));
    queue.put(set("short", 2, 1, 10));
    queue.put({
      kind: "delete",
      key: "deleted",
      entry: undefined,
      version: 3,
      announcement: undefined,
    });
    queue.put(set("middle", 4, 1, 500));
    assert.deepEqual(dropped, ["short count"]);
    queue.put(set("ever", 5));
    assert.deepEqual(dropped, ["short count", "middle count"]);
    assert.deepEqual(kept(), ["set long 1", "delete deleted 3", "set ever 5"]);
    for (let at = 0; at < 1000; at++) {
      queue.put(set(`many ${at}`, at));
      assert.ok(queue.size <= 3);
    }
    assert.equal(dropped.length, 1002);
  });

  it("gives up values, not that they were set, when they take too many bytes", () => {
    const { queue, dropped, kept } = open(10, 3000);
    queue.put(set("large", 1, new Uint8Array(1500), 10));
    queue.put(set("larger", 2, new Uint8Array(2000)));
    assert.deepEqual(dropped, ["large bytes"]);
    assert.deepEqual(kept(), ["set larger 2", "delete large 1"]);
    assert.ok(queue.bytes <= 3000, `${queue.bytes}`);
    for (const intent of queue.all()) queue.remove(intent);
    assert.deepEqual([queue.size, queue.bytes], [0, 0]);
  });

  it("clear() keeps of older sets that they were set, also of those that come later", () => {
    const { queue, kept } = open(10);
    queue.put(set("a1", 1));
    queue.put(set("a2", 9));
    queue.put(set("b", 1));
    queue.clear("a*", 5);
    queue.put(set("a3", 4));
    queue.put(set("a4", 6));
    assert.deepEqual(kept(), ["set a2 9", "set b 1", "delete a1 1", "delete a3 4", "set a4 6"]);
    const undone = queue.get("ka1") as KeyIntent;
    assert.equal(undone.undoesSet, true);
    assert.deepEqual(undone.announcement, { kind: "key", key: "a1", version: 1 });
  });

  it("concerns() knows the keys of clears that wait", () => {
    const { queue } = open(10);
    const clear = {
      kind: "clear",
      pattern: "a*",
      version: 1,
      isNoted: true,
      announcement: undefined,
    } as const;
    queue.put(clear);
    assert.deepEqual([queue.concerns("a"), queue.concerns("b")], [true, false]);
    queue.remove(clear);
    assert.equal(queue.concerns("a"), false);
  });
});
