/*
 * 1 GB as a stream through memory, disk and S3, written and read again from
 * each of them: by how much the process grows meanwhile. Ends with an error
 * when that is 100 MB or more. Run it on Linux, with the servers of the tests:
 *
 *   deno run -A bench/stream_memory.ts
 *
 *   --mb N   how much is streamed, in MiB
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { S3Backend } from "../backends/s3.ts";
import { CacheManager } from "../mod.ts";
import { s3Server } from "../tests/servers/s3_server.ts";

const { values } = parseArgs({ options: { mb: { type: "string", default: "1024" } } });

const MB = 1 << 20;
const LIMIT_MB = 100;
const CHUNK = 64 << 10;
const WARM_UP_MB = 64;

const server = await s3Server();
const folder = fs.mkdtempSync(join(tmpdir(), "strata-stream-memory-"));
const s3 = new S3Backend({
  bucket: server.bucket,
  awsConfig: server.awsConfig,
  transport: "fetch",
});
const cache = await CacheManager.open({
  backends: [
    { type: "memory", maxSizeMb: 64 },
    { type: "filesystem", basePath: folder, maxBytes: Infinity },
    s3,
  ],
});
const far = await CacheManager.open({ backends: [s3] });
let most = 0;
const watch = setInterval(look, 20);

try {
  // Compilers, pools and connections come first.
  await pass("warm-up", WARM_UP_MB);
  (globalThis as { gc?: () => void }).gc?.();
  const before = process.memoryUsage().rss;
  most = 0;
  await pass("value", Number(values.mb));
  const grown = (most - before) / MB;
  console.log(`${values.mb} MB through memory, disk and S3: grown by ${grown.toFixed(0)} MB`);
  if (grown >= LIMIT_MB) throw new Error(`Cannot accept that: the limit is ${LIMIT_MB} MB`);
} finally {
  clearInterval(watch);
  await Promise.all([cache.close(), far.close()]);
  await s3.close();
  fs.rmSync(folder, { recursive: true });
  await server.stop();
}

/** Writes a value to all tiers, then reads it from the disk and from S3. */
async function pass(key: string, mb: number): Promise<void> {
  await timed(`${key}: written`, mb, async () => {
    if (!await cache.setStream(key, bytesOf(mb))) throw new Error("Cannot bench: it is not stored");
  });
  await timed(`${key}: read from the disk`, mb, async () => await drain(cache, key, mb));
  await timed(`${key}: read from S3`, mb, async () => await drain(far, key, mb));
}

async function timed(what: string, mb: number, run: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await run();
  const seconds = (performance.now() - began) / 1000;
  console.log(`${what}, ${(mb / seconds).toFixed(0)} MB/s`);
}

function bytesOf(mb: number): ReadableStream<Uint8Array> {
  let left = mb * MB;
  let byte = 0;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (left === 0) return controller.close();
      controller.enqueue(new Uint8Array(CHUNK).fill(byte++));
      left -= CHUNK;
    },
  }, { highWaterMark: 0 });
}

async function drain(from: CacheManager, key: string, mb: number): Promise<void> {
  let length = 0;
  for await (const piece of (await from.getStream(key))!) length += piece.length;
  if (length !== mb * MB) throw new Error(`Cannot bench: ${length} bytes came`);
}

function look(): void {
  most = Math.max(most, process.memoryUsage().rss);
}
