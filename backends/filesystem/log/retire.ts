import type { OpenedCore } from "./open_core.ts";

/**
 * Ends the use of a directory that was removed or replaced: everything is a
 * miss at once and nothing more is written; what is open is closed as soon as
 * what is under way is over.
 */
export function retire({ core, space, queue, closeDirectory }: OpenedCore): Promise<void> {
  core.health.retire();
  core.catalog.clear(core.stamps.next());
  return queue.enqueue(() => {
    space.abandon();
    core.files.closeAll();
    queue.close();
    closeDirectory();
    space.close();
  });
}
