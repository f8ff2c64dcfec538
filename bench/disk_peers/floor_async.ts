import { closeSync, openSync, read, write } from "node:fs";
import { join } from "node:path";
import type { Peer } from "./peer.ts";

/** The same as the synchronous floor, by the calls with callbacks. */
export const floorAsync: Peer = {
  name: "floor, asynchronous",
  version: () => "node:fs write, read",
  open(folder) {
    const file = openSync(join(folder, "floor"), "w+");
    const positions: number[] = [];
    let end = 0;
    return {
      set({ at, bytes }) {
        const position = end;
        positions[at] = position;
        end += bytes.length;
        return new Promise<void>((resolve, reject) =>
          write(
            file,
            bytes,
            0,
            bytes.length,
            position,
            (error) => error ? reject(error) : resolve(),
          )
        );
      },
      get({ at, bytes: { length } }) {
        const into = new Uint8Array(length);
        return new Promise<Uint8Array>((resolve, reject) =>
          read(
            file,
            into,
            0,
            length,
            positions[at]!,
            (error) => error ? reject(error) : resolve(into),
          )
        );
      },
      close: () => closeSync(file),
    };
  },
};
