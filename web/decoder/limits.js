/** How large a picture may be in a browser; a .lic file may hold larger ones. */

import { number } from "./container.js";

const MOST_PIXELS = 2 ** 24; // a header may claim more than there is memory for

/**
 * Throw RangeError for a picture that is too large.
 * @param {number} width
 * @param {number} height
 */
export function checkPixels(width, height) {
  if (width * height <= MOST_PIXELS) return;
  const size = `${number(width)} x ${number(height)} pixels`;
  throw new RangeError(`a picture of ${size} is too large for a browser: ${number(MOST_PIXELS)} are the most.`);
}
