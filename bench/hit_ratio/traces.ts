import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { RequestStream, StreamSize } from "./stream.ts";

/** The ending of a file of requests: gzip of little-endian `uint32` key numbers, in the order of the requests. */
const ENDING = ".u32.gz";

/** Hit ratios of well-known policies, one row for each file and number of entries. */
const REFERENCE = "reference.csv";

/** Shares of all keys that a cache has entries for where there is no reference. */
const SHARES = [0.02, 0.1, 0.4];

const W_TINY_LFU = ["WTLFU1", "WTLFU20", "WTLFU40", "reactive", "density1", "density20"];

/** Reads the streams of a folder one after another; each is read when it is its turn. */
export function* traceStreams(
  folder: string,
  isWanted: (name: string) => boolean,
): Generator<RequestStream> {
  const reference = readReference(join(folder, REFERENCE));
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
  for (const name of names.filter(isWanted)) {
    const requests = readRequests(join(folder, name + ENDING));
    const sizes = reference.get(name) ?? sizesOf(requests);
    yield { name, about: "a file", requests, sizes };
  }
}

function readRequests(file: string): Uint32Array {
  const bytes = gunzipSync(readFileSync(file));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from(
    { length: Math.floor(bytes.byteLength / 4) },
    (_, at) => view.getUint32(at * 4, true),
  );
}

function sizesOf(requests: Uint32Array): StreamSize[] {
  const keys = new Set(requests).size;
  return SHARES.map((share) => ({ entries: Math.max(1, Math.round(keys * share)) }));
}

function readReference(file: string): Map<string, StreamSize[]> {
  const sizes = new Map<string, StreamSize[]>();
  if (!existsSync(file)) return sizes;
  const [heading, ...lines] = readFileSync(file, "utf8").trim().split("\n");
  const columns = heading!.split(",");
  for (const line of lines) {
    const cells = line.split(",");
    const cell = (column: string): string => cells[columns.indexOf(column)]!;
    const trace = cell("trace");
    sizes.set(trace, [...sizes.get(trace) ?? [], {
      entries: Number(cell("size")),
      best: Number(cell("best")),
      belady: Number(cell("belady")),
      wTinyLfu: Math.max(...W_TINY_LFU.map((column) => Number(cell(column)))),
    }]);
  }
  return sizes;
}
