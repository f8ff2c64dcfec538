import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  digestFromName,
  digestOf,
  digestOfPath,
  entryPath,
  isTemporaryName,
  TemporaryNames,
} from "../../../backends/filesystem/names.ts";

describe("names of the filesystem backend", () => {
  it("entryPath() is SHA-256 of the encoding's mark and the key", () => {
    // printf '\0key' | sha256sum; printf '\0' | sha256sum; printf '\1\0\330' | sha256sum
    assert.equal(
      entryPath(digestOf("key")),
      "fd/97ae9017e75f0514b0133891e41734d342ae6ffe97cde333114936dc1a9aa5.entry",
    );
    assert.equal(
      entryPath(digestOf("")),
      "6e/340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d.entry",
    );
    assert.equal(
      entryPath(digestOf("\ud800")),
      "e3/d4b939093a78383dfae748cdd05d977e1ef4cf93cd07f5b08fd929097f0f92.entry",
    );
  });

  it("digestFromName() takes what entryPath() made, and nothing else", () => {
    const digest = digestOf("any key");
    const [shard, name] = entryPath(digest).split("/") as [string, string];
    assert.deepStrictEqual([...digestOfPath(`${shard}/${name}`)], [...digest]);
    const read = digestFromName(Number.parseInt(shard, 16), name);
    assert.deepStrictEqual([...(read ?? [])], [...digest]);
    for (
      const other of ["", name.slice(1), `0${name}`, name.toUpperCase(), `${name}~`, `${name}\n`]
    ) {
      assert.equal(digestFromName(0, other), undefined, other);
    }
  });

  it("TemporaryNames knows its own", () => {
    const [left, right] = [new TemporaryNames(), new TemporaryNames()];
    const names = [left.next(), left.next()];
    assert.notEqual(names[0], names[1]);
    assert.ok(names.every((name) => isTemporaryName(name) && left.isOwn(name)));
    assert.ok(names.every((name) => !right.isOwn(name)));
    assert.equal(isTemporaryName("notes.tmp"), false);
  });
});
