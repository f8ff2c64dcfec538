import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as zlib from "node:zlib";
import { nodeDeflate } from "../../codecs/_node_formats.ts";
import { streamDeflate } from "../../codecs/_stream_formats.ts";
import { createDeflateCodec } from "../../codecs/deflate.ts";
import type { Codec } from "../../src/types.ts";
import { assertRefused, codecSuite } from "../codec_suite.ts";
import { assertWithinMemory } from "../process_memory.ts";
import { fromHex, patched, REFERENCE_TEXT } from "./reference.ts";

const variants: Readonly<Record<string, Codec>> = {
  "deflate of node:zlib": nodeDeflate(zlib, 2),
  "deflate of compression streams": streamDeflate(),
};

/** By the module zlib of Python 3.11. */
const REFERENCE = fromHex(
  "78da0b2e294a2c4954c84e4d2d285628cf482c51c82c5648494d2c5228c95748cecf2d282d49d55308a6bb2a00654c3685",
);

/** By the same, with the dictionary "Strata keeps what is dear". */
const WITH_DICTIONARY = fromHex("78f9793309340bc625a15092af909c9f5b505a92aaa7407f5500654c3685");

codecSuite("deflate", () => createDeflateCodec());
for (const [name, codec] of Object.entries(variants)) codecSuite(name, () => codec);

for (const [name, codec] of Object.entries(variants)) {
  describe(name, () => {
    it("decode() reads what Python wrote", async () => {
      assert.deepEqual(await codec.decode(REFERENCE, { length: 152 }), REFERENCE_TEXT);
    });

    it("decode() refuses a wrong checksum", async () => {
      await assertRefused(codec, patched(REFERENCE, -1, [0]), 152, "corrupt");
    });

    it("decode() checks the sums of long values", async () => {
      const raw = new Uint8Array(100_000).fill(255);
      const encoded = new Uint8Array(zlib.deflateSync(raw));
      assert.deepEqual(await codec.decode(encoded, { length: raw.length }), raw);
      assert.equal(new DataView(encoded.buffer).getUint32(encoded.length - 4), 345_649_196);
    });

    it("decode() refuses deflate without the header of zlib, and gzip", async () => {
      const bare = new Uint8Array(zlib.deflateRawSync(REFERENCE_TEXT));
      const gzip = new Uint8Array(zlib.gzipSync(REFERENCE_TEXT));
      for (const bytes of [bare, gzip]) await assertRefused(codec, bytes, 152, "corrupt");
    });

    it("decode() refuses bytes that need a dictionary", async () => {
      await assertRefused(codec, WITH_DICTIONARY, 152, "corrupt");
    });

    it("decode() refuses a length that the bytes cannot yield, before making room for it", async () => {
      await assertWithinMemory(() => assertRefused(codec, REFERENCE, 2 ** 31, "decoded-size"));
    });
  });

  for (const [other, writer] of Object.entries(variants)) {
    it(`${name} reads what ${other} wrote`, async () => {
      const encoded = await writer.encode(REFERENCE_TEXT);
      assert.deepEqual(await codec.decode(encoded, { length: 152 }), REFERENCE_TEXT);
    });
  }
}

it("createDeflateCodec() takes levels from 1 to 9", async () => {
  for (const level of [1, 9]) assert.equal((await createDeflateCodec({ level })).id, 4);
  for (const level of [0, 10, 2.5, NaN]) {
    await assert.rejects(createDeflateCodec({ level }), {
      name: "RangeError",
      message:
        `Cannot create deflate codec: 'level' must be an integer from 1 to 9: current value is ${level}`,
    });
  }
});
