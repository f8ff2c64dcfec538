import { MemoryDisk } from "./memory_disk.ts";
import { frameOf, openLog, seeded } from "./helpers.ts";

/** Where the golden log was written; its files are named after nothing else. */
export const GOLDEN_DIRECTORY = "/golden";

/**
 * Does the same to an empty disk each time: values, a key that is no UTF-8, a
 * replaced and a deleted key, a clear, an expiry, a reference.
 */
export async function writeGolden(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  let now = 1_800_000_000_000;
  const clock = { now: () => now, recent: () => now, schedule: () => () => {} };
  // How records share a write depends on the time they take, and shows in the segment.
  const stopwatch = (): number => 0;
  const options = { fileLayer: disk, clock, stopwatch, random: seeded(1), segmentBytes: 8 * 1024 };
  const log = await openLog(GOLDEN_DIRECTORY, options);
  await log.put("cleared", frameOf("cleared", 1), Infinity);
  now += 5;
  await log.clear();
  now += 5;
  for (const [at, key] of ["a", "", "\ud800", "key/😀", "replaced", "deleted"].entries()) {
    await log.put(key, frameOf(key, at, 10 * at), Infinity);
  }
  await log.put("expires", frameOf("expires", 9), now + 1000);
  await log.put("replaced", frameOf("replaced", 10), Infinity);
  await log.delete("deleted");
  const body = new TextEncoder().encode("objects/1");
  await log.putReference("large", { body, fileBytes: 100_000 }, Infinity);
  await log.close();
  return disk;
}

/** Files as one text: a name and base64 a line. */
export function packDisk(disk: MemoryDisk): string {
  return disk.paths().sort().map((path) => {
    const binary = Array.from(disk.bytes(path), (byte) => String.fromCharCode(byte)).join("");
    return `${path} ${btoa(binary)}`;
  }).join("\n");
}

/** The files of {@linkcode packDisk}. */
export function unpackDisk(text: string): MemoryDisk {
  let id = 0;
  return new MemoryDisk(
    new Map(
      text.trim().split("\n").map((line) => {
        const [path, base64] = line.split(" ") as [string, string];
        const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
        return [path, { id: ++id, bytes }];
      }),
    ),
  );
}
