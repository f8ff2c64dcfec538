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

/** A tier with values of 6 KB: a get, its ratio to the call under it, gets at once, a set. */
const tier = (title: string, name: string, subject: string, floor: string): readonly Cell[] => {
  const [get, set] = ["get", "set"].map((operation) =>
    at("tier", `${operation}, ${name}, 6 KB`, subject, "p50")
  );
  const together = at(
    "tier",
    `get many at once, ${name}, 6 KB, 64 at once`,
    subject,
    "throughput",
  );
  return [
    title,
    { figure: get!, as: "number" },
    { figure: get!, as: "ratio", of: floor },
    { figure: together, as: "number" },
    { figure: together, as: "ratio" },
    { figure: set!, as: "number" },
  ];
};

/** Streams through a tier, both ways, and their ratios to those of what is under it. */
const stream = (
  title: string,
  name: string,
  subject: string,
  hasFloor = true,
): readonly Cell[] => [
  title,
  ...["write", "read"].flatMap((what): Cell[] => {
    const figure = at("stream", `${what} as a stream, ${name}, 64 MB`, subject, "speed");
    const isAlone = what === "write" && !hasFloor;
    return [{ figure, as: "number" }, isAlone ? "" : { figure, as: "ratio" }];
  }),
];

const policy = (name: string): readonly Cell[] => [
  `\`${name}\``,
  ...["mean regret", "worst regret", "below lru"].map((metric): Cell => ({
    figure: at("hit_ratio", "all files", name, metric),
    as: "number",
  })),
  ...(["use", "entry"] as const).map((metric): Cell => ({
    figure: at("hit_ratio", "policy alone, 100000 entries", name, metric),
    as: "number",
  })),
];

const load = (scenario: string): readonly Cell[] => [
  scenario,
  ...["p50", "p99", "model asked"].map((metric): Cell => ({
    figure: at("load", "load, 1000 requests a second", scenario, metric),
    as: "number",
  })),
];

const storage = (name: string): readonly Cell[] => [
  `\`${name}\``,
  { figure: at("embedding_storage", "size, a real vector", name, "bytes"), as: "number" },
  {
    figure: at("embedding_storage", "nearness, real vectors", name, "top-10 agreement"),
    as: "number",
  },
  ...["0 % hits", "50 % hits", "100 % hits"].map((share): Cell => ({
    figure: at("embedding_storage", `getOrEmbed, 100,000 made up vectors, ${share}`, name),
    as: "number",
  })),
];

/** The tables of figures that README has. */
export const README_TABLES: readonly ReadmeTable[] = [
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
  {
    name: "tiers",
    headings: [
      "6 KB through `CacheManager`",
      "`get`, µs",
      "beside",
      "64 `get`s at once, a second",
      "beside",
      "`set`, µs",
    ],
    rows: [
      tier("memory", "memory", "Strata memory", "a `Map` in async functions"),
      tier("filesystem", "filesystem", "Strata filesystem", "a positioned read"),
      tier("redis", "redis", "Strata redis", "node-redis"),
      tier("upstash, over a bridge", "upstash", "Strata upstash", "a `fetch` of one command"),
      tier("s3", "s3", "Strata s3", "the AWS SDK"),
      tier('s3, `transport: "fetch"`', "s3", "Strata s3, transport: fetch", "aws4fetch"),
      tier("gcs", "gcs", "Strata gcs", "a `fetch` of the JSON API"),
      tier("azure", "azure", "Strata azure", "the Azure SDK"),
    ],
  },
  {
    name: "streams",
    headings: ["64 MB as a stream, MB/s", "write", "beside", "read", "beside"],
    rows: [
      stream("filesystem, beside streams of files", "filesystem", "Strata filesystem"),
      stream("s3, beside the AWS SDK", "s3", "Strata s3"),
      stream("s3 by `fetch`, beside aws4fetch", "s3", "Strata s3, transport: fetch"),
      stream("gcs, beside a `fetch`", "gcs", "Strata gcs", false),
      stream("azure, beside the Azure SDK", "azure", "Strata azure"),
    ],
  },
  {
    name: "hit ratio",
    headings: [
      "policy, over traces",
      "mean regret, points",
      "worst",
      "below LRU at most",
      "a use, ns",
      "bytes an entry",
    ],
    rows: ["auto", "w-tiny-lfu", "s3-fifo", "sieve", "clock", "lfu", "lru", "fifo"].map(policy),
  },
  {
    name: "load",
    headings: ["1,000 requests a second", "p50, ms", "p99", "times the model was asked"],
    rows: [
      "warm",
      "warm start",
      "cold memory",
      "cold start",
      "object store slow",
      "object store down",
      "object store hanging",
      "over Redis, cold memory",
      "over Redis, Redis down",
    ].map(load),
  },
  {
    name: "embeddings",
    headings: [
      "`storage`, batches of 100",
      "bytes, a real vector",
      "same top 10, %",
      "µs a text, no hits",
      "half hits",
      "all hits",
    ],
    rows: ["float32", "float16-lossy", "int8-lossy"].map(storage),
  },
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
];
