/** Checksums of files: Peterson & Brown 1961, "Cyclic codes for error detection". */

const TABLE_32 = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

const TABLE_16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  byte <<= 8;
  for (let bit = 0; bit < 8; bit++) byte = byte & 0x8000 ? (byte << 1) ^ 0x1021 : byte << 1;
  return byte;
});

/**
 * CRC-32 as in PNG and zip.
 * @param {Uint8Array} bytes
 * @param {number} [before] the checksum of what comes before these bytes
 */
export function crc32(bytes, before = 0) {
  let crc = ~before;
  for (let n = 0; n < bytes.length; n++) crc = (crc >>> 8) ^ TABLE_32[(crc ^ bytes[n]) & 255];
  return ~crc >>> 0;
}

/**
 * CRC-16 of the polynomial x^16 + x^12 + x^5 + 1, which begins at 0.
 * @param {Uint8Array} bytes
 */
export function crc16(bytes) {
  let crc = 0;
  for (let n = 0; n < bytes.length; n++) crc = ((crc << 8) & 0xffff) ^ TABLE_16[(crc >>> 8) ^ bytes[n]];
  return crc;
}
