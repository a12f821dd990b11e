/** All that depends on the quality, a whole number from 1 to 100: `tutorial_lib/quality.py`. */

const [LOWEST, HIGHEST] = [1, 100];
const [ROWS, ROW_SPACING] = [10, 11]; // of a table, and how many qualities lie between two rows
export const [LAMBDA_LOWEST, LAMBDA_HIGHEST, STEP] = [0.0004, 0.12, 4.5];

/** @param {number} quality */
export function isQuality(quality) {
  return quality >= LOWEST && quality <= HIGHEST;
}

/**
 * The quantizer's step, in grey levels.
 * @param {number} quality
 */
export function stepOf(quality) {
  const lambda = LAMBDA_LOWEST * (LAMBDA_HIGHEST / LAMBDA_LOWEST) ** ((quality - LOWEST) / (HIGHEST - LOWEST));
  return STEP / Math.sqrt(lambda);
}

/**
 * The quality as networks see it, from −1 to 1.
 * @param {number} quality
 */
export function hintOf(quality) {
  const middle = (LOWEST + HIGHEST) / 2;
  return (quality - middle) / (HIGHEST - middle);
}

/**
 * A table's numbers at a quality, one for each channel. table: ROWS rows, one behind another.
 * @param {ArrayLike<number>} table
 * @param {number} quality
 * @returns {number[]}
 */
export function interpolated(table, quality) {
  const channels = table.length / ROWS;
  const row = Math.min(Math.floor((quality - LOWEST) / ROW_SPACING), ROWS - 2);
  const beyond = quality - LOWEST - ROW_SPACING * row; // of 11: whole numbers, if the table's are
  return Array.from({ length: channels }, (_, n) => {
    const [low, high] = [table[row * channels + n], table[(row + 1) * channels + n]];
    return (low * (ROW_SPACING - beyond) + high * beyond) / ROW_SPACING;
  });
}
