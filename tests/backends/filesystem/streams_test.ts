import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import type { FilesystemBackend } from "../../../backends/filesystem.ts";
import { type Disk, nodeDisk } from "../../../backends/filesystem/disk.ts";
import { CacheError, isCacheError } from "../../../src/errors.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import type { StreamedEntry } from "../../../src/types.ts";
import { bytesFrom, bytesOfSize, framed, readFrame } from "../../backend_suite/stream_parts.ts";
import { diskUsage, type Scratch, withScratch } from "./scratch.ts";

const PIECE = 200_000;

/** An entry of so many bytes, whose frame comes in pieces, and ends with an error if one is given. */
function streamed(
  key: string,
  length: number,
  scratch: Scratch,
  { pieces = Infinity, error, version = 1 }: {
    readonly pieces?: number;
    readonly error?: Error;
    readonly version?: number;
  } = {},
): { readonly entry: StreamedEntry; readonly frame: Uint8Array } {
  const { entry, frame } = framed(key, bytesOfSize(length), { clock: scratch.clock, version });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < frame.length && parts.length < pieces; at += PIECE) {
    parts.push(frame.slice(at, at + PIECE));
  }
  return { entry: { ...entry, frame: bytesFrom(parts, error), frameLength: undefined }, frame };
}

async function set(
  backend: FilesystemBackend,
  { entry, frame }: ReturnType<typeof streamed>,
): Promise<Uint8Array> {
  assert.equal(await backend.setStream(entry.key, entry), "stored");
  return frame;
}

describe("streams on disk", () => {
  it("leave no file when their source fails at any piece, nor room that is taken", async () => {
    await withScratch(async (scratch) => {
      const backend = await scratch.open({ maxBytes: "4MB" });
      for (let pieces = 0; pieces <= 6; pieces++) {
        const error = Object.assign(new Error(`after ${pieces}`), { code: "ECONNRESET" });
        const { entry } = streamed("key", 1_000_000, scratch, { pieces, error });
        await assert.rejects(backend.setStream("key", entry), (caught) => caught === error);
        assert.deepStrictEqual(scratch.largeFiles(), [], `after ${pieces} pieces`);
      }
      const before = await backend.getStats();
      assert.ok(before.diskBytes < 1_500_000, `${before.diskBytes} bytes are counted`);
      const frame = await set(backend, streamed("key", 2_000_000, scratch));
      assert.deepStrictEqual(await readFrame(await backend.getStream("key")), frame);
    });
  });

  it("leave no file when the disk fails at any write, and tell what it says", async () => {
    await withScratch(async (scratch) => {
      let left = Infinity;
      const disk: Disk = {
        ...nodeDisk,
        write: (fd, bytes, position) => {
          if (left-- > 0) return nodeDisk.write(fd, bytes, position);
          return Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
        },
      };
      const backend = await scratch.open({}, disk);
      for (let writes = 0; writes < 6; writes++) {
        left = writes;
        const { entry } = streamed("key", 1_000_000, scratch);
        await assert.rejects(backend.setStream("key", entry), {
          name: "CacheError",
          code: "backend",
          message: "Cannot write: the disk says ENOSPC",
        });
        assert.deepStrictEqual(scratch.largeFiles(), []);
      }
      left = Infinity;
      await set(backend, streamed("key", 1_000_000, scratch));
    });
  });

  it("keep within the limit at every piece, and decline what is larger", async () => {
    await withScratch(async (scratch) => {
      const maxBytes = 4 * 1024 * 1024;
      const backend = await scratch.open({ maxBytes });
      for (let at = 0; at < 8; at++) await set(backend, streamed(`${at}`, 400_000, scratch));
      for (const [length, outcome] of [[2_000_000, "stored"], [20_000_000, "declined"]] as const) {
        const { entry } = streamed("big", length, scratch);
        const reader = entry.frame.getReader();
        const frame = new ReadableStream<Uint8Array>({
          pull: async (to) => {
            const used = diskUsage(scratch.path);
            assert.ok(used <= maxBytes, `${used} bytes on the disk`);
            const { done, value } = await reader.read();
            if (done) to.close();
            else to.enqueue(value);
          },
        }, { highWaterMark: 0 });
        assert.equal(await backend.setStream("big", { ...entry, frame }), outcome);
        assert.ok(diskUsage(scratch.path) <= maxBytes);
        assert.equal(await backend.exists("big"), outcome === "stored");
      }
      await backend.flush();
      const { diskBytes } = await backend.getStats();
      assert.ok(diskBytes >= diskUsage(scratch.path), "what is on the disk is counted");
    });
  });

  it("that claim to be larger than the limit are declined before anything is written", async () => {
    await withScratch(async (scratch) => {
      const backend = await scratch.open({ maxBytes: "4MB" });
      const { entry } = streamed("key", 300_000, scratch);
      let isCancelled = false;
      const frame = new ReadableStream<Uint8Array>({
        pull: (to) => to.enqueue(new Uint8Array(PIECE)),
        cancel: () => void (isCancelled = true),
      }, { highWaterMark: 0 });
      const claim = { ...entry, frame, frameLength: 10_000_000 };
      assert.equal(await backend.setStream("key", claim), "declined");
      assert.ok(isCancelled);
      assert.deepStrictEqual(scratch.largeFiles(), []);
    });
  });

  it("are there after a restart, and one that a process left behind is removed when it is old", async () => {
    await withScratch(async (scratch) => {
      const first = await scratch.open();
      const frame = await set(first, streamed("key", 1_000_000, scratch));
      await first.close();
      const left = scratch.largeFiles()[0]!.replace(/[0-9a-f]{32}/, "0".repeat(32));
      await writeFile(left, new Uint8Array(5000));
      scratch.clock.jumpTo(Date.now() + 120_000);
      const second = await scratch.open();
      assert.deepStrictEqual(await readFrame(await second.getStream("key")), frame);
      await second.close();
      assert.equal(scratch.largeFiles().length, 1, "what was left is gone");
    });
  });

  it("are kept young while nothing comes", async () => {
    await withScratch(async (scratch) => {
      let beat = Promise.withResolvers<void>();
      const disk: Disk = {
        ...nodeDisk,
        write: async (fd, bytes, position) => {
          const written = await nodeDisk.write(fd, bytes, position);
          if (bytes.length === 1) beat.resolve();
          return written;
        },
      };
      const backend = await scratch.open({}, disk);
      const { entry, frame } = streamed("key", 700_000, scratch);
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const storing = backend.setStream("key", { ...entry, frame: readable });
      await writer.write(frame.slice(0, 300_000));
      await writer.write(frame.slice(300_000, 600_000));
      // The piece after the second is asked for when the first has been handed to the disk.
      await writer.write(frame.slice(600_000, 600_001));
      for (let beats = 0; beats < 4; beats++) {
        beat = Promise.withResolvers();
        scratch.clock.advance(15_000);
        await beat.promise;
      }
      await writer.write(frame.slice(600_001));
      await writer.close();
      assert.equal(await storing, "stored");
      const pending = scratch.clock.pendingTimers;
      assert.deepStrictEqual(await readFrame(await backend.getStream("key")), frame);
      scratch.clock.advance(15_000);
      assert.ok(scratch.clock.pendingTimers <= pending, "and nothing beats after the end");
    });
  });

  it("that are cut or gone fail, and are a miss to the cache the next time", async () => {
    await withScratch(async (scratch) => {
      const backend = await scratch.open();
      const cache = await CacheManager.open({ backends: [backend], clock: scratch.clock });
      const value = bytesOfSize(1_500_000);
      await cache.setStream("key", bytesFrom([value.slice()]));
      await truncate(scratch.largeFiles()[0]!, 1_000_000);
      const reader = (await cache.getStream("key"))!.getReader();
      let got = 0;
      await assert.rejects(async () => {
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
          assert.deepStrictEqual(piece.value, value.subarray(got, got += piece.value.length));
        }
      }, (error) => isCacheError(error, "corrupt"));
      assert.ok(got >= 700_000, `${got} bytes were right`);
      await cache.flush();
      assert.equal(await cache.getStream("key"), undefined);
      // Closing waits for the removal.
      await cache.close();
      assert.deepStrictEqual(scratch.largeFiles(), []);
    });
  });

  it("small ones go into the log, and the rest is read from where it was opened", async () => {
    await withScratch(async (scratch) => {
      const backend = await scratch.open();
      const small = await set(backend, streamed("small", 1000, scratch));
      assert.deepStrictEqual(scratch.largeFiles(), []);
      assert.deepStrictEqual(await readFrame(await backend.getStream("small")), small);
      const first = await set(backend, streamed("key", 1_000_000, scratch));
      const read = await backend.getStream("key");
      const second = await set(backend, streamed("key", 1_000_001, scratch));
      assert.deepStrictEqual(await readFrame(read), first, "the file that was opened");
      assert.deepStrictEqual(await readFrame(await backend.getStream("key")), second);
      await backend.close();
      assert.equal(scratch.largeFiles().length, 1);
    });
  });

  it("a get of a streamed frame too large for memory is a miss that is told, and leaves it", async () => {
    await withScratch(async (scratch) => {
      const backend = await scratch.open();
      const cache = await CacheManager.open({
        backends: [backend],
        clock: scratch.clock,
        maxDecodedBytes: 500_000,
      });
      const errors: unknown[] = [];
      cache.on("tierError", ({ error }) => errors.push(error));
      await cache.setStream("key", bytesFrom([bytesOfSize(600_000)]));
      assert.equal(await cache.get("key"), undefined);
      assert.ok(isCacheError(errors[0], "too-large"), String(errors[0]));
      const read = await cache.getStream("key");
      assert.equal((await new Response(read).arrayBuffer()).byteLength, 600_000);
      await cache.close();
    });
  });

  it("setStream() tells a failure of the source from one of the disk", async () => {
    await withScratch(async (scratch) => {
      const backend = await scratch.open();
      const error = new CacheError("timeout", "Cannot go on: nothing came");
      const { entry } = streamed("key", 300_000, scratch, { pieces: 1, error });
      await assert.rejects(backend.setStream("key", entry), (caught) => caught === error);
    });
  });
});
