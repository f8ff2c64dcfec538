/*
 * Run as a process of its own, over a tier that others use as well.
 *
 * Arguments: what to do, the config of the tier as JSON, the key, bytes of a value.
 *
 * - `write`: streams values under the key until it is told to stop, each of one
 *   byte again and again, and says after each a line.
 * - `hang`: streams most of a value, says a line and never goes on.
 */
import process from "node:process";
import { CacheManager } from "../../../src/manager/cache_manager.ts";

const [task, config, key, size] = process.argv.slice(2) as [string, string, string, string];
const length = Number(size);
const PIECE = 65_536;

const cache = await CacheManager.open({ backends: [JSON.parse(config)] });
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Pieces of one byte; the last of them may never come. */
function bytesOf(byte: number, hangs: boolean): ReadableStream<Uint8Array> {
  let left = length;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (left === 0) return controller.close();
      const piece = new Uint8Array(Math.min(left, PIECE)).fill(byte);
      left -= piece.length;
      if (left > 0 || !hangs) return controller.enqueue(piece);
      say("hangs");
      return new Promise(() => {});
    },
  }, { highWaterMark: 0 });
}

if (task === "write") {
  let isStopped = false;
  process.stdin.once("data", () => isStopped = true);
  for (let byte = process.pid % 100; !isStopped; byte = (byte + 1) % 256) {
    say(String(await cache.setStream(key, bytesOf(byte, false))));
  }
  await cache.close();
  process.exit(0);
} else {
  setInterval(() => {}, 1000);
  await cache.setStream(key, bytesOf(1, true));
}
