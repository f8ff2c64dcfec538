import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "./peer.ts";

/** The least that storing costs: append to one open file, positioned read into a buffer of its own. */
export const floorSync: Peer = {
  name: "floor, synchronous",
  version: () => "node:fs writeSync, readSync",
  open(folder) {
    const file = openSync(join(folder, "floor"), "w+");
    const positions: number[] = [];
    let end = 0;
    return {
      set({ at, bytes }) {
        positions[at] = end;
        end += writeSync(file, bytes, 0, bytes.length, end);
      },
      get({ at, bytes: { length } }) {
        const into = new Uint8Array(length);
        readSync(file, into, 0, length, positions[at]!);
        return into;
      },
      close: () => closeSync(file),
    };
  },
};
