import { join } from "node:path";
import type { Peer } from "./peer.ts";

/** A table of blobs by hand: write-ahead log, no sync at commits, prepared statements. */
export const sqlite: Peer = {
  name: "node:sqlite",
  async version() {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(":memory:");
    const row = database.prepare("SELECT sqlite_version() AS version").get();
    database.close();
    return `SQLite ${row?.["version"]}, WAL, synchronous NORMAL`;
  },
  async open(folder) {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(join(folder, "cache.db"));
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec("CREATE TABLE cache (key TEXT PRIMARY KEY, value BLOB NOT NULL)");
    const insert = database.prepare("INSERT OR REPLACE INTO cache (key, value) VALUES (?, ?)");
    const select = database.prepare("SELECT value FROM cache WHERE key = ?");
    const remove = database.prepare("DELETE FROM cache WHERE key = ?");
    return {
      set: ({ key, bytes }) => insert.run(key, bytes),
      get: ({ key }) => select.get(key)?.["value"] as Uint8Array | undefined,
      delete: ({ key }) => remove.run(key),
      close: () => database.close(),
    };
  },
};
