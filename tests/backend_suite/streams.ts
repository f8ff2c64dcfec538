import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { entryOf } from "../fakes/entries.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";
import { liveKeys, type SuiteTest, valueOf } from "./harness.ts";
import { AWKWARD_KEYS } from "./keys.ts";
import {
  bytesFrom,
  bytesOfSize,
  framed,
  pieces,
  readFrame,
  type Streaming,
  streaming,
} from "./stream_parts.ts";

/** Lengths about the sizes in which stores move bytes. */
const LENGTHS = [0, 1, 63, 65_535, 65_536, 65_537, 300_001, 1_500_000];

/** Frames as streams: whole or not at all, in ranges, and one write at a time. */
export function describeStreams(test: SuiteTest): void {
  describe("streams", () => {
    const seed = freshSeed();

    test(`getStream() gives what setStream() took, whatever its pieces (seed ${seed})`, async ({ backend, clock }) => {
      const store = streaming(backend);
      const random = seededRandom(seed);
      for (const length of LENGTHS) {
        for (const isLengthKnown of [true, false]) {
          const key = `${length} ${isLengthKnown}`;
          const { entry, frame } = framed(key, bytesOfSize(length), { clock, tags: ["t"] });
          const source = {
            ...entry,
            frame: bytesFrom(pieces(frame, random)),
            frameLength: isLengthKnown ? frame.length : undefined,
          };
          assert.equal(await store.setStream(key, source), "stored", key);
          const read = await store.getStream(key);
          assert.equal(read?.frameLength, frame.length, key);
          assert.deepStrictEqual(await readFrame(read), frame, key);
        }
      }
    });

    test(`setStream() has done with a piece that it releases (seed ${seed})`, async ({ backend, clock }) => {
      const store = streaming(backend);
      const random = seededRandom(seed);
      for (const length of LENGTHS) {
        for (const isLengthKnown of [true, false]) {
          const { entry, frame } = framed("key", bytesOfSize(length), { clock });
          const given = new Set<Uint8Array>(pieces(frame, random).map((piece) => piece.slice()));
          const source = {
            ...entry,
            frame: bytesFrom([...given]),
            frameLength: isLengthKnown ? frame.length : undefined,
            release: (piece: Uint8Array) => {
              assert.ok(given.delete(piece), "a piece is released once, and as it came");
              piece.fill(0);
            },
          };
          assert.equal(await store.setStream("key", source), "stored");
          assert.deepStrictEqual(await readFrame(await store.getStream("key")), frame);
        }
      }
    });

    test("getStream() gives what set() stored, and get() what setStream() stored", async ({ backend, clock }) => {
      const store = streaming(backend);
      for (const length of LENGTHS) {
        const value = bytesOfSize(length);
        const options = { clock, version: 7, tags: ["a", "b"], ttlMs: 1000, staleMs: 0 };
        const { entry, frame } = framed("streamed", value, options);
        await store.setStream("streamed", { ...entry, frame: bytesFrom([frame]) });
        const read = await store.get("streamed");
        assert.deepStrictEqual(await read?.value(), value);
        assert.equal(read?.version, 7);
        assert.equal(read?.expiresAt, clock.now() + 1000);
        assert.deepStrictEqual([...read.tags], ["a", "b"]);
        const whole = entryOf("whole", value, options);
        await store.set("whole", whole);
        assert.deepStrictEqual(
          await readFrame(await store.getStream("whole")),
          await whole.encode(),
        );
      }
    });

    test("getStream() is undefined for what is not there, deleted or over", async ({ backend, clock }) => {
      const store = streaming(backend);
      assert.equal(await store.getStream("key"), undefined);
      await put(store, "key", bytesOfSize(100_000), { clock });
      assert.equal(await store.exists("key"), true);
      assert.deepStrictEqual(await liveKeys(store, ["key"]), ["key"]);
      assert.equal(await store.delete("key"), true);
      assert.equal(await store.getStream("key"), undefined);
      assert.equal(await store.exists("key"), false);
      await put(store, "key", bytesOfSize(100_000), { clock, ttlMs: 10 });
      clock.advance(10);
      assert.equal(await store.getStream("key"), undefined);
      assert.equal(await store.get("key"), undefined);
      await put(store, "key", bytesOfSize(100_000), { clock });
      await put(store, "key", bytesOfSize(200_000), { clock, ttlMs: -1 });
      assert.equal(
        await store.getStream("key"),
        undefined,
        "what is over takes the place of the other",
      );
      await put(store, "key", bytesOfSize(100_000), { clock });
      await put(store, "other", bytesOfSize(100_000), { clock });
      assert.equal(await store.clear("k*"), 1);
      assert.deepStrictEqual(await liveKeys(store, ["key", "other"]), ["other"]);
    });

    test("getStream() tells keys apart that look alike", async ({ backend, clock }) => {
      const store = streaming(backend);
      const frames = new Map<string, Uint8Array>();
      for (const [at, key] of AWKWARD_KEYS.entries()) {
        frames.set(key, await put(store, key, bytesOfSize(70_000 + at), { clock }));
      }
      for (const [key, frame] of frames) {
        assert.deepStrictEqual(await readFrame(await store.getStream(key)), frame, key);
      }
    });

    test("getStream() gives any range", async ({ backend, clock }) => {
      const store = streaming(backend);
      const frame = await put(store, "key", bytesOfSize(1_200_000), { clock });
      const { length } = frame;
      const ranges = [
        [0, 64],
        [0, length],
        [0, length + 1],
        [1, length],
        [65_536, 65_536],
        [262_143, 2],
        [1_048_575, 100_000],
        [length - 1, 1],
        [length - 1, 10],
        [length, 1],
        [length + 5, 3],
        [10, 0],
        [100, Number.MAX_SAFE_INTEGER],
      ] as const;
      for (const [offset, wanted] of ranges) {
        const read = await store.getStream("key", { range: { offset, length: wanted } });
        assert.equal(read?.frameLength, length);
        const expected = frame.subarray(offset, offset + wanted);
        assert.deepStrictEqual(await readFrame(read), expected, `${offset} + ${wanted}`);
      }
    });

    test("getStream() gives pieces of at most a MiB that are the reader's", async ({ backend, clock }) => {
      const store = streaming(backend);
      const frame = await put(store, "key", bytesOfSize(3_000_000), { clock });
      const read = await store.getStream("key");
      const reader = read!.frame.getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        assert.ok(piece.value.length <= 1024 * 1024, `${piece.value.length} bytes`);
        piece.value.fill(0);
      }
      assert.deepStrictEqual(await readFrame(await store.getStream("key")), frame);
    });

    test("setStream() shows nothing before the stream has closed, and then all", async ({ backend, clock }) => {
      const store = streaming(backend);
      const old = await put(store, "held", bytesOfSize(90_000), { clock });
      for (const key of ["held", "new"]) {
        const { entry, frame } = framed(key, bytesOfSize(400_000), { clock });
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        const storing = store.setStream(key, { ...entry, frame: readable });
        for (const part of [frame.subarray(0, 200_000), frame.subarray(200_000)]) {
          await writer.write(new Uint8Array(part));
          const expected = key === "held" ? old : undefined;
          assert.deepStrictEqual(await readFrame(await store.getStream(key)), expected);
          assert.equal(await store.exists(key), key === "held");
          assert.equal((await liveKeys(store, [key])).includes(key), key === "held");
        }
        await writer.close();
        assert.equal(await storing, "stored");
        assert.deepStrictEqual(await readFrame(await store.getStream(key)), frame);
      }
    });

    test("setStream() leaves what was there when the stream fails, wherever it does", async ({ backend, clock }) => {
      const store = streaming(backend);
      const old = await put(store, "held", bytesOfSize(90_000), { clock });
      for (const key of ["held", "new"]) {
        const { entry, frame } = framed(key, bytesOfSize(200_000), { clock });
        for (const length of [0, 1, 100_000, frame.length]) {
          const reason = new Error(`no more than ${length}`);
          const source = { ...entry, frame: bytesFrom([frame.slice(0, length)], reason) };
          await assert.rejects(store.setStream(key, source), (error) => error === reason);
        }
        assert.deepStrictEqual(
          await readFrame(await store.getStream(key)),
          key === "held" ? old : undefined,
        );
      }
      assert.deepStrictEqual(await liveKeys(store, ["held", "new"]), ["held"]);
    });

    test("setStream() refuses a stream that ends with another length than it said", async ({ backend, clock }) => {
      const store = streaming(backend);
      const old = await put(store, "key", bytesOfSize(90_000), { clock });
      const { entry, frame } = framed("key", bytesOfSize(200_000), { clock });
      for (const frameLength of [frame.length + 1, frame.length - 1, 0]) {
        const source = { ...entry, frame: bytesFrom([frame.slice()]), frameLength };
        await assert.rejects(
          store.setStream("key", source),
          (error) => isCacheError(error, "backend"),
          `${frameLength}`,
        );
        assert.deepStrictEqual(await readFrame(await store.getStream("key")), old);
      }
    });

    test("setStream() and getStream() end with their signal, also when nothing comes", async ({ backend, clock }) => {
      const store = streaming(backend);
      const old = await put(store, "key", bytesOfSize(900_000), { clock });
      const reason = new Error("waited long enough");
      const isReason = (error: unknown): boolean => error === reason;
      const aborted = AbortSignal.abort(reason);
      const { entry, frame } = framed("key", bytesOfSize(200_000), { clock });
      const late = { ...entry, frame: bytesFrom([frame.slice()]) };
      await assert.rejects(store.setStream("key", late, { signal: aborted }), isReason);
      await assert.rejects(store.getStream("key", { signal: aborted }), isReason);

      const controller = new AbortController();
      const { signal } = controller;
      const cancelled = Promise.withResolvers<unknown>();
      const endless = new ReadableStream<Uint8Array>({
        start: (source) => source.enqueue(frame.slice(0, 150_000)),
        cancel: (why) => cancelled.resolve(why),
      });
      const storing = store.setStream("key", { ...entry, frame: endless }, { signal });
      const reader = (await store.getStream("key", { signal }))!.frame.getReader();
      await reader.read();
      controller.abort(reason);
      await assert.rejects(storing, isReason);
      await assert.rejects(drain(reader), isReason);
      await cancelled.promise;
      assert.deepStrictEqual(await readFrame(await store.getStream("key")), old);
    });

    test("getStream() that is cancelled leaves the entry as it was", async ({ backend, clock }) => {
      const store = streaming(backend);
      const frame = await put(store, "key", bytesOfSize(900_000), { clock });
      for (const reads of [0, 1, 2]) {
        const reader = (await store.getStream("key"))!.frame.getReader();
        for (let read = 0; read < reads; read++) await reader.read();
        await reader.cancel(new Error("enough"));
      }
      assert.deepStrictEqual(await readFrame(await store.getStream("key")), frame);
    });

    test("getStream() is of one write, whatever happens to the key meanwhile", async ({ backend, clock }) => {
      const store = streaming(backend);
      const other = new Uint8Array(1_200_000).fill(1);
      let version = 1;
      const changes: Record<string, () => Promise<unknown>> = {
        delete: () => store.delete("key"),
        clear: () => store.clear(),
        set: () => store.set("key", entryOf("key", other, { clock, version: ++version })),
        setStream: () => put(store, "key", other, { clock, version: ++version }),
      };
      for (const [name, change] of Object.entries(changes)) {
        const options = { clock, version: ++version };
        const frame = await put(store, "key", bytesOfSize(1_200_000), options);
        const reader = (await store.getStream("key"))!.frame.getReader();
        const first = await reader.read();
        await change();
        const got = [first.value!];
        try {
          for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
            got.push(piece.value);
          }
        } catch {
          // It may fail, but not go on with something else.
          const before = Buffer.concat(got);
          assert.ok(Buffer.from(frame).subarray(0, before.length).equals(before), name);
          continue;
        }
        assert.ok(Buffer.concat(got).equals(frame), name);
      }
    });

    test("setStream() by several writers at once: readers see one of them, whole", async ({ backend, clock }) => {
      const store = streaming(backend);
      const writes = Array.from({ length: 4 }, (_, at) => {
        const { entry, frame } = framed("key", bytesOfSize(300_000 + at), { clock, version: 1 });
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const storing = store.setStream("key", { ...entry, frame: readable });
        return { frame, writer: writable.getWriter(), storing };
      });
      for (let from = 0; from < 300_000; from += 100_000) {
        for (const { frame, writer } of writes) {
          await writer.write(frame.slice(from, from + 100_000));
        }
      }
      for (const { frame, writer, storing } of writes) {
        await writer.write(frame.slice(300_000));
        await writer.close();
        assert.equal(await storing, "stored");
        assert.deepStrictEqual(await readFrame(await store.getStream("key")), frame);
      }
      assert.deepStrictEqual(await liveKeys(store, ["key"]), ["key"]);
      assert.deepStrictEqual(await valueOf(store, "key"), bytesOfSize(300_003));
    });

    test("close() ends the streams under way", async ({ backend, clock }) => {
      const store = streaming(backend);
      const { entry, frame } = framed("key", bytesOfSize(200_000), { clock });
      const endless = new ReadableStream<Uint8Array>({
        start: (source) => source.enqueue(frame.slice(0, 150_000)),
      });
      const storing = assert.rejects(
        store.setStream("key", { ...entry, frame: endless }),
        (error) => isCacheError(error, "closed"),
      );
      await store.close?.();
      await storing;
      await assert.rejects(store.getStream("key"), (error) => isCacheError(error, "closed"));
    });
  });
}

/** Streams an entry into a store. @returns its frame. */
async function put(
  store: Streaming,
  key: string,
  value: Uint8Array,
  options: Parameters<typeof framed>[2],
): Promise<Uint8Array> {
  const { entry, frame } = framed(key, value, options);
  const source = { ...entry, frame: bytesFrom([frame.slice()]) };
  assert.equal(await store.setStream(key, source), "stored");
  return frame;
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
