import { type LogCore, pathOf } from "./core.ts";
import { errorCode, readFile, removeFile } from "./file_layer.ts";
import { isOwnerName } from "./owner.ts";

/** Removes the small files that dead processes have left in the directory. Only under the lock. */
export function sweepLeftovers(core: LogCore): void {
  const { layer, directory } = core;
  const names = new Set(layer.list(directory.path));
  for (const name of names) {
    const isLeft = name.endsWith(".hint")
      ? !names.has(`${name.slice(0, -5)}.seg`)
      : (name.endsWith(".tmp") || name.startsWith("break-") || isOwnerName(name)) &&
        !isHeld(core, name);
    if (isLeft) removeFile(layer, pathOf(core, name));
  }
}

function isHeld(core: LogCore, name: string): boolean {
  const { layer, witness } = core;
  try {
    return witness.isAlive(readFile(layer, pathOf(core, name)));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
