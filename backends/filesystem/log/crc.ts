import * as zlib from "node:zlib";
import { type Crc32, crc32 as portable } from "../../../src/entry/checksum.ts";

/** CRC-32 of bytes, going on from an earlier sum; node:zlib has it from Node 22.2 on. */
export const crc: Crc32 = (zlib as { crc32?: Crc32 }).crc32 ?? portable;
