/*
 * Values that are moved as streams, through a cache with one tier, beside
 * streams of the files, or of the raw clients, that are under it: MB/s.
 *
 *   --quick   short, shows only that it works
 *   --only    only tiers whose name contains the text; may be repeated
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { parseArgs } from "node:util";
import { printTable } from "./demo/table.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { takeTurns } from "./suite/take_turns.ts";
import { openAzureKind } from "./tiers/azure.ts";
import { openCacheStore } from "./tiers/cache_store.ts";
import { openGcsKind } from "./tiers/gcs.ts";
import { openS3Kind } from "./tiers/s3.ts";
import { openKinds, withStores } from "./tiers/open_kinds.ts";
import type { OpenTierKind, Store, TierKind } from "./tiers/store.ts";
import { drain, streamOf } from "./tiers/streams.ts";
import { makeValues } from "./tiers/values.ts";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});

const MB = 1 << 20;
const BYTES = scaled(6, 64) * MB;
const SECONDS = scaled(0, 5);
const ROUNDS = scaled({ warmUps: 0, minRounds: 1 }, { warmUps: 1 });
/** At least four fifths of the floor. */
const GOAL = { of: "ratio", atMost: 1 / 0.8 } as const;
const FILES = "streams of files";

/** What has a copy of its own is measured by that too. */
interface StreamStore extends Store {
  /** Copies what is under one key to another, as a stream. */
  readonly copyStream?: (from: string, to: string) => Promise<unknown>;
}

const openFilesystemKind: OpenTierKind = () => {
  const directory = fs.mkdtempSync(join(tmpdir(), "strata-streams-"));
  const tier = { type: "filesystem", basePath: join(directory, "cache"), maxBytes: Infinity };
  const kind: TierKind = {
    sizes: [],
    callsPerSample: 1,
    sources: [
      { name: FILES, open: () => openFiles(join(directory, "files")) },
      { name: "Strata filesystem", floor: FILES, open: () => openCacheStore(tier) },
    ],
    close: () => Promise.resolve(fs.rmSync(directory, { recursive: true })),
  };
  return Promise.resolve(kind);
};

function openFiles(directory: string): StreamStore {
  fs.mkdirSync(directory);
  const path = (key: string): string => join(directory, key);
  const source = (key: string): ReadableStream<Uint8Array> =>
    Readable.toWeb(fs.createReadStream(path(key))) as ReadableStream<Uint8Array>;
  const write = (key: string, stream: ReadableStream<Uint8Array>): Promise<void> =>
    stream.pipeTo(Writable.toWeb(fs.createWriteStream(path(key))) as WritableStream<Uint8Array>);
  return {
    get: (key) => fs.promises.readFile(path(key)),
    set: (key, value) => fs.promises.writeFile(path(key), value),
    setStream: write,
    getStream: (key) => Promise.resolve(source(key)),
    copyStream: (from, to) => write(to, source(from)),
    delete: (key) => fs.promises.rm(path(key)),
    close: () => {},
  };
}

const KINDS: readonly (readonly [name: string, open: OpenTierKind])[] = [
  ["filesystem", openFilesystemKind],
  ["s3", openS3Kind],
  ["gcs", openGcsKind],
  ["azure", openAzureKind],
];

const [value] = makeValues({ name: "stream", bytes: BYTES });
const rows: string[][] = [];

for await (const { tier, kind } of openKinds(KINDS, given.only)) {
  await withStores<StreamStore>(kind, async (stores) => {
    for (const store of stores.values()) {
      if (store.setStream === undefined) await store.set("stream", value!);
      else await store.setStream("stream", streamOf(value!));
    }
    await measure(tier, kind, "write", stores, async (store) => {
      await store.setStream!("written", streamOf(value!));
    }, "setStream");
    await measure(tier, kind, "read", stores, async (store) => {
      await drain(await store.getStream!("stream"), BYTES);
    }, "getStream");
    if (tier !== "filesystem") return;
    await measure(tier, kind, "copy", stores, async (store) => {
      if (store.copyStream !== undefined) await store.copyStream("stream", "copy");
      else await store.setStream!("copy", await store.getStream!("stream"));
    }, "getStream");
  });
}
printTable([`streams of ${BYTES / MB} MB`, "", "MB/s", "× floor", "goal"], rows);

async function measure(
  tier: string,
  { sources }: TierKind,
  what: string,
  stores: ReadonlyMap<string, StreamStore>,
  run: (store: StreamStore) => Promise<void>,
  needs: "setStream" | "getStream",
): Promise<void> {
  const contenders = [...stores]
    .filter(([, store]) => store[needs] !== undefined)
    .map(([name, store]) => ({ name, operations: BYTES / MB, run: () => run(store) }));
  const turns = await takeTurns(contenders, { seconds: SECONDS, ...ROUNDS });
  const group = `${what} as a stream, ${tier}, ${BYTES / MB} MB`;
  for (const [subject, { us, spread, samples }] of turns) {
    const wanted = sources.find(({ name }) => name === subject)?.floor;
    const floor = wanted !== undefined && turns.has(wanted) ? wanted : undefined;
    const speed = 1e6 / us;
    record({
      ...{ group, subject, metric: "speed", unit: "MB/s", value: speed, spread, samples, floor },
      ...(floor === undefined ? {} : { goal: GOAL }),
    });
    const ratio = floor === undefined ? undefined : us / turns.get(floor)!.us;
    rows.push([
      group,
      subject,
      speed.toFixed(0),
      ratio?.toFixed(2) ?? "",
      ratio === undefined ? "" : `≤ ${GOAL.atMost.toFixed(2)}`,
    ]);
  }
}
