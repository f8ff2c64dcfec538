import assert from "node:assert/strict";
import { it } from "node:test";
import { keyHash } from "../../src/eviction/key_hash.ts";

it("keyHash() gives the published sums of FNV-1a", () => {
  assert.equal(keyHash(""), 0x811c9dc5);
  assert.equal(keyHash("a"), 0xe40c292c);
  assert.equal(keyHash("foobar"), 0xbf9cf968);
});
