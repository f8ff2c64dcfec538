import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapLimited } from "../../src/manager/map_limited.ts";
import { settle } from "../fakes/settle.ts";

describe("mapLimited()", () => {
  it("keeps order and never runs more than the limit at once", async () => {
    const ends: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const mapped = mapLimited(Array.from({ length: 20 }, (_, at) => at), 3, async (item) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
      return item * 2;
    });
    // The last begun ends first.
    for (let ended = 0; ended < 20; ended++) {
      ends.pop()!();
      await settle();
    }
    assert.deepEqual(await mapped, Array.from({ length: 20 }, (_, at) => at * 2));
    assert.equal(most, 3);
  });

  it("rejects when one fails", async () => {
    const failing = (item: number): Promise<number> =>
      item === 7 ? Promise.reject(new Error("seven")) : Promise.resolve(item);
    const items = Array.from({ length: 10 }, (_, at) => at);
    await assert.rejects(mapLimited(items, 2, failing), { message: "seven" });
    await assert.rejects(mapLimited(items, Infinity, failing), { message: "seven" });
  });

  it("gives nothing for nothing", async () => {
    assert.deepEqual(await mapLimited([], 3, () => Promise.reject(new Error("called"))), []);
  });
});
