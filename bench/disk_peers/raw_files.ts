import { closeSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DIMENSIONS } from "./items.ts";
import { mapTiming, timed, type Timing } from "./timing.ts";

const VALUE_BYTES = DIMENSIONS * 4;

/**
 * Appends values, each from a buffer of its own, to a file that is removed afterwards.
 *
 * @param held so many values are made at a time, while the clock stands.
 * @returns the time of each.
 */
export async function appendRaw(path: string, count: number, held: number): Promise<Timing> {
  const file = openSync(path, "wx");
  let us = 0;
  let cpuUs = 0;
  for (let first = 0; first < count; first += held) {
    const values = Array.from({ length: held }, () => new Uint8Array(VALUE_BYTES).fill(1));
    const timing = await timed(() => {
      for (let at = 0; at < held; at++) {
        writeSync(file, values[at]!, 0, VALUE_BYTES, (first + at) * VALUE_BYTES);
      }
      return Promise.resolve();
    }, false);
    us += timing.us;
    cpuUs += timing.cpuUs;
  }
  closeSync(file);
  rmSync(path);
  return mapTiming({ us, cpuUs }, (sum) => sum / count);
}

/**
 * Reads as many bytes as a value has anywhere in the files of a folder, into new buffers.
 *
 * @param held so many buffers are held at a time, as by a caller who uses them later.
 * @returns the time of each.
 */
export async function readRaw(folder: string, count: number, held: number): Promise<Timing> {
  const holder: Uint8Array[] = [];
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .map((path) => ({ path, size: statSync(path).size }))
    .filter(({ size, path }) => size > 8 * VALUE_BYTES && statSync(path).isFile())
    .map(({ path, size }) => ({ file: openSync(path, "r"), size }));
  let state = 0x9e37_79b9;
  const random = (end: number): number => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    return Math.floor(state / 2 ** 32 * end);
  };
  const timing = await timed(() => {
    for (let at = 0; at < count; at++) {
      const { file, size } = files[random(files.length)]!;
      const into = new Uint8Array(VALUE_BYTES);
      readSync(file, into, 0, VALUE_BYTES, random(size - VALUE_BYTES));
      holder[at % held] = into;
    }
    return Promise.resolve();
  });
  for (const { file } of files) closeSync(file);
  return mapTiming(timing, (us) => us / count);
}
