import { bentoCacheFile } from "./bentocache.ts";
import { cacacheFiles } from "./cacache.ts";
import { cacheInFront, cacheOnDisk } from "./cache_manager.ts";
import { filesystemBackend } from "./filesystem_backend.ts";
import { floorAsync } from "./floor_async.ts";
import { floorSync } from "./floor_sync.ts";
import { lmdb } from "./lmdb.ts";
import type { Peer } from "./peer.ts";
import { segmentLog } from "./segment_log.ts";
import { sqlite } from "./sqlite.ts";
import { unstorageFs } from "./unstorage.ts";

/** All that is measured, in the order of the table. */
export const PEERS: readonly Peer[] = [
  floorSync,
  floorAsync,
  segmentLog,
  filesystemBackend,
  cacheInFront,
  cacheOnDisk,
  lmdb,
  sqlite,
  unstorageFs,
  bentoCacheFile,
  cacacheFiles,
];
