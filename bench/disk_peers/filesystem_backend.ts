import { FilesystemBackend } from "../../backends/filesystem.ts";
import { nativeCrc32 } from "../../codecs/_native_crc32.ts";
import { systemClock } from "../../src/clock.ts";
import { useNativeCrc32 } from "../../src/entry/checksum.ts";
import { CacheEntry } from "../../src/entry/entry.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import type { Item, Peer } from "./peer.ts";

const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
let version = 0;

/** An entry as the cache makes it, to be encoded by who stores it. */
export function entryOf({ key, vector }: Item): CacheEntry {
  const metadata = {
    createdAt: systemClock.recent(),
    expiresAt: Infinity,
    staleUntil: Infinity,
    version: ++version,
    tags: [],
  };
  return CacheEntry.of(key, vector, metadata, FORMAT);
}

/** Opens a backend as the cache does. */
export function openBackend(folder: string, more: object = {}): Promise<FilesystemBackend> {
  if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);
  const config = { type: "filesystem", basePath: folder, maxSizeMb: 8000, ...more };
  return FilesystemBackend.open(config, { clock: systemClock, report: () => {} });
}

/** The tier alone: entries are made and encoded by `set`, decoded and checked by `get`. */
export const filesystemBackend: Peer = {
  name: "Strata: FilesystemBackend",
  version: () => "entries in, vectors out",
  async open(folder) {
    const backend = await openBackend(folder);
    return {
      set: (item) => backend.set(item.key, entryOf(item)),
      get: async ({ key }) => (await backend.get(key))?.value() as Float32Array | undefined,
      delete: ({ key }) => backend.delete(key),
      flush: () => backend.flush(),
      close: () => backend.close(),
    };
  },
};
