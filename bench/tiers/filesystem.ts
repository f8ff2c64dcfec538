import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCacheStore } from "./cache_store.ts";
import { SIZES } from "./values.ts";
import type { OpenTierKind, Store } from "./store.ts";
import { CHUNK_BYTES } from "./streams.ts";

const FLOOR = "append and positioned read";

/** The filesystem tier, values up to 64 KiB in its log and larger ones in files, beside the system calls on one open file. */
export const openFilesystemKind: OpenTierKind = () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-tiers-"));
  let opened = 0;
  const nextFolder = (): string => join(folder, String(opened++));
  return Promise.resolve({
    sizes: SIZES,
    callsPerSample: 1,
    sources: [
      { name: FLOOR, open: () => openFile(nextFolder()) },
      {
        name: "Strata filesystem",
        floor: FLOOR,
        open: () => openCacheStore({ type: "filesystem", basePath: nextFolder(), maxSizeMb: 4000 }),
      },
    ],
    close: () => rmSync(folder, { recursive: true, force: true }),
  });
};

/** The least that storing costs: one open file, and a buffer for each value that is read. */
function openFile(path: string): Store {
  const file = openSync(path, "w+");
  const places = new Map<string, { readonly at: number; readonly length: number }>();
  let end = 0;
  return {
    set(key, value) {
      places.set(key, { at: end, length: value.length });
      end += writeSync(file, value, 0, value.length, end);
    },
    get(key) {
      const { at, length } = places.get(key)!;
      const into = new Uint8Array(length);
      readSync(file, into, 0, length, at);
      return into;
    },
    async setStream(key, value) {
      const at = end;
      for await (const chunk of value) end += writeSync(file, chunk, 0, chunk.length, end);
      places.set(key, { at, length: end - at });
    },
    getStream(key) {
      const { at, length } = places.get(key)!;
      let done = 0;
      return Promise.resolve(
        new ReadableStream({
          pull(controller) {
            const chunk = new Uint8Array(Math.min(CHUNK_BYTES, length - done));
            done += readSync(file, chunk, 0, chunk.length, at + done);
            controller.enqueue(chunk);
            if (done === length) controller.close();
          },
        }),
      );
    },
    delete: (key) => places.delete(key),
    close: () => closeSync(file),
  };
}
