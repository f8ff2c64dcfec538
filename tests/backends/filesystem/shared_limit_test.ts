import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { entryOf } from "../../fakes/entries.ts";
import { runtimeArguments } from "./log/helpers.ts";
import { diskUsage, withScratch } from "./scratch.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));
const KIB = 1024;
const VALUES = 300;

interface Outcome {
  readonly stored: number;
  readonly declined: number;
  readonly reported: number;
  readonly kept: number;
}

/** Fills a directory from processes at once. @returns what became of it in each, and the most bytes that du counted. */
async function fill(
  path: string,
  processes: number,
  maxBytes: number,
): Promise<[Outcome[], number]> {
  const filling = Array.from({ length: processes }, async (_, at) => {
    const child = spawn(
      process.execPath,
      [...runtimeArguments(), CHILD, "fill", path, `p${at}`, String(VALUES), `${maxBytes / KIB}KB`],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    return JSON.parse(await text(child.stdout)) as Outcome;
  });
  let peak = 0;
  const sampling = setInterval(() => peak = Math.max(peak, diskUsage(path)), 5);
  try {
    return [await Promise.all(filling), peak];
  } finally {
    clearInterval(sampling);
  }
}

describe("FilesystemBackend with a small limit that processes share", () => {
  for (
    const [processes, maxBytes] of [[2, 1024 * KIB], [4, 1024 * KIB], [4, 512 * KIB]] as const
  ) {
    it(`stores what ${processes} processes set within ${maxBytes / KIB} KiB, small and large`, () =>
      withScratch(async ({ path }) => {
        const [outcomes, peak] = await fill(path, processes, maxBytes);
        for (const { stored, declined, reported } of outcomes) {
          assert.ok(declined <= VALUES / 50, `${declined} of ${VALUES} were declined`);
          assert.equal(stored + declined, VALUES);
          assert.ok(reported >= declined, "what is declined is told");
        }
        assert.ok(outcomes.some(({ kept }) => kept > 0), "the youngest are there");
        assert.ok(peak <= maxBytes, `${peak} bytes of ${maxBytes}`);
        assert.ok(peak > maxBytes / 2, `${peak} bytes of ${maxBytes}: the room is used`);
      }));
  }

  it("tells when the limit is small for so many processes", () =>
    withScratch(async ({ clock, open, reports }) => {
      const backends = [];
      for (let at = 0; at < 4; at++) {
        const backend = await open({ maxBytes: 384 * KIB });
        await backend.set(`key:${at}`, entryOf(`key:${at}`, at, { clock }));
        await backend.flush();
        backends.push(backend);
      }
      assert.equal(reports.length, 1);
      assert.match(
        String(reports[0]?.error),
        /'maxBytes' should be at least 122880 for each of the 4/,
      );
    }));
});
