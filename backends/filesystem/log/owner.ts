import { type LogCore, pathOf } from "./core.ts";
import { createFile, errorCode, readFile } from "./file_layer.ts";
import { Heartbeat } from "./heartbeat.ts";
import { decodeIdentity, encodeIdentity } from "./identity.ts";

const MAX_WRITERS = 0xffff;
const OWNER_NAME = /^[0-9a-f]{4}\.own$/;

/** The name of the file that says who a writer is. */
export function ownerName(writer: number): string {
  return `${writer.toString(16).padStart(4, "0")}.own`;
}

/** Whether a name is that of an owner file. */
export function isOwnerName(name: string): boolean {
  return OWNER_NAME.test(name);
}

/** The number under which this open log writes, and the file that says that it lives. */
export class Owner {
  readonly writer: number;
  readonly #core: LogCore;
  readonly #heartbeat: Heartbeat;

  private constructor(core: LogCore, writer: number) {
    this.#core = core;
    this.writer = writer;
    this.#heartbeat = new Heartbeat(core.layer, pathOf(core, ownerName(writer)), core.clock);
  }

  /**
   * Takes the lowest number that no file in the directory bears. Only under the lock.
   *
   * @param names all names in the directory.
   */
  static create(core: LogCore, names: readonly string[]): Owner {
    const taken = new Set<number>();
    for (const name of names) {
      if (isOwnerName(name)) taken.add(parseInt(name.slice(0, 4), 16));
      else if (/^[0-9a-f]{14}-/.test(name)) taken.add(parseInt(name.slice(15, 19), 16));
    }
    for (let writer = 0; writer < MAX_WRITERS; writer++) {
      if (taken.has(writer)) continue;
      const path = pathOf(core, ownerName(writer));
      createFile(
        core.layer,
        path,
        encodeIdentity(core.witness.self, 0),
        core.durability !== "none",
      );
      try {
        return new Owner(core, writer);
      } catch (error) {
        core.layer.unlink(path);
        throw error;
      }
    }
    throw new RangeError(`Cannot write to segment log: it has ${MAX_WRITERS} writers already`);
  }

  /** Gives the number back; all segments written under it are sealed. */
  close(): void {
    const { layer, witness } = this.#core;
    const path = pathOf(this.#core, ownerName(this.writer));
    this.#heartbeat.stop();
    try {
      // Where the directory was replaced, the number may be another's.
      const holder = decodeIdentity(readFile(layer, path));
      if (holder?.identity.token === witness.self.token) layer.unlink(path);
    } catch (error) {
      if (!["ENOENT", "ENOTDIR"].includes(errorCode(error))) throw error;
    }
  }
}
