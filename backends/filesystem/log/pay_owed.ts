import type { LogCore } from "./core.ts";
import { appendGeneration, appendTombstone } from "./reclaim.ts";
import type { WriteQueue } from "./write_queue.ts";

/** Writes tombstones for what the disk has not taken when it failed. Only as a task, with a segment to append to. */
export async function payOwed(core: LogCore, queue: WriteQueue): Promise<void> {
  const { catalog } = core;
  const owed = [...queue.owed.values()];
  let batch = queue.newBatch(0);
  if (queue.owesGeneration) appendGeneration(batch, catalog.generation);
  for (const [low, high] of owed) {
    const slot = catalog.find(low, high);
    if (slot < 0 || catalog.isSettled(slot)) continue;
    if (!batch.hasRoom(0, 0)) {
      await queue.commit(batch);
      batch = queue.newBatch(0);
    }
    appendTombstone(core, batch, slot);
  }
  await queue.commit(batch);
  queue.owed.clear();
  queue.owesGeneration = false;
}
