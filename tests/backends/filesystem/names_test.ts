import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  entryPath,
  isEntryName,
  isShardName,
  isTemporaryName,
} from "../../../backends/filesystem/names.ts";

describe("names of the first form", () => {
  it("entryPath() is SHA-256 of the encoding's mark and the key", () => {
    // printf '\0key' | sha256sum; printf '\0' | sha256sum; printf '\1\0\330' | sha256sum
    assert.equal(
      entryPath("key"),
      "fd/97ae9017e75f0514b0133891e41734d342ae6ffe97cde333114936dc1a9aa5.entry",
    );
    assert.equal(
      entryPath(""),
      "6e/340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d.entry",
    );
    assert.equal(
      entryPath("\ud800"),
      "e3/d4b939093a78383dfae748cdd05d977e1ef4cf93cd07f5b08fd929097f0f92.entry",
    );
  });

  it("knows what entryPath() makes, and nothing else", () => {
    const [shard, name] = entryPath("any key").split("/") as [string, string];
    assert.equal(isShardName(shard), true);
    assert.equal(isEntryName(name), true);
    for (const other of ["", name.slice(1), `0${name}`, name.toUpperCase(), `${name}~`]) {
      assert.equal(isEntryName(other), false, other);
      assert.equal(isShardName(other), false, other);
    }
    assert.equal(isTemporaryName("0123456789abcdef-7.tmp"), true);
    assert.equal(isTemporaryName("notes.tmp"), false);
  });
});
