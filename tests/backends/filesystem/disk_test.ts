import assert from "node:assert/strict";
import { rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { errnoOf, nodeDisk } from "../../../backends/filesystem/disk.ts";
import { withScratch } from "./scratch.ts";

const TRIES = 500;

describe("nodeDisk.makeDirectory()", () => {
  it("fails with ENOENT alone while others make and remove the same directory", () =>
    withScratch(async ({ path }) => {
      const folder = join(path, "folder");
      const failures = new Set<string | undefined>();
      let isOver = false;
      const make = async (): Promise<void> => {
        for (let tries = 0; tries < TRIES; tries++) {
          await nodeDisk.makeDirectory(folder).catch((error) => failures.add(errnoOf(error)));
        }
      };
      const remove = async (): Promise<void> => {
        while (!isOver) await rmdir(folder).catch(() => {});
      };
      const removals = [remove(), remove()];
      await Promise.all([make(), make(), make()]);
      isOver = true;
      await Promise.all(removals);
      failures.delete("ENOENT");
      assert.deepStrictEqual([...failures], []);
      await nodeDisk.makeDirectory(folder);
      assert.ok((await stat(folder)).isDirectory());
    }));
});
