import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFilesystemBackend } from "../../backends/filesystem.ts";
import type { CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";

const directories = new WeakMap<CacheBackend, string>();

backendSuite("FilesystemBackend", async (context) => {
  const basePath = await mkdtemp(join(tmpdir(), "strata-suite-"));
  const backend = await createFilesystemBackend({ type: "filesystem", basePath }, context);
  directories.set(backend, basePath);
  return backend;
}, {
  reopen: (closed, context) =>
    createFilesystemBackend({ basePath: directories.get(closed) }, context),
  dispose: (closed) => rm(directories.get(closed) as string, { recursive: true }),
});
