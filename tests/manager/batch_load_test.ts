import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BatchLoad } from "../../src/manager/batch_load.ts";
import { settle } from "../fakes/settle.ts";

const open = (): AbortSignal => new AbortController().signal;

describe("BatchLoad", () => {
  it("load() gathers the keys of one turn into one call", async () => {
    const calls: string[][] = [];
    const batch = new BatchLoad<string>((keys) => {
      calls.push(keys);
      return Promise.resolve(new Map(keys.map((key) => [key, key.toUpperCase()])));
    });
    const values = await Promise.all(["a", "b", "c"].map((key) => batch.load(key, open())));
    assert.deepEqual(values, ["A", "B", "C"]);
    assert.equal(await batch.load("d", open()), "D");
    assert.deepEqual(calls, [["a", "b", "c"], ["d"]]);
  });

  it("load() passes a failure on to every key of its batch", async () => {
    const batch = new BatchLoad<string>(() => Promise.reject(new Error("broken")));
    const loads = await Promise.allSettled(["a", "b"].map((key) => batch.load(key, open())));
    assert.deepEqual(loads.map(({ status }) => status), ["rejected", "rejected"]);
  });

  it("a batch is aborted when nobody waits for any of its keys", async () => {
    let signal: AbortSignal | undefined;
    const batch = new BatchLoad<string>((_keys, abandoned) => {
      signal = abandoned;
      return new Promise((_, reject) => {
        abandoned.addEventListener("abort", () => reject(abandoned.reason));
      });
    });
    const controllers = [new AbortController(), new AbortController()];
    const loads = Promise.allSettled(
      controllers.map((controller, at) => batch.load(`k${at}`, controller.signal)),
    );
    await settle();
    controllers[0]!.abort(new Error("one"));
    assert.equal(signal?.aborted, false);
    controllers[1]!.abort(new Error("both"));
    assert.equal((signal?.reason as Error).message, "both");
    assert.deepEqual((await loads).map(({ status }) => status), ["rejected", "rejected"]);
  });

  it("a batch that is aborted before its turn is not loaded", async () => {
    let calls = 0;
    const batch = new BatchLoad<string>(() => {
      calls++;
      return Promise.resolve(new Map());
    });
    const controller = new AbortController();
    const load = batch.load("a", controller.signal);
    controller.abort(new Error("enough"));
    await assert.rejects(load, { message: "enough" });
    assert.equal(calls, 0);
  });
});
