import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PrefetchTrial } from "../../src/warming/prefetch_trial.ts";

/** How many guesses it takes until the state changes, of which every other one or so is right. */
function settleUntilChange(trial: PrefetchTrial, isRight: boolean, most = 100_000): number {
  for (let count = 1; count <= most; count++) if (trial.settle(isRight)) return count;
  return Infinity;
}

describe("PrefetchTrial", () => {
  it("goes live after 128 guesses that come true, and not on ones that do not", () => {
    const trial = new PrefetchTrial(0.5);
    assert.equal(trial.isLive, false);
    assert.equal(settleUntilChange(trial, true), 128);
    assert.equal(trial.isLive, true);
    assert.equal(settleUntilChange(new PrefetchTrial(0.5), false), Infinity);
  });

  it("stops when what is fetched is not used, and takes longer to begin each time", () => {
    const trial = new PrefetchTrial(0.5);
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      waits.push(settleUntilChange(trial, true));
      assert.equal(settleUntilChange(trial, false), 128);
      assert.equal(trial.isLive, false);
    }
    assert.deepEqual(waits, [128, 256, 512, 1024]);
  });

  it("begins at once again after a time that paid", () => {
    const trial = new PrefetchTrial(0.5);
    settleUntilChange(trial, true);
    settleUntilChange(trial, false);
    settleUntilChange(trial, true);
    for (let count = 0; count < 128; count++) trial.settle(true);
    settleUntilChange(trial, false);
    assert.equal(settleUntilChange(trial, true), 256, "one failure since it last paid");
  });
});
