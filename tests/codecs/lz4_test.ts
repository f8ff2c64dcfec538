import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import * as lz4 from "lz4-wasm-nodejs";
import { lz4CodecOver } from "../../codecs/_lz4_codec.ts";
import { createLz4Codec } from "../../codecs/lz4.ts";
import { isCacheError } from "../../src/errors.ts";
import type { Codec } from "../../src/types.ts";
import { assertRefused, codecSuite } from "../codec_suite.ts";
import { assertWithinMemory } from "../process_memory.ts";
import { fromHex, REFERENCE_TEXT } from "./reference.ts";

const portable = lz4CodecOver(undefined);
const wasm = lz4CodecOver(lz4);
const variants: Readonly<Record<string, Codec>> = {
  "lz4 in WASM": wasm,
  "lz4 in TypeScript": portable,
};

/** By LZ4_compress_default of liblz4 1.9.4, behind the length. */
const REFERENCE = fromHex(
  "98000000ff17537472617461206b656570732077686174206973206465617220746f20636f6d707574652e2026005a507574652e20",
);

/** More than WASM is given. */
const HUGE_BYTES = 17 * 2 ** 20;

codecSuite("lz4", createLz4Codec);
for (const [name, codec] of Object.entries(variants)) codecSuite(name, () => codec);

for (const [name, codec] of Object.entries(variants)) {
  describe(name, () => {
    it("decode() reads what liblz4 wrote", async () => {
      assert.deepEqual(await codec.decode(REFERENCE, { length: 152 }), REFERENCE_TEXT);
    });

    it("decode() refuses a header that claims 2 GB, whatever length is asked for", async () => {
      for (const claim of ["ffffff7f", "00000080", "ffffffff"]) {
        const bomb = fromHex(claim + "1f00010000ffff");
        await assertWithinMemory(async () => {
          await assertRefused(codec, bomb, 1000, "decoded-size");
          await assertRefused(
            codec,
            bomb,
            new DataView(bomb.buffer).getUint32(0, true),
            "decoded-size",
          );
        });
      }
    });

    it("decode() refuses matches that begin before the value or at themselves", async () => {
      for (const block of ["1f410200000000", "1f41000000500000000000", "0f010000"]) {
        await assertRefused(codec, fromHex("20000000" + block), 32, "corrupt");
      }
    });

    it("decode() refuses a block that yields more or less than its prefix says", async () => {
      await assertRefused(codec, fromHex("02000000" + "304142" + "43"), 2);
      await assertRefused(codec, fromHex("04000000" + "304142" + "43"), 4);
    });

    it("decode() repeats matches of every distance and size", async () => {
      for (let distance = 1; distance < 40; distance++) {
        const period = Uint8Array.from({ length: distance }, (_, at) => at * 37 + 11);
        for (const length of [distance + 4, distance * 3 + 17, distance * 9 + 300]) {
          const raw = Uint8Array.from({ length }, (_, at) => period[at % distance]!);
          assert.deepEqual(await codec.decode(await codec.encode(raw), { length }), raw);
        }
      }
    });
  });
}

describe("lz4 on both ways", () => {
  it("decode() of each reads what the other wrote", async () => {
    const runs = fc.array(
      fc.tuple(fc.uint8Array({ maxLength: 30 }), fc.integer({ min: 1, max: 40 })),
    );
    await fc.assert(
      fc.asyncProperty(runs, async (parts) => {
        const raw = Uint8Array.from(
          parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => [...bytes]).flat()),
        );
        const { length } = raw;
        assert.deepEqual(await wasm.decode(await portable.encode(raw), { length }), raw);
        assert.deepEqual(await portable.decode(await wasm.encode(raw), { length }), raw);
      }),
      { numRuns: 100 },
    );
  });

  it("decode() of each answers alike to damaged blocks", async () => {
    const encoded = await wasm.encode(REFERENCE_TEXT);
    const outcome = async (codec: Codec, bytes: Uint8Array): Promise<Uint8Array | string> => {
      try {
        return await codec.decode(bytes, { length: REFERENCE_TEXT.length });
      } catch (error) {
        assert.ok(isCacheError(error), String(error));
        return "refused";
      }
    };
    for (let at = 4; at < encoded.length; at++) {
      for (let flip = 1; flip < 256; flip += 6) {
        const damaged = encoded.slice();
        damaged[at]! ^= flip;
        assert.deepEqual(await outcome(portable, damaged), await outcome(wasm, damaged));
      }
    }
  });

  it("encode() and decode() leave the memory of the WASM module as it is for huge values and bad blocks", async () => {
    const { memory } = (lz4 as unknown as { __wasm: { memory: WebAssembly.Memory } }).__wasm;
    const encoded = await wasm.encode(REFERENCE_TEXT);
    const huge = new Uint8Array(HUGE_BYTES).fill(3);
    const before = memory.buffer.byteLength;
    const encodedHuge = await wasm.encode(huge);
    const restored = await wasm.decode(encodedHuge, { length: HUGE_BYTES });
    assert.ok(restored.every((byte) => byte === 3) && restored.length === HUGE_BYTES);
    for (let time = 0; time < 10_000; time++) {
      const damaged = encoded.slice(0, 5 + time % (encoded.length - 5));
      await assertRefused(wasm, damaged, REFERENCE_TEXT.length);
    }
    assert.equal(memory.buffer.byteLength, before);
    assert.deepEqual(await wasm.decode(encoded, { length: 152 }), REFERENCE_TEXT);
  });
});
