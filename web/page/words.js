/** Numbers and names, as the page writes them. */

const NO_MEMORY = /allocat|out of memory|array length/i; // each browser has its own words for that

/** @param {number} count */
export function bytes(count) {
  return `${whole(count)} bytes`;
}

/** @param {string} kind @param {number} count bytes @param {number} psnr in decibels */
export function coded(kind, count, psnr) {
  return `${kind}: ${bytes(count)}, ${Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "without loss"}`;
}

/** A whole number with commas between thousands. @param {number} count */
export function whole(count) {
  return count.toLocaleString("en-US");
}

/** @param {number} width @param {number} height */
export function size(width, height) {
  return `${width} × ${height}`;
}

/** @param {number} value */
export function seconds(value) {
  return value.toFixed(2);
}

/** @param {number} part of 1 */
export function percent(part) {
  return `${(100 * part).toFixed(1)} %`;
}

/** A file's name without its ending. @param {string} name */
export function stem(name) {
  return name.replace(/\.[^.]*$/, "") || "picture";
}

/** What an error says. @param {unknown} error */
export function reasonOf(error) {
  const message = error instanceof Error ? error.message : String(error);
  return NO_MEMORY.test(message) ? "it needs more memory than this browser gives." : message;
}
