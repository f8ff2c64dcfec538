/*
 * Tiers in object storage beside the raw clients, with values of 6 KB: one
 * get after another, and 32 at once. The tiers are caches with one backend.
 *
 *   --quick   short, shows only that it works
 *   --only    only stores whose name contains the text; may be repeated
 */

import { parseArgs } from "node:util";
import { printTable } from "./demo/table.ts";
import type { Goal } from "./suite/figure.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { type Contender, takeTurns, type Turns } from "./suite/take_turns.ts";
import { openAzureKind } from "./tiers/azure.ts";
import { openGcsKind } from "./tiers/gcs.ts";
import { openS3Kind } from "./tiers/s3.ts";
import { openKinds, withStores } from "./tiers/open_kinds.ts";
import type { OpenTierKind, Store } from "./tiers/store.ts";
import { makeValues, SIZES } from "./tiers/values.ts";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});

const KINDS: readonly (readonly [name: string, open: OpenTierKind])[] = [
  ["s3", openS3Kind],
  ["gcs", openGcsKind],
  ["azure", openAzureKind],
];

const SIZE = SIZES.find(({ name }) => name === "6 KB")!;
const KEYS = scaled(8, 64);
const AT_ONCE = 32;
const SECONDS = scaled(0, 8);
const ROUNDS = scaled({ warmUps: 0, minRounds: 1 }, {});
/** Gets of a round. */
const ROUND = scaled(8, 64);

/** The client of the vendor, to which the transport by fetch is compared besides. */
const AWS_SDK = "AWS SDK";
const FETCH_TIER = "Strata s3, transport: fetch";

const ONE_BY_ONE: Goal = { of: "ratio", atMost: 1.05 };
const TOGETHER: Goal = { of: "ratio", atMost: 1 };
/** At least 1.3 times as much. */
const FETCH_BESIDE_SDK: Goal = { of: "ratio", atMost: 1 / 1.3 };

const keys = Array.from({ length: KEYS }, (_, at) => `document:${at}`);
const [value] = makeValues(SIZE);
const rows: string[][] = [];

for await (const { tier, kind } of openKinds(KINDS, given.only)) {
  await withStores(kind, async (stores) => {
    for (const [name, store] of stores) {
      await Promise.all(keys.map((key) => store.set(key, value!)));
      const read = await store.get(keys[0]!);
      if (read?.length !== value!.length) {
        throw new Error(`Cannot bench: ${name} gave another value`);
      }
    }
    const floors = new Map(kind.sources.map(({ name, floor }) => [name, floor]));
    const one = await takeTurns(contenders(stores, oneByOne), { seconds: SECONDS, ...ROUNDS });
    tell(`get, ${tier}, ${SIZE.name}`, one, floors, ONE_BY_ONE);
    const many = await takeTurns(contenders(stores, together), { seconds: SECONDS, ...ROUNDS });
    tell(`get ${AT_ONCE} at once, ${tier}, ${SIZE.name}`, many, floors, TOGETHER);
    if (many.has(AWS_SDK)) {
      const pair = new Map([AWS_SDK, FETCH_TIER].map((subject) => [subject, many.get(subject)!]));
      const beside = new Map([[FETCH_TIER, AWS_SDK]]);
      const group = `get ${AT_ONCE} at once by fetch beside the SDK, ${tier}, ${SIZE.name}`;
      tell(group, pair, beside, FETCH_BESIDE_SDK);
    }
  });
}
printTable(["values of 6 KB", "", "µs a get", "× floor", "goal"], rows);

function contenders(
  stores: ReadonlyMap<string, Store>,
  run: (store: Store) => Promise<void>,
): Contender[] {
  return [...stores].map(([name, store]) => ({ name, operations: ROUND, run: () => run(store) }));
}

async function oneByOne(store: Store): Promise<void> {
  for (let at = 0; at < ROUND; at++) await store.get(keys[at % KEYS]!);
}

async function together(store: Store): Promise<void> {
  let at = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (at < ROUND) await store.get(keys[at++ % KEYS]!);
  }));
}

function tell(
  group: string,
  turns: ReadonlyMap<string, Turns>,
  floors: ReadonlyMap<string, string | undefined>,
  goal: Goal,
): void {
  for (const [subject, { us, spread, samples }] of turns) {
    const floor = floors.get(subject);
    record({
      ...{ group, subject, metric: "time", unit: "us", value: us, spread, samples, floor },
      ...(floor === undefined ? {} : { goal }),
    });
    const ratio = floor === undefined ? undefined : us / turns.get(floor)!.us;
    rows.push([
      group,
      subject,
      us.toFixed(1),
      ratio?.toFixed(2) ?? "",
      ratio === undefined ? "" : `≤ ${goal.atMost!.toFixed(2)}`,
    ]);
  }
}
