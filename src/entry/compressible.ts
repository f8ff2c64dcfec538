/** Bytes looked at in one piece; pieces start at multiples of 8, so that each byte of a float64 counts alike. */
const SLICE_BYTES = 16;
const SLICES_A_ROUND = 4;
const ROUND_BYTES = SLICES_A_ROUND * SLICE_BYTES;

/** A round for so many bytes: it takes some 70 ns, a twentieth of what LZ4 takes for a vector of them. */
const BYTES_A_ROUND = 3072;
const MAX_ROUNDS = 8;

/**
 * The share of bytes of a round that were seen before in that round, above
 * which there is something to gain. Measured over 64 bytes: random and
 * compressed bytes 0.03 to 0.28, vectors of float32, float64 and float16 0.12
 * to 0.375, int8 vectors of small range, bfloat16 and small integers 0.34 to
 * 0.77, JSON and MessagePack of documents 0.33 to 0.7.
 */
const MIN_REPEAT_SHARE = 0.38;

/** This share in the first round leaves no doubt. */
const CLEAR_REPEAT_SHARE = 0.5;

/**
 * The share of bytes from 0x80 up, below which bytes are taken for text
 * whatever their repeats. Base64 of vectors shrinks to 0.77 with zstd and gzip
 * (not with LZ4) and has none of those bytes; vectors and compressed bytes have
 * 0.27 to 0.66.
 */
const MAX_HIGH_SHARE_OF_TEXT = 0.15;

/**
 * The number of the round in which each byte was last seen: a new round needs
 * no clearing. Calls are synchronous, so that one table serves all.
 */
const lastSeen = new Int32Array(256);
let round = 0;

/**
 * Tells, from a sample, whether bytes are worth handing to a codec. Vectors of
 * floats and packed data are not.
 *
 * Counting bytes that come again in a short round tells them apart as well as
 * an entropy does and needs no logarithms. Repetitions far apart of bytes that
 * are random by themselves go unseen.
 */
export function looksCompressible(bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (length < ROUND_BYTES) return false;
  const rounds = Math.max(1, Math.min(MAX_ROUNDS, Math.floor(length / BYTES_A_ROUND)));
  // Every round spans the whole, so that the first one can already be enough.
  const step = Math.floor((length - SLICE_BYTES) / (rounds * SLICES_A_ROUND - 1));
  let repeats = 0;
  let high = 0;
  for (let index = 0; index < rounds; index++) {
    const current = nextRound();
    for (let slice = index; slice < rounds * SLICES_A_ROUND; slice += rounds) {
      const start = (slice * step) & ~7;
      // Four bytes a turn: a third faster than one.
      for (let at = start; at < start + SLICE_BYTES; at += 4) {
        const a = bytes[at]!;
        const b = bytes[at + 1]!;
        const c = bytes[at + 2]!;
        const d = bytes[at + 3]!;
        repeats += see(a, current) + see(b, current) + see(c, current) + see(d, current);
        high += (a >>> 7) + (b >>> 7) + (c >>> 7) + (d >>> 7);
      }
    }
    if (index === 0 && (high === 0 || repeats >= CLEAR_REPEAT_SHARE * ROUND_BYTES)) return true;
  }
  const sampled = rounds * ROUND_BYTES;
  return repeats >= MIN_REPEAT_SHARE * sampled || high < MAX_HIGH_SHARE_OF_TEXT * sampled;
}

/** Numbers stay positive, and none comes again before 2^31 others have. */
function nextRound(): number {
  round = (round + 1) & 0x7fffffff;
  return round;
}

/** 1 for a byte that the round has seen, else 0; without a branch, which would be mispredicted every fourth time. */
function see(byte: number, current: number): number {
  const repeated = ((lastSeen[byte]! ^ current) - 1) >>> 31;
  lastSeen[byte] = current;
  return repeated;
}
