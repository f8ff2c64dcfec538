/*
 * Serializers on the documents of @sap-ux/fiori-docs-embeddings and on their
 * vectors: bytes, and the time to encode and to decode one, beside the bare
 * library, which checks nothing and changes what it cannot carry.
 *
 *   --quick   short, shows only that it works
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import * as msgpack from "@msgpack/msgpack";
import { bytesOf, viewBinary } from "../src/entry/dtype.ts";
import { jsonSerializer } from "../src/serializers/json.ts";
import { createMessagePackSerializer } from "../src/serializers/messagepack.ts";
import { structuredSerializer } from "../src/serializers/structured.ts";

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const ROUNDS = values.quick ? 2 : 40;
const DIMENSIONS = 384;

interface Way {
  readonly name: string;
  readonly encode: (value: unknown) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
}

const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };
const msgpackSerializer = createMessagePackSerializer(msgpack);
const WAYS: readonly Way[] = [
  {
    name: "JSON, bare",
    encode: (value) => text.encoder.encode(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(text.decoder.decode(bytes)),
  },
  { name: "json", encode: jsonSerializer.encode, decode: jsonSerializer.decode },
  {
    name: "@msgpack/msgpack, bare",
    encode: (value) => msgpack.encode(value),
    decode: (bytes) => msgpack.decode(bytes),
  },
  { name: "msgpack", encode: msgpackSerializer.encode, decode: msgpackSerializer.decode },
  { name: "structured", encode: structuredSerializer.encode, decode: structuredSerializer.decode },
];
const RAW: Way = {
  name: "raw",
  encode: (value) => bytesOf(value as Float32Array),
  decode: (bytes) => viewBinary(11, bytes),
};

const main = createRequire(import.meta.url).resolve("@sap-ux/fiori-docs-embeddings");
const folder = join(dirname(main), "data", "embeddings");
const documents = readFileSync(join(folder, "records.jsonl"), "utf8").trim().split("\n")
  .map((line) => JSON.parse(line) as unknown);
const floats = new Float32Array(
  new Uint8Array(readFileSync(join(folder, "embeddings.bin"))).buffer,
);
const vectors = Array.from(
  { length: documents.length },
  (_, at) => floats.slice(at * DIMENSIONS, (at + 1) * DIMENSIONS),
);
const records = documents.map((_, at) => ({
  id: at,
  name: `document ${at}`,
  score: at / 7,
  tags: ["guide", "deployment"],
  shown: at % 2 === 0,
}));
const lists = Array.from({ length: 10 }, () => records);

measure("a document", documents, WAYS);
measure(`a list of ${records.length} small records`, lists, WAYS);
measure("a vector of 384 floats as an array", vectors.map((vector) => Array.from(vector)), WAYS);
measure("a vector of 384 floats as it is", vectors, [RAW, WAYS[4] as Way]);

/** The ways take turns over all samples, and the fastest round of each counts: on a busy machine it is the one that was let alone. */
function measure(title: string, samples: readonly unknown[], ways: readonly Way[]): void {
  const results = ways.map((way) => {
    const encoded = samples.map((sample) => way.encode(sample).slice());
    const bytes = encoded.reduce((sum, { length }) => sum + length, 0) / samples.length;
    return { way, encoded, bytes, encode: Infinity, decode: Infinity };
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const result of results) {
      const { way, encoded } = result;
      const encode = microseconds(() => {
        for (const sample of samples) way.encode(sample);
      });
      const decode = microseconds(() => {
        for (const bytes of encoded) way.decode(bytes);
      });
      result.encode = Math.min(result.encode, encode / samples.length);
      result.decode = Math.min(result.decode, decode / samples.length);
    }
  }
  console.log(`\n${title.padEnd(40)} bytes   encode µs   decode µs`);
  for (const { way, bytes, encode, decode } of results) {
    const columns = [bytes.toFixed(0).padStart(9), encode.toFixed(2), decode.toFixed(2)];
    console.log(way.name.padEnd(36) + columns.map((column) => column.padStart(9)).join("   "));
  }
}

function microseconds(action: () => void): number {
  const start = performance.now();
  action();
  return (performance.now() - start) * 1000;
}
