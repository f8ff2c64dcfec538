import { type LogCore, pathOf } from "./core.ts";
import { errorCode, readFile, removeFile } from "./file_layer.ts";
import { isOwnerName } from "./owner.ts";

/** Removes the small files that dead processes have left in the directory. Only under the lock. */
export function sweepLeftovers(core: LogCore): void {
  const { layer, directory } = core;
  const names = new Set(layer.list(directory.path));
  for (const name of names) {
    const isLeft = name.endsWith(".hint") && !names.has(`${name.slice(0, -5)}.seg`);
    if (isLeft) removeFile(layer, pathOf(core, name));
  }
  removeDead(core, directory.path, names);
}

/** Removes those of a directory's files that a dead process held or was about to hold. Only under a lock of it. */
export function removeDead(core: LogCore, path: string, names: Iterable<string>): void {
  for (const name of names) {
    const isOfHolder = name.endsWith(".tmp") || name.startsWith("break-") || isOwnerName(name);
    if (isOfHolder && !isHeld(core, `${path}/${name}`)) removeFile(core.layer, `${path}/${name}`);
  }
}

function isHeld({ layer, witness }: LogCore, path: string): boolean {
  try {
    return witness.isAlive(readFile(layer, path));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
