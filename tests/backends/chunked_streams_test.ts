import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import {
  ChunkedStreams,
  type ChunkTransport,
  type OpenedRecord,
} from "../../backends/_chunked_streams.ts";
import { FrameReader } from "../../backends/_frames.ts";
import { StoredNames } from "../../backends/_stored_key.ts";
import { encodeReference, newChunksName } from "../../backends/_stream_reference.ts";
import { isCacheError } from "../../src/errors.ts";
import type { BackendReport } from "../../src/types.ts";
import { bytesOfSize } from "../backend_suite/stream_parts.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { streamFrameOf } from "../fakes/stream_frames.ts";

const CHUNK_BYTES = 1000;
const LOOKS = 8;
const VALUE = bytesOfSize(2500);
const FRAME = await streamFrameOf("key", VALUE);

/** A server on which the key is written anew, so often, before a chunk of it is read. */
class ReplacingServer implements ChunkTransport {
  /** The chunk that its reader comes too late for. */
  lateChunk = 0;
  replacements = 0;
  /** Looks at the record to read its chunks. */
  looks = 0;
  #name = newChunksName("key");

  open(_stored: string, range: { readonly length: number } | undefined): Promise<OpenedRecord> {
    if (range?.length !== 0) this.looks++;
    const reference = { name: this.#name, frameLength: FRAME.length, chunkBytes: CHUNK_BYTES };
    const times = { expiresAt: Infinity, staleUntil: Infinity, version: 1 };
    return Promise.resolve({ start: encodeReference({ ...reference, ...times }) });
  }

  read(chunks: string, index: number): Promise<Uint8Array | undefined> {
    if (index === this.lateChunk && this.replacements > 0) {
      this.replacements--;
      this.#name = newChunksName("key");
    }
    const isThere = chunks.endsWith(this.#name);
    const start = index * CHUNK_BYTES;
    return Promise.resolve(isThere ? FRAME.slice(start, start + CHUNK_BYTES) : undefined);
  }

  write = notCalled;
  keep = notCalled;
  remove = notCalled;
}

function notCalled(): Promise<never> {
  return Promise.reject(new Error("a read changes nothing"));
}

function setUp() {
  const reports: BackendReport[] = [];
  const clock = new FakeClock();
  const report = (report: BackendReport) => void reports.push(report);
  const server = new ReplacingServer();
  const streams = new ChunkedStreams({
    backend: "fake",
    label: "fake",
    clock,
    names: new StoredNames("strata", "Cannot open"),
    frames: new FrameReader("fake", { clock, report }),
    versioned: undefined as never,
    transport: server,
    chunkBytes: CHUNK_BYTES,
    maxBytes: Infinity,
    run: (_, operate) => operate(),
  });
  const isRead = async (): Promise<boolean> => {
    const entry = await streams.entry("key", undefined);
    return Buffer.from(await entry!.value() as Uint8Array).equals(VALUE);
  };
  return { server, streams, reports, isRead };
}

describe("ChunkedStreams", () => {
  for (const lateChunk of [0, 1, 2]) {
    it(`entry() looks again when the value is replaced before chunk ${lateChunk} is read, eight times in all`, async () => {
      const { server, streams, reports, isRead } = setUp();
      Object.assign(server, { lateChunk, replacements: LOOKS - 1 });
      assert.equal(await isRead(), true);
      assert.equal(server.looks, LOOKS);

      Object.assign(server, { looks: 0, replacements: Infinity });
      const code = lateChunk === 0 ? "backend" : "replaced";
      await assert.rejects(streams.entry("key", undefined), (error) => isCacheError(error, code));
      assert.equal(server.looks, LOOKS, "it ends");
      assert.deepEqual(reports, [], "nothing is damaged");

      server.replacements = 0;
      assert.equal(await isRead(), true);
    });
  }
});
