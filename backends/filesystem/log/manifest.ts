import { CacheError } from "../../../src/errors.ts";
import { crc } from "./crc.ts";
import { createFile, errorCode, type FileLayer, readFile, removeFile } from "./file_layer.ts";
import { makeBlock } from "./record.ts";

/*
 * MANIFEST, version 1: tells which format a directory has. 64 bytes, all
 * numbers little-endian, never changed once it is there.
 *
 *   offset  type  field
 *        0  u32   magic 0x474f4c53, the letters "SLOG"
 *        4  u32   CRC-32 of bytes 8 to 63
 *        8  u32   format version of the directory, 1
 *       12  u32   0
 *       16  u32   id of the directory, lower half, random
 *       20  u32   id of the directory, upper half
 *       24  u32   seed of the hashes of keys, lower half, random
 *       28  u32   seed of the hashes of keys, upper half
 *       32        zeros
 */

const NAME = "MANIFEST";
const MAGIC = 0x474f4c53;
const FORMAT_VERSION = 1;
const LENGTH = 64;

/** A directory of the log. */
export interface LogDirectory {
  /** Its path. */
  readonly path: string;
  /** Its random id, two halves. */
  readonly id: Uint32Array;
  /** The seed of its hashes, two halves. */
  readonly seed: Uint32Array;
}

/**
 * Opens a directory, or makes it one of the log. A directory of an unknown
 * format is left as it is, and a subdirectory of it used.
 *
 * @param random gives 32 random bits.
 * @param onUnknown is told the path of each directory that is left as it is.
 */
export function openDirectory(
  layer: FileLayer,
  path: string,
  random: () => number,
  onUnknown: (path: string) => void,
): LogDirectory {
  for (let tries = 0;; tries++) {
    const candidate = tries === 0 ? path : `${path}/v${FORMAT_VERSION}-${tries}`;
    const found = readManifest(layer, candidate) ?? createManifest(layer, candidate, random);
    if (found !== "unknown") return found;
    onUnknown(candidate);
  }
}

/** Whether a directory is there and is still this one. @throws what the file layer throws when that cannot be told. */
export function isManifestOf(layer: FileLayer, { path, id }: LogDirectory): boolean {
  const found = readManifest(layer, path);
  return found !== undefined && found !== "unknown" && found.id[0] === id[0] &&
    found.id[1] === id[1];
}

function readManifest(layer: FileLayer, path: string): LogDirectory | "unknown" | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFile(layer, `${path}/${NAME}`);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (
    bytes.length !== LENGTH || view.getUint32(0, true) !== MAGIC ||
    view.getUint32(4, true) !== crc(bytes.subarray(8)) ||
    view.getUint32(8, true) !== FORMAT_VERSION
  ) return "unknown";
  return {
    path,
    id: Uint32Array.of(view.getUint32(16, true), view.getUint32(20, true)),
    seed: Uint32Array.of(view.getUint32(24, true), view.getUint32(28, true)),
  };
}

function createManifest(
  layer: FileLayer,
  path: string,
  random: () => number,
): LogDirectory | "unknown" {
  layer.makeDirectory(path);
  const { bytes, view } = makeBlock(LENGTH);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, FORMAT_VERSION, true);
  for (let at = 16; at < 32; at += 4) view.setUint32(at, random(), true);
  view.setUint32(4, crc(bytes.subarray(8)), true);
  publish(layer, `${path}/${NAME}`, bytes, `${path}/${random().toString(16)}.tmp`, true);
  layer.syncDirectory(path);
  const created = readManifest(layer, path);
  if (created !== undefined) return created;
  throw new CacheError("unavailable", `Cannot open segment log in ${path}: its manifest is gone`);
}

/**
 * Gives a file its name only once it is whole; does nothing when the name is
 * taken, also by another process at the same time.
 *
 * @param temporary a name that is the caller's alone.
 * @returns whether it is this file that has the name.
 */
export function publish(
  layer: FileLayer,
  path: string,
  bytes: Uint8Array,
  temporary: string,
  durable: boolean,
): boolean {
  // What an earlier failure has left; nobody else has this name.
  removeFile(layer, temporary);
  createFile(layer, temporary, bytes, durable);
  try {
    layer.link(temporary, path);
    return true;
  } catch (error) {
    // Who sweeps the directory may take the file for what a dead process left.
    if (["EEXIST", "ENOENT"].includes(errorCode(error))) return false;
    if (!HAS_NO_LINKS.includes(errorCode(error))) throw error;
    return createExclusively(layer, path, bytes, durable);
  } finally {
    try {
      removeFile(layer, temporary);
    } catch {
      // It is swept later; what counts is whether the name was given.
    }
  }
}

/** What file systems without hard links answer. */
const HAS_NO_LINKS: readonly string[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"];

function createExclusively(
  layer: FileLayer,
  path: string,
  bytes: Uint8Array,
  durable: boolean,
): boolean {
  try {
    createFile(layer, path, bytes, durable);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}
