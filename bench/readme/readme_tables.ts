import type { Cell, ReadmeTable, Selector } from "./tables.ts";

const at = (bench: string, group: string, subject: string, metric = "time"): Selector => ({
  bench,
  group,
  subject,
  metric,
});

/** A row: what, the figure, and its ratio to the floor that the words name. */
function beside(title: string, figure: Selector, floor?: string): readonly Cell[] {
  return [title, { figure }, floor === undefined ? "" : { figure, as: "ratio", of: floor }];
}

const disk = (title: string, measure: string, floor: string): readonly Cell[] =>
  beside(title, at("filesystem", `filesystem tier, ${measure}`, measure), floor);

const codec = (name: string, level: string): readonly Cell[] => {
  const subject = level === "" ? name : `${name} ${level}`;
  const what = "JSON documents, 9 KB";
  return [
    level === "" ? `\`${name}\`` : `\`${name}\` (level ${level})`,
    { figure: at("codec", `ratio, ${what}`, subject, "raw by encoded"), as: "number" },
    { figure: at("codec", `encode, ${what}`, subject, "speed"), as: "number" },
    { figure: at("codec", `decode, ${what}`, subject, "speed"), as: "number" },
  ];
};

const peer = (name: string): readonly Cell[] => [
  name,
  { figure: at("peer", "get, hit", name), as: "number" },
  { figure: at("peer", "set", name), as: "number" },
];

/** The tables of figures that README has. */
export const README_TABLES: readonly ReadmeTable[] = [
  {
    name: "codecs",
    headings: ["JSON documents of 9 KB", "ratio", "encode MB/s", "decode MB/s"],
    rows: [
      codec("lz4", ""),
      codec("zstd", "3"),
      codec("gzip", "2"),
      codec("deflate", "2"),
      codec("brotli", "5"),
    ],
  },
  {
    name: "peers",
    headings: ["in memory, ns", "`get`, a hit", "`set`"],
    rows: [
      peer("floor: Map, in async functions"),
      peer("Strata, memory"),
      peer("lru-cache"),
      peer("layered-loader"),
      peer("cache-manager"),
      peer("Cacheable"),
      peer("Keyv"),
      peer("BentoCache"),
      peer("unstorage memory"),
    ],
  },
  {
    name: "summary",
    headings: ["", "measured", "beside"],
    rows: [
      beside(
        "memory hit, `await cache.get`",
        at("memory_hit", "hit, awaited", "CacheManager get, with a TTL"),
        "an async function around `Map.get`",
      ),
      beside(
        "memory tier's `peek`",
        at("memory_hit", "hit, synchronous", "memory tier peek"),
        "lru-cache's `get`",
      ),
      beside(
        "`getEmbedding`, 1 KB text in memory",
        at("embedding", "lookup, embedding of a 1 KB text in memory", "getEmbedding, known text"),
      ),
      beside(
        "frame of a 6 KB vector, encode and decode",
        at("frame", "frame, a vector of 6 KB", "encode and decode"),
      ),
      disk("disk tier, get of 6 KB", "backend: get", "a positioned read of an open file"),
      disk(
        "disk tier, get through `CacheManager`, memory misses",
        "CacheManager: get, memory misses",
        "the same",
      ),
      disk("disk tier, set of a new key", "backend: set, new key", "an append to an open file"),
      disk(
        "disk tier, set over a key that is there",
        "backend: set, key that is there",
        "the same",
      ),
      disk("disk tier, set through `CacheManager`", "CacheManager: set, new key", "the same"),
    ],
  },
];
