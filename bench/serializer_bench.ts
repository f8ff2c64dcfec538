/*
 * Serializers on the documents of @sap-ux/fiori-docs-embeddings and on their
 * vectors: bytes, and the time to encode and to decode one, beside the bare
 * library, which checks nothing and changes what it cannot carry.
 *
 *   --quick   short, shows only that it works
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as msgpack from "@msgpack/msgpack";
import { getEmbeddingsPath } from "@sap-ux/fiori-docs-embeddings";
import { bytesOf, viewBinary } from "../src/entry/dtype.ts";
import { jsonSerializer } from "../src/serializers/json.ts";
import { createMessagePackSerializer } from "../src/serializers/messagepack.ts";
import { structuredSerializer } from "../src/serializers/structured.ts";
import { loadCorpus } from "./demo/documents.ts";
import { printTable } from "./demo/table.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { takeTurns } from "./suite/take_turns.ts";

const SECONDS = scaled(0.2, 6);
const SAMPLES = scaled(60, 778);
const FLOAT32_DTYPE = 11;

interface Way {
  readonly name: string;
  /** The bare library under it. */
  readonly floor?: string;
  readonly encode: (value: unknown) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
}

const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };
const msgpackSerializer = createMessagePackSerializer(msgpack);
const JSON_BARE = "JSON, bare";
const MSGPACK_BARE = "@msgpack/msgpack, bare";
const WAYS: readonly Way[] = [
  {
    name: JSON_BARE,
    encode: (value) => text.encoder.encode(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(text.decoder.decode(bytes)),
  },
  {
    name: "json",
    floor: JSON_BARE,
    encode: jsonSerializer.encode,
    decode: jsonSerializer.decode,
  },
  {
    name: MSGPACK_BARE,
    encode: (value) => msgpack.encode(value),
    decode: (bytes) => msgpack.decode(bytes),
  },
  {
    name: "msgpack",
    floor: MSGPACK_BARE,
    encode: msgpackSerializer.encode,
    decode: msgpackSerializer.decode,
  },
  {
    name: "structured",
    floor: JSON_BARE,
    encode: structuredSerializer.encode,
    decode: structuredSerializer.decode,
  },
];
const RAW: Way = {
  name: "raw",
  encode: (value) => bytesOf(value as Float32Array),
  decode: (bytes) => viewBinary(FLOAT32_DTYPE, bytes),
};

const lines = readFileSync(join(getEmbeddingsPath(), "records.jsonl"), "utf8").trim().split("\n");
const documents = lines.slice(0, SAMPLES).map((line) => JSON.parse(line) as unknown);
const { documents: corpus, dimensions } = loadCorpus();
const vectors = corpus.slice(0, SAMPLES).map(({ vector }) => vector);
const records = documents.map((_, at) => ({
  id: at,
  name: `document ${at}`,
  score: at / 7,
  tags: ["guide", "deployment"],
  shown: at % 2 === 0,
}));
const lists = Array.from({ length: 10 }, () => records);

await measure("a document", documents, WAYS);
await measure(`a list of ${records.length} small records`, lists, WAYS);
await measure(
  `a vector of ${dimensions} floats, as an array of numbers`,
  vectors.map((vector) => Array.from(vector)),
  WAYS,
);
await measure(`a vector of ${dimensions} floats, as it is`, vectors, [
  RAW,
  { ...WAYS.at(-1)!, floor: RAW.name },
]);

async function measure(
  what: string,
  samples: readonly unknown[],
  ways: readonly Way[],
): Promise<void> {
  const operations = samples.length;
  const encoded = new Map(
    ways.map(({ name, encode }) => [name, samples.map((sample) => encode(sample).slice())]),
  );
  const contenders = ways.flatMap(({ name, encode, decode }) => [
    {
      name: `${name} encode`,
      operations,
      run: () => {
        for (const sample of samples) encode(sample);
      },
    },
    {
      name: `${name} decode`,
      operations,
      run: () => {
        for (const bytes of encoded.get(name)!) decode(bytes);
      },
    },
  ]);
  const turns = await takeTurns(contenders, { seconds: SECONDS });
  const rows = ways.map(({ name, floor }) => {
    const bytes = encoded.get(name)!.reduce((sum, { length }) => sum + length, 0) / operations;
    const times = (["encode", "decode"] as const).map((metric) => {
      const { us, spread, samples } = turns.get(`${name} ${metric}`)!;
      const of = { group: `${metric}, ${what}`, subject: name, spread, samples, floor };
      record({ ...of, metric: "time", unit: "us", value: us });
      // Against the raw bytes a view has no speed to speak of.
      if (name !== RAW.name) record({ ...of, metric: "speed", unit: "MB/s", value: bytes / us });
      return `${us.toFixed(2)} µs`;
    });
    record({ group: `size, ${what}`, subject: name, metric: "bytes", unit: "bytes", value: bytes });
    return [name, bytes.toFixed(0), ...times];
  });
  printTable([what, "bytes", "encode", "decode"], rows);
  console.log("");
}
