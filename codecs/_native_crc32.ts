import * as zlib from "node:zlib";

/** CRC-32 of node:zlib; Node has it from 20.15 and 22.2 on. */
export const nativeCrc32: ((bytes: Uint8Array, initial?: number) => number) | undefined =
  zlib.crc32;
