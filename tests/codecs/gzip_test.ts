import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as zlib from "node:zlib";
import { nodeGzip } from "../../codecs/_node_formats.ts";
import { streamGzip } from "../../codecs/_stream_formats.ts";
import { createGzipCodec } from "../../codecs/gzip.ts";
import type { Codec } from "../../src/types.ts";
import { assertRefused, codecSuite } from "../codec_suite.ts";
import { assertWithinMemory } from "../process_memory.ts";
import { fromHex, patched, REFERENCE_TEXT } from "./reference.ts";

const variants: Readonly<Record<string, Codec>> = {
  "gzip of node:zlib": nodeGzip(zlib, 2),
  "gzip of compression streams": streamGzip(),
};

/** By the module gzip of Python 3.11. */
const REFERENCE = fromHex(
  "1f8b08000000000002030b2e294a2c4954c84e4d2d285628cf482c51c82c5648494d2c5228c95748cecf2d282d49d55308a6bb2a00ba9498f098000000",
);

codecSuite("gzip", () => createGzipCodec());
for (const [name, codec] of Object.entries(variants)) codecSuite(name, () => codec);

for (const [name, codec] of Object.entries(variants)) {
  describe(name, () => {
    it("decode() reads what Python wrote", async () => {
      assert.deepEqual(await codec.decode(REFERENCE, { length: 152 }), REFERENCE_TEXT);
    });

    it("decode() refuses a wrong checksum and a wrong magic", async () => {
      await assertRefused(codec, patched(REFERENCE, -8, [0]), 152, "corrupt");
      await assertRefused(codec, patched(REFERENCE, 0, [0x1e]), 152, "corrupt");
    });

    it("decode() refuses more than one member", async () => {
      const twice = Uint8Array.of(...REFERENCE, ...REFERENCE);
      for (const length of [152, 304]) await assertRefused(codec, twice, length);
    });

    it("decode() refuses a bomb whose trailer lies", async () => {
      const bomb = new Uint8Array(zlib.gzipSync(new Uint8Array(96 * 2 ** 20)));
      const lying = patched(bomb, -4, [0xe8, 3, 0, 0]);
      await assertWithinMemory(async () => {
        await assertRefused(codec, bomb, 1000, "decoded-size");
        await assertRefused(codec, lying, 1000, "decoded-size");
      });
    });

    it("decode() refuses a trailer that claims more than the bytes can yield", async () => {
      const lying = patched(REFERENCE, -4, [0, 0, 0, 0x80]);
      await assertWithinMemory(() => assertRefused(codec, lying, 2 ** 31, "decoded-size"));
    });
  });

  for (const [other, writer] of Object.entries(variants)) {
    it(`${name} reads what ${other} wrote`, async () => {
      const encoded = await writer.encode(REFERENCE_TEXT);
      assert.deepEqual(await codec.decode(encoded, { length: 152 }), REFERENCE_TEXT);
    });
  }
}

it("createGzipCodec() takes levels from 1 to 9", async () => {
  for (const level of [1, 9]) assert.equal((await createGzipCodec({ level })).id, 3);
  for (const level of [0, 10, 2.5, NaN]) {
    await assert.rejects(createGzipCodec({ level }), {
      name: "RangeError",
      message:
        `Cannot create gzip codec: 'level' must be an integer from 1 to 9: current value is ${level}`,
    });
  }
});
