import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BroadcastChannelBus } from "../../src/coordination/broadcast_channel_bus.ts";
import { busSuite } from "./bus_suite.ts";
import { Recorder } from "./recorder.ts";
import { eventually } from "../servers/eventually.ts";

let opened = 0;

busSuite("BroadcastChannelBus", () => {
  const channel = `strata-test-${++opened}`;
  return () => new BroadcastChannelBus({ channel });
});

describe("BroadcastChannelBus", () => {
  it("tells of messages that are none, and ignores those of its own sender's name", async () => {
    const channel = "strata-test-hostile";
    let hostile = 0;
    const bus = new BroadcastChannelBus({
      channel,
      sender: "me",
      onHostile: () => void hostile++,
    });
    const recorder = new Recorder();
    bus.subscribe(recorder);
    const raw = new BroadcastChannel(channel);
    for (const message of [null, 7, { v: 1 }, "x", new Uint8Array(3)]) raw.postMessage(message);
    raw.postMessage('{"v":1,"s":"me","i":[["k","own",1]]}');
    raw.postMessage('{"v":1,"s":"other","i":[["k","key",1]]}');
    await recorder.key("key");
    await eventually("all have come", () => hostile === 5);
    assert.deepStrictEqual(recorder.heard, [{ kind: "key", key: "key", version: 1 }]);
    raw.close();
    await bus.close();
  });

  it("refuses a sender without a name or with one that is too long", () => {
    for (const sender of ["", "x".repeat(65)]) {
      assert.throws(() => new BroadcastChannelBus({ sender }), RangeError);
    }
  });
});
