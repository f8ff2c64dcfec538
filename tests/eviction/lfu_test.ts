import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LfuPolicy } from "../../src/eviction/lfu.ts";

function use(policy: LfuPolicy, slot: number, times: number): void {
  for (let turn = 0; turn < times; turn++) policy.touch(slot);
}

describe("LfuPolicy", () => {
  it("evict() takes the entry that was used least often, not the one used longest ago", () => {
    const policy = new LfuPolicy();
    for (let slot = 0; slot < 3; slot++) policy.add(slot);
    use(policy, 0, 3);
    use(policy, 1, 2);
    use(policy, 2, 1);
    assert.deepStrictEqual([policy.evict(), policy.evict(), policy.evict()], [2, 1, 0]);
  });

  it("touch() counts up to 32 uses; beyond that the last one decides", () => {
    const policy = new LfuPolicy();
    for (let slot = 0; slot < 4; slot++) policy.add(slot);
    use(policy, 0, 31);
    use(policy, 1, 500);
    use(policy, 2, 32);
    use(policy, 3, 32);
    use(policy, 2, 1);
    assert.deepStrictEqual(
      [policy.evict(), policy.evict(), policy.evict(), policy.evict()],
      [0, 1, 3, 2],
    );
  });

  it("evict() lets an entry of many uses go after 255 steps of newer ones", () => {
    const policy = new LfuPolicy();
    policy.add(0);
    use(policy, 0, 1000);
    let rounds = 0;
    policy.add(1);
    while (policy.evict() !== 0) {
      policy.add(1);
      rounds++;
      assert.ok(rounds < 300, "the favourite stays for ever");
    }
    assert.equal(rounds, 254);
  });
});
