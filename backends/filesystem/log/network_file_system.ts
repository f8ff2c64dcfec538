/**
 * File systems on which what one machine writes is seen late, or in part, by
 * another, and on which locks and unlinked open files do not hold; by the
 * magic number of statfs(2).
 */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x65735546, "FUSE"],
  [0x01021997, "9P"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
  [0x564c, "NCP"],
  [0x73757245, "Coda"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
]);

/** The name of a network file system, `undefined` for a local one. */
export function networkFileSystem(magic: number | undefined): string | undefined {
  return magic === undefined ? undefined : NETWORK_FILE_SYSTEMS.get(magic >>> 0);
}
