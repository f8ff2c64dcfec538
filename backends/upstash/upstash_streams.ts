import type { ByteRange, Clock } from "../../src/types.ts";
import {
  CHUNK_BYTES,
  ChunkedStreams,
  type ChunkedStreamsParts,
  type ChunkTransport,
  type OpenedRecord,
} from "../_chunked_streams.ts";
import type { FrameReader } from "../_frames.ts";
import { isReference } from "../_stream_reference.ts";
import { CHUNK_SCRIPT, KEEP_SCRIPT, OPEN_BASE64_SCRIPT } from "../_stream_scripts.ts";
import type { VersionedWrites } from "../_versioned_writes.ts";
import { bytesOfReply, toBase64 } from "./base64.ts";
import { COMMAND_BYTES, getChunk, runScript, sizeOf, unlink } from "./commands.ts";
import type { UpstashSettings } from "./upstash_config.ts";
import type { CallOptions, UpstashStore } from "./upstash_store.ts";

/** What the streams of a backend share with it. */
export interface UpstashStreamsParts extends Pick<ChunkedStreamsParts, "run"> {
  /** Takes commands. */
  readonly store: UpstashStore;
  /** Names and limits. */
  readonly settings: UpstashSettings;
  /** Reads records. */
  readonly frames: FrameReader;
  /** Makes entries visible. */
  readonly versioned: VersionedWrites<CallOptions>;
  /** The one source of time. */
  readonly clock: Clock;
}

/** Before the base64 of a chunk: without it a client that reads JSON into replies takes some for numbers. */
const CHUNK_MARK = "=";

const NOTHING = new Uint8Array(0);

/** Streams over requests. */
export function upstashStreams({ store, settings, ...parts }: UpstashStreamsParts): ChunkedStreams {
  const { name, names, maxRequestBytes, maxStreamBytes } = settings;
  return new ChunkedStreams({
    ...parts,
    backend: name,
    label: "Upstash",
    names,
    transport: upstashChunks(store),
    chunkBytes: Math.min(CHUNK_BYTES, chunkBytesFor(maxRequestBytes, names.streamPrefix)),
    maxBytes: maxStreamBytes,
  });
}

/** The most bytes of a chunk that go into a request together with the script. */
function chunkBytesFor(maxRequestBytes: number, prefix: string): number {
  const rest = sizeOf(CHUNK_SCRIPT.text) + sizeOf(prefix) + 8 * COMMAND_BYTES;
  return Math.floor((maxRequestBytes - rest) / 4) * 3;
}

function upstashChunks(store: UpstashStore): ChunkTransport {
  return {
    open: async (stored, range, call) => {
      const command = await runScript(OPEN_BASE64_SCRIPT, [stored], charactersOf(range));
      const [reply] = await store.send([command], call);
      return Array.isArray(reply) ? recordOf(reply, range) : undefined;
    },
    read: async (chunks, index, call) => {
      const [reply] = await store.send([getChunk(chunks, index)], call);
      return typeof reply === "string" ? bytesOfReply(reply.slice(CHUNK_MARK.length)) : undefined;
    },
    write: async (chunks, index, bytes, call) => {
      const text = CHUNK_MARK + toBase64(bytes);
      const args = [String(index), text];
      return await store.send([await runScript(CHUNK_SCRIPT, [chunks], args, text.length)], call);
    },
    keep: async (chunks, call) =>
      await store.send([await runScript(KEEP_SCRIPT, [chunks], [])], call),
    remove: (chunks, call) => store.send([unlink(chunks)], call),
  };
}

/** The characters of base64 in which a range is, from and to. */
function charactersOf(range: ByteRange | undefined): string[] {
  if (range === undefined) return ["0", "-1"];
  const { offset, length } = range;
  const first = Math.floor(offset / 3) * 4;
  const last = (Math.floor((offset + Math.max(1, length) - 1) / 3) + 1) * 4 - 1;
  return [String(first), String(last)];
}

function recordOf(
  [begins, frameLength, text]: readonly unknown[],
  range: ByteRange | undefined,
): OpenedRecord | undefined {
  if (begins === "" || begins === null || begins === undefined) return undefined;
  const start = bytesOfReply(begins);
  // What is no base64 is no frame, and live to nobody.
  if (start === undefined) return { start: NOTHING, frame: { bytes: NOTHING, length: 0 } };
  if (isReference(start)) return { start };
  const bytes = bytesOfReply(text) ?? NOTHING;
  const { offset = 0, length = Infinity } = range ?? {};
  const skipped = offset % 3;
  return {
    start,
    frame: { bytes: bytes.subarray(skipped, skipped + length), length: Number(frameLength) },
  };
}
