/** Where in the picture the bits are: a map, for looking at. */

const CELL = 8; // pixels of a cell's sides

/**
 * Bits per pixel, on a grid of cells of 8 × 8 pixels. What a coarse position costs is spread over the cells below it.
 * @param {{height: number, width: number, bits: Float32Array}[]} parts
 * @param {number} levels
 * @param {number} height of the picture
 * @param {number} width
 * @returns {{width: number, height: number, values: Float32Array}}
 */
export function bitsMap(parts, levels, height, width) {
  const [rows, columns] = [Math.ceil(height / CELL), Math.ceil(width / CELL)];
  const values = new Float32Array(rows * columns);
  parts.forEach((part, n) => {
    const side = 2 ** (levels - Math.max(n - 1, 0)); // pixels of one of its positions
    const cells = Math.max(side / CELL, 1); // below a position, in either direction
    for (let i = 0; i < part.height; i++) {
      for (let j = 0; j < part.width; j++) {
        const [top, left] = [Math.floor((i * side) / CELL), Math.floor((j * side) / CELL)];
        const [bottom, right] = [Math.min(top + cells, rows), Math.min(left + cells, columns)];
        const share = part.bits[i * part.width + j] / ((bottom - top) * (right - left));
        for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) values[y * columns + x] += share;
      }
    }
  });
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const pixels = Math.min(CELL, height - y * CELL) * Math.min(CELL, width - x * CELL);
      values[y * columns + x] /= pixels;
    }
  }
  return { width: columns, height: rows, values };
}
