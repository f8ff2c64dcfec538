import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as zlib from "node:zlib";
import { nodeZstd } from "../../codecs/_node_formats.ts";
import { loadWasmZstd } from "../../codecs/_zstd_wasm.ts";
import { createZstdCodec } from "../../codecs/zstd.ts";
import type { Codec } from "../../src/types.ts";
import { assertRefused, codecSuite } from "../codec_suite.ts";
import { assertWithinMemory } from "../process_memory.ts";
import { fromHex, patched, REFERENCE_TEXT } from "./reference.ts";

const variants: Readonly<Record<string, (level: number) => Promise<Codec>>> = {
  "zstd of node:zlib": (level) => Promise.resolve(nodeZstd(zlib, level)),
  "zstd in WASM": loadWasmZstd,
};

/** By ZSTD_compress of libzstd 1.5.4 at level 19: a single segment, one byte of size. */
const REFERENCE = fromHex(
  "28b52ffd209865010062c2080fd0e7802499e56e0d2a3b5f9c10715a057574c744ed45d76896de2435afcad4373e0401007e29554f",
);
/** By the program zstd 1.5.4: the same with a checksum. */
const WITH_CHECKSUM = fromHex(
  "28b52ffd249865010062c2080fd0e7802499e56e0d2a3b5f9c10715a057574c744ed45d76896de2435afcad4373e0401007e29554fc68f21e4",
);
/** By the program zstd 1.5.4 from a pipe: the size is not stated. */
const WITHOUT_SIZE = fromHex(
  "28b52ffd04587501006402537472617461206b656570732077686174206973206465617220746f20636f6d707574652e2001007e29554fc68f21e4",
);

const RLE_BLOCK_BYTES = 128 * 1024;

/** A frame with a size field of 8 bytes, a window of 2 MiB and blocks of zeros, 128 KiB each. */
function frameOfZeros(statedSize: bigint, blocks: number): Uint8Array {
  const frame = new Uint8Array(14 + blocks * 4);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0xfd2fb528, true);
  frame.set([0xc0, 0x58], 4);
  view.setBigUint64(6, statedSize, true);
  for (let block = 0; block < blocks; block++) {
    const last = block === blocks - 1 ? 1 : 0;
    view.setUint32(14 + block * 4, RLE_BLOCK_BYTES << 3 | 1 << 1 | last, true);
  }
  return frame;
}

codecSuite("zstd", () => createZstdCodec());
for (const [name, open] of Object.entries(variants)) codecSuite(name, () => open(3));

for (const [name, open] of Object.entries(variants)) {
  describe(name, () => {
    it("decode() reads what libzstd wrote, with and without checksum", async () => {
      const codec = await open(3);
      for (const frame of [REFERENCE, WITH_CHECKSUM]) {
        assert.deepEqual(await codec.decode(frame, { length: 152 }), REFERENCE_TEXT);
      }
    });

    it("decode() refuses a wrong checksum", async () => {
      const wrong = patched(WITH_CHECKSUM, -1, [0]);
      await assertRefused(await open(3), wrong, 152, "corrupt");
    });

    it("decode() refuses a frame that does not state its size", async () => {
      await assertRefused(await open(3), WITHOUT_SIZE, 152, "decoded-size");
    });

    it("decode() refuses skippable frames, before and behind", async () => {
      const codec = await open(3);
      const skippable = fromHex("552a4d180200000041");
      await assertRefused(codec, skippable, 152, "corrupt");
      await assertRefused(codec, Uint8Array.of(...skippable, 0, ...REFERENCE), 152, "corrupt");
      await assertRefused(codec, Uint8Array.of(...REFERENCE, ...skippable, 0), 152, "corrupt");
    });

    it("decode() refuses a second frame", async () => {
      const codec = await open(3);
      const twice = Uint8Array.of(...REFERENCE, ...REFERENCE);
      for (const length of [152, 304]) await assertRefused(codec, twice, length);
    });

    it("decode() refuses dictionaries, reserved bits and reserved blocks", async () => {
      const codec = await open(3);
      const dictionary = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, ...REFERENCE.subarray(5));
      await assertRefused(codec, dictionary, 152, "corrupt");
      await assertRefused(codec, patched(REFERENCE, 4, [0x28]), 152, "corrupt");
      await assertRefused(codec, patched(REFERENCE, 6, [0x67]), 152, "corrupt");
    });

    it("decode() takes a dictionary id of 0 for none", async () => {
      const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x21, 0, ...REFERENCE.subarray(5));
      assert.deepEqual(await (await open(3)).decode(frame, { length: 152 }), REFERENCE_TEXT);
    });

    it("decode() reads sizes in fields of every width", async () => {
      const codec = await open(3);
      for (const length of [0, 255, 256, 65_791, 65_792, 200_000]) {
        const raw = Uint8Array.from({ length }, (_, at) => at % 251);
        assert.deepEqual(await codec.decode(await codec.encode(raw), { length }), raw);
      }
      const zeros = await codec.decode(frameOfZeros(BigInt(RLE_BLOCK_BYTES * 3), 3), {
        length: RLE_BLOCK_BYTES * 3,
      });
      assert.ok(zeros.every((byte) => byte === 0));
    });

    it("decode() refuses a gigabyte of zeros in 32 KiB", async () => {
      const codec = await open(3);
      const honest = frameOfZeros(2n ** 30n, 2 ** 13);
      const lying = frameOfZeros(1000n, 2 ** 13);
      await assertWithinMemory(async () => {
        for (const bomb of [honest, lying]) await assertRefused(codec, bomb, 1000, "decoded-size");
      });
    });

    it("decode() refuses a frame too short for the size it states, before making room for it", async () => {
      const codec = await open(3);
      await assertWithinMemory(async () => {
        await assertRefused(codec, frameOfZeros(2n ** 31n, 2), 2 ** 31, "decoded-size");
        await assertRefused(codec, frameOfZeros(2n ** 63n, 2), 2 ** 31, "decoded-size");
      });
    });

    it("decode() refuses a block that yields more than the frame states", async () => {
      const codec = await open(3);
      await assertRefused(codec, patched(REFERENCE, 5, [151]), 151);
      await assertRefused(codec, patched(REFERENCE, 5, [153]), 153);
    });
  });

  for (const [other, openOther] of Object.entries(variants)) {
    it(`${name} reads what ${other} wrote at every level`, async () => {
      const codec = await open(3);
      const raw = new TextEncoder().encode(JSON.stringify(Array.from({ length: 2000 }, Math.sqrt)));
      const { length } = raw;
      for (const level of [1, 3, 9, 19, 22]) {
        const encoded = await (await openOther(level)).encode(raw);
        assert.deepEqual(await codec.decode(encoded, { length }), raw);
      }
    });
  }
}

it("createZstdCodec() takes levels from 1 to 22", async () => {
  for (const level of [1, 22]) assert.equal((await createZstdCodec({ level })).id, 2);
  for (const level of [0, 23, 2.5, NaN, -1]) {
    await assert.rejects(createZstdCodec({ level }), {
      name: "RangeError",
      message:
        `Cannot create zstd codec: 'level' must be an integer from 1 to 22: current value is ${level}`,
    });
  }
});

it("zstd in WASM prints nothing and works after its memory grew", async () => {
  const codec = await loadWasmZstd(1);
  const printed: unknown[] = [];
  const { error, log, warn } = console;
  console.error = console.log = console.warn = (...values: unknown[]) => void printed.push(values);
  try {
    await assertRefused(codec, patched(REFERENCE, 20, [0, 0, 0, 0]), 152);
    const raw = new Uint8Array(24 * 2 ** 20).fill(9);
    const restored = await codec.decode(await codec.encode(raw), { length: raw.length });
    assert.ok(restored.every((byte) => byte === 9));
  } finally {
    Object.assign(console, { error, log, warn });
  }
  assert.deepEqual(printed, []);
});
