import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./documents.ts";

/** Flips one bit in the vector of a document, in whatever file of the folder holds it. */
export function damage(folder: string, { vector }: Document): void {
  const vectorBytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    const start = bytes.lastIndexOf(vectorBytes);
    if (start < 0) continue;
    const at = start + vectorBytes.length / 2;
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error("Cannot damage the vector: no file of the folder holds it");
}

/** The size of all files in a folder, in bytes, and their number. */
export function measureFolder(folder: string): { bytes: number; files: number } {
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)).length);
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), files: sizes.length };
}
