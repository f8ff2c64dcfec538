/** Lets every promise reaction that is queued run, and those that they queue. */
export async function settle(turns = 60): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}
