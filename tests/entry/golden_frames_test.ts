import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { CacheEntry } from "../../src/entry/entry.ts";
import { GOLDEN_FRAMES, readGoldenFrame } from "../fixtures/golden_frames.ts";
import { GOLDEN_STREAMS } from "../fixtures/golden_streams.ts";

describe("golden frames", () => {
  for (const { file, key, metadata, value, format } of GOLDEN_FRAMES) {
    it(`CacheEntry.decode() reads ${file}`, async () => {
      const entry = CacheEntry.decode(key, readGoldenFrame(file));
      const { createdAt, expiresAt, staleUntil, version, tags } = entry;
      assert.deepStrictEqual({ createdAt, expiresAt, staleUntil, version, tags }, metadata);
      assert.deepStrictEqual(await entry.value(), value);
    });

    // What a codec makes of a text may change with its version; the rest may not.
    if (format.codec === undefined) {
      it(`CacheEntry.encode() still writes ${file}`, async () => {
        const frame = await CacheEntry.of(key, value, metadata, format).encode();
        assert.deepStrictEqual([...frame], [...readGoldenFrame(file)]);
      });
    }
  }

  it("keep the bits of a NaN and the sign of a zero", async () => {
    const value = await CacheEntry.decode("embedding", readGoldenFrame("v1_float32.bin")).value();
    const bits = new Uint32Array((value as Float32Array).slice().buffer);
    assert.deepStrictEqual([...bits], [0x3f800000, 0x7fc12345, 0x80000000, 1]);
  });

  it("have each file in the table", () => {
    const folder = fileURLToPath(new URL("../fixtures/frames/", import.meta.url));
    assert.deepStrictEqual(
      readdirSync(folder).sort(),
      [...GOLDEN_FRAMES, ...GOLDEN_STREAMS].map(({ file }) => file).sort(),
    );
  });
});
