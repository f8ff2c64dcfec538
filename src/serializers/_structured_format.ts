/*
 * Structured, version 1. All numbers are little-endian; a varint has 7 bits a
 * byte, lowest first, and the top bit set on all bytes but the last.
 *
 *   byte 0    version, 1
 *   byte 1…   one value
 *
 * A value is a tag and what follows it:
 *
 *   tag        value                what follows
 *   00 to 7f   integer 0 to 127     nothing
 *   80 to bf   string               0 to 63 bytes of ASCII
 *   c0         undefined            nothing
 *   c1         null                 nothing
 *   c2, c3     false, true          nothing
 *   c4         integer              varint of its zigzag form; 32 bits at most
 *   c5         number               f64
 *   c6, c7     BigInt, below 0: c7  varint count of bytes, magnitude, lowest byte first
 *   c8         string               varint count of bytes, UTF-8
 *   c9         string               varint count of UTF-16 units, UTF-16LE; for lone surrogates
 *   ca         Date                 f64 epoch milliseconds, NaN for an invalid date
 *   cb         RegExp               string source, string flags
 *   cc         array                varint length, that many values
 *   cd         array with holes     varint length, varint count, that many pairs of varint position and value
 *   ce         object               varint count, that many pairs of name and value
 *   cf         object, no prototype varint count, that many pairs of name and value
 *   d0         Map                  varint count, that many pairs of key and value
 *   d1         Set                  varint count, that many values
 *   d2         bytes                u8 dtype as in frames, varint count of bytes, bytes
 *   d3         seen before          varint number of an earlier object of this value
 *
 * A name is varint 0 and a string, which gets the next number from 1 on; or the
 * number of an earlier name. Objects are numbered from 0 on as their tags are
 * met: ca to d2. So shared parts stay shared, and cycles close.
 *
 * Intended oddities: a view of an ArrayBuffer brings its own bytes only, and
 * two views of one buffer come back apart; a `Buffer` comes back as
 * Uint8Array; the `lastIndex` of a RegExp comes back as 0.
 */

/** Version written and read. */
export const STRUCTURED_VERSION = 1;

/** First tag of short ASCII strings. */
export const TAG_SHORT_STRING = 0x80;
/** Most bytes of a short ASCII string. */
export const SHORT_STRING_LENGTH = 63;
export const TAG_UNDEFINED = 0xc0;
export const TAG_NULL = 0xc1;
export const TAG_FALSE = 0xc2;
export const TAG_TRUE = 0xc3;
export const TAG_INTEGER = 0xc4;
export const TAG_NUMBER = 0xc5;
export const TAG_BIGINT = 0xc6;
export const TAG_NEGATIVE_BIGINT = 0xc7;
export const TAG_UTF8 = 0xc8;
export const TAG_UTF16 = 0xc9;
export const TAG_DATE = 0xca;
export const TAG_REGEXP = 0xcb;
export const TAG_ARRAY = 0xcc;
export const TAG_SPARSE_ARRAY = 0xcd;
export const TAG_OBJECT = 0xce;
export const TAG_BARE_OBJECT = 0xcf;
export const TAG_MAP = 0xd0;
export const TAG_SET = 0xd1;
export const TAG_BYTES = 0xd2;
export const TAG_SEEN = 0xd3;
