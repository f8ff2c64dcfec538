import assert from "node:assert/strict";
import { it } from "node:test";
import { createBrotliCodec } from "../../codecs/brotli.ts";
import { assertRefused, codecSuite } from "../codec_suite.ts";
import { assertWithinMemory } from "../process_memory.ts";
import { fromHex, REFERENCE_TEXT } from "./reference.ts";

/** By BrotliEncoderCompress of libbrotlienc 1.0.9 at quality 11. */
const REFERENCE = fromHex(
  "1b9700f88d94abed683105bab1541792b11f7c3228f2d4a7a0c8b2068620aabc22c6bed9625b4f9602cc0a",
);

codecSuite("brotli", () => createBrotliCodec());

it("brotli decode() reads what libbrotli wrote", async () => {
  const codec = await createBrotliCodec();
  assert.deepEqual(await codec.decode(REFERENCE, { length: 152 }), REFERENCE_TEXT);
});

it("brotli decode() does not make room for a length before bytes come", async () => {
  const codec = await createBrotliCodec();
  await assertWithinMemory(() => assertRefused(codec, REFERENCE, 2 ** 31, "decoded-size"));
});

it("createBrotliCodec() takes levels from 0 to 11, each restoring what it was given", async () => {
  for (let level = 0; level <= 11; level++) {
    const codec = await createBrotliCodec({ level });
    const encoded = await codec.encode(REFERENCE_TEXT);
    assert.deepEqual(await codec.decode(encoded, { length: 152 }), REFERENCE_TEXT);
  }
  for (const level of [-1, 12, 2.5, NaN]) {
    await assert.rejects(createBrotliCodec({ level }), {
      name: "RangeError",
      message:
        `Cannot create brotli codec: 'level' must be an integer from 0 to 11: current value is ${level}`,
    });
  }
});
