import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nativeCrc32 } from "../../codecs/_native_crc32.ts";
import { loadNativeCrc32 } from "../../src/builtins.ts";
import { crc32, crc32Portable, useNativeCrc32 } from "../../src/entry/checksum.ts";

const CHECK = new TextEncoder().encode("123456789");

describe("crc32Portable()", () => {
  it("computes the known sums", () => {
    assert.equal(crc32Portable(new Uint8Array(0)), 0);
    assert.equal(crc32Portable(CHECK), 0xcbf43926);
    assert.equal(crc32Portable(new Uint8Array(32)), 0x190a55ad);
    assert.equal(crc32Portable(new Uint8Array(32).fill(0xff)), 0xff6cab0b);
  });

  it("equals the native sum of any bytes at any offset", () => {
    const native = nativeCrc32;
    assert.ok(native !== undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(9), (bytes, offset) => {
      const view = bytes.subarray(Math.min(offset, bytes.length));
      assert.equal(crc32Portable(view), native(view));
    }));
  });

  it("goes on from an earlier sum, wherever the bytes are cut", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, at) => at * 151);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const first = crc32Portable(bytes.subarray(0, cut));
      assert.equal(crc32Portable(bytes.subarray(cut), first), crc32Portable(bytes));
    }
  });

  it("sums only what stands before the end that is given", () => {
    const bytes = Uint8Array.from({ length: 50 }, (_, at) => at * 7);
    for (let end = 0; end <= bytes.length; end++) {
      assert.equal(crc32Portable(bytes, 0, end), crc32Portable(bytes.subarray(0, end)));
    }
  });
});

describe("crc32()", () => {
  it("is portable until a native one is given, and the same with it", async () => {
    assert.equal(crc32(CHECK), 0xcbf43926);
    const calls: number[] = [];
    useNativeCrc32((bytes, initial) => {
      calls.push(bytes.length);
      return crc32Portable(bytes, initial);
    });
    assert.equal(crc32(CHECK.subarray(4), crc32(CHECK.subarray(0, 4))), 0xcbf43926);
    assert.deepStrictEqual(calls, [4, 5]);
    const native = await loadNativeCrc32();
    assert.ok(native !== undefined);
    useNativeCrc32(native);
    assert.equal(crc32(CHECK.subarray(4), crc32(CHECK.subarray(0, 4))), 0xcbf43926);
  });
});
