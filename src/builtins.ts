/*
 * The one place of src that names modules outside of it. Each stands behind a
 * dynamic import, so that a program loads only what it uses, and a browser
 * never sees node: or npm.
 */

import type { BackendFactory, Codec, Serializer } from "./types.ts";
import type { Crc32 } from "./entry/checksum.ts";
import type { SnapshotFiles } from "./warming/snapshot_files.ts";

/** Something built in that loads on first use. */
export interface Builtin<T> {
  readonly load: () => Promise<T>;
}

/** A codec or serializer with the number by which frames name it. */
export interface NumberedBuiltin<T> extends Builtin<T> {
  readonly id: number;
}

/** The backends that a config can name without registering them. */
export const BUILTIN_BACKENDS: Readonly<Record<string, Builtin<BackendFactory>>> = {
  memory: {
    load: async () => (await import("../backends/memory.ts")).createMemoryBackend,
  },
  filesystem: {
    load: async () => (await import("../backends/filesystem.ts")).createFilesystemBackend,
  },
  redis: {
    load: async () => (await import("../backends/redis.ts")).createRedisBackend,
  },
  upstash: {
    load: async () => (await import("../backends/upstash.ts")).createUpstashBackend,
  },
  s3: {
    load: async () => (await import("../backends/s3.ts")).createS3Backend,
  },
  gcs: {
    load: async () => (await import("../backends/gcs.ts")).createGcsBackend,
  },
  azure: {
    load: async () => (await import("../backends/azure.ts")).createAzureBackend,
  },
  sharded: {
    load: async () => (await import("../backends/sharded.ts")).createShardedBackend,
  },
};

/** The codecs that a config or a frame can name without registering them. */
export const BUILTIN_CODECS: Readonly<Record<string, NumberedBuiltin<Codec>>> = {
  lz4: { id: 1, load: async () => (await import("../codecs/lz4.ts")).createLz4Codec() },
  zstd: { id: 2, load: async () => (await import("../codecs/zstd.ts")).createZstdCodec() },
  gzip: { id: 3, load: async () => (await import("../codecs/gzip.ts")).createGzipCodec() },
  deflate: {
    id: 4,
    load: async () => (await import("../codecs/deflate.ts")).createDeflateCodec(),
  },
  brotli: { id: 5, load: async () => (await import("../codecs/brotli.ts")).createBrotliCodec() },
};

/** The serializers that a config or a frame can name without registering them. */
export const BUILTIN_SERIALIZERS: Readonly<Record<string, NumberedBuiltin<Serializer>>> = {
  json: {
    id: 1,
    load: async () => (await import("./serializers/json.ts")).jsonSerializer,
  },
  msgpack: {
    id: 2,
    load: async () =>
      (await import("./serializers/messagepack.ts")).createMessagePackSerializer(
        await import("@msgpack/msgpack"),
      ),
  },
  structured: {
    id: 3,
    load: async () => (await import("./serializers/structured.ts")).structuredSerializer,
  },
};

/** The files of snapshots, `undefined` where the runtime has none. */
export async function loadSnapshotFiles(): Promise<SnapshotFiles | undefined> {
  try {
    return (await import("../backends/_snapshot_files.ts")).nodeSnapshotFiles;
  } catch {
    return undefined;
  }
}

/** The runtime's own CRC-32, `undefined` where it has none. */
export async function loadNativeCrc32(): Promise<Crc32 | undefined> {
  try {
    return (await import("../codecs/_native_crc32.ts")).nativeCrc32;
  } catch {
    // A browser or Worker has no node:zlib; the portable sum is the same.
    return undefined;
  }
}
