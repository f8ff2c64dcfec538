/** Bytes looked at, in slices spread over the whole. */
const SAMPLE_BYTES = 1024;
const SLICES = 4;

/** Above this order-0 entropy of the sample, in bits a byte, a general codec finds nothing worth keeping. */
const MAX_ENTROPY_BITS = 6.8;

/** Tells, from a sample, whether bytes are worth handing to a codec. Vectors of floats and packed data are not. */
export function looksCompressible(bytes: Uint8Array): boolean {
  const counts = new Uint16Array(256);
  const sliceLength = Math.min(SAMPLE_BYTES / SLICES, Math.floor(bytes.length / SLICES));
  const stride = Math.floor((bytes.length - sliceLength) / (SLICES - 1));
  for (let slice = 0; slice < SLICES; slice++) {
    const start = slice * stride;
    for (let at = start; at < start + sliceLength; at++) counts[bytes[at]!]!++;
  }
  const sampled = sliceLength * SLICES;
  if (sampled === 0) return false;
  let bits = 0;
  for (const count of counts) {
    if (count > 0) bits -= count * Math.log2(count / sampled);
  }
  return bits / sampled <= MAX_ENTROPY_BITS;
}
