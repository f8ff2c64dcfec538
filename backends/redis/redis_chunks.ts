import type { ChunkTransport } from "../_chunked_streams.ts";
import { CHUNK_SCRIPT, KEEP_SCRIPT, OPEN_SCRIPT } from "../_stream_scripts.ts";
import { argumentOf, runScript } from "./many.ts";
import { bytesOfReply, type RedisStore } from "./redis_store.ts";

/** Moves chunks and records over a connection, as they are. */
export function redisChunks(store: RedisStore): ChunkTransport {
  return {
    open: async (stored, range, call) => {
      const { offset = 0, length = Infinity } = range ?? {};
      // No range has no bytes.
      const last = length === Infinity ? -1 : offset + Math.max(1, length) - 1;
      const args = [String(offset), String(last)];
      const reply = await store.call(
        (connection) => runScript(connection, OPEN_SCRIPT, [stored], args),
        call,
      );
      const [start, size, bytes] = Array.isArray(reply) ? reply : [];
      const begins = bytesOfReply(start);
      if (begins === undefined || begins.length === 0) return undefined;
      const wanted = bytesOfReply(bytes);
      if (wanted === undefined) return { start: begins };
      const frame = { bytes: wanted.subarray(0, length), length: Number(size) };
      return { start: begins, frame };
    },
    read: async (chunks, index, call) => {
      const bytes = bytesOfReply(await store.send(chunks, ["HGET", chunks, String(index)], call));
      // A reply is a view of what the socket has read.
      return bytes && new Uint8Array(bytes);
    },
    write: (chunks, index, bytes, call) => {
      const args = [String(index), argumentOf(bytes)];
      return store.call((to) => runScript(to, CHUNK_SCRIPT, [chunks], args), call);
    },
    keep: (chunks, call) => store.call((to) => runScript(to, KEEP_SCRIPT, [chunks], []), call),
    remove: (chunks, call) => store.call((to) => to.remove(chunks), call),
  };
}
