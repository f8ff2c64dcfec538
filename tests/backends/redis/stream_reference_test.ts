import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { slotOf, tagOfSlot } from "../../../backends/_hash_slot.ts";
import {
  chunksNameOf,
  decodeReference,
  encodeReference,
  isReference,
  newChunksName,
  REFERENCE_BYTES,
} from "../../../backends/_stream_reference.ts";
import { isCacheError } from "../../../src/errors.ts";
import { entryOf } from "../../fakes/entries.ts";

describe("slots of a cluster", () => {
  it("are those that the specification gives", () => {
    assert.equal(slotOf("123456789"), 0x31c3);
    assert.equal(slotOf("foo"), 12_182);
    assert.equal(slotOf("{user1000}.following"), slotOf("user1000"));
    assert.equal(slotOf("foo{{bar}}zap"), slotOf("{bar"));
    assert.equal(slotOf("foo{bar}{zap}"), slotOf("bar"));
    assert.notEqual(slotOf("foo{}{bar}"), slotOf("bar"));
  });

  it("each have a tag that leads to them", () => {
    for (let slot = 0; slot < 16_384; slot++) {
      const tag = tagOfSlot(slot);
      assert.match(tag, /^[0-9a-z]{4}$/);
      assert.equal(slotOf(`app!stream:{${tag}}0`), slot);
    }
  });
});

describe("references to chunks", () => {
  const stored = "app::any } key {";
  const reference = {
    name: newChunksName(stored),
    frameLength: 2 ** 33 + 7,
    chunkBytes: 262_144,
    expiresAt: Infinity,
    staleUntil: Infinity,
    version: 2 ** 50 + 3,
  };

  it("bring back what was written, and stay in the slot of their entry", () => {
    const bytes = encodeReference(reference);
    assert.equal(bytes.length, REFERENCE_BYTES);
    assert.ok(isReference(bytes));
    assert.deepStrictEqual(decodeReference(bytes), reference);
    assert.equal(chunksNameOf(bytes), reference.name);
    assert.equal(slotOf(`app!stream:${reference.name}`), slotOf(stored));
  });

  it("are refused when a bit of them is another, or they are cut", () => {
    const bytes = encodeReference(reference);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => decodeReference(damaged), (error) => isCacheError(error, "corrupt"));
      assert.equal(chunksNameOf(damaged), undefined);
    }
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(isReference(bytes.subarray(0, length)), false);
    }
  });

  it("are no frames, and frames are none", async () => {
    const frame = await entryOf("k", new Uint8Array(REFERENCE_BYTES)).encode();
    assert.equal(isReference(frame.subarray(0, REFERENCE_BYTES)), false);
  });
});
