/** Photos, as the encoder gets them: the pixels of whatever kind of picture file this browser can show. */

import { sizeFault } from "../decoder/container.js";
import { checkPixels } from "../decoder/limits.js";

/** @typedef {import("./codec.js").Picture} Picture */

const UNREADABLE = "it is damaged, too large, or of a kind that this browser cannot read; it reads JPEG, PNG and WebP.";
const NO_CANVAS = "this browser does not give the pixels of a picture of its size.";

const ENDING = /\.(avif|bmp|gif|hei[cf]|hif|jpe?g|jxl|png|tiff?|webp)$/i; // of pictures that a system may not know

/**
 * Is it a picture, to be encoded, by its type? By its name, where the system gives it none, as many do HEIC.
 * @param {{type: string, name: string}} file
 */
export function isPhoto(file) {
  return file.type ? file.type.startsWith("image/") : ENDING.test(file.name);
}

/**
 * Upright, in sRGB, 8 bits a colour; what is transparent lies on white.
 *
 * Throws RangeError for what is too large, Error with a sentence for what this browser cannot read.
 * @param {File} file
 * @returns {Promise<Picture>}
 */
export async function readPhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file); // turned as EXIF says, colours turned as a profile says: its defaults
  } catch {
    throw new Error(UNREADABLE);
  }
  const { width, height } = bitmap;
  try {
    const fault = sizeFault(width, height);
    if (fault) throw new RangeError(fault);
    checkPixels(width, height);
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new RangeError(NO_CANVAS);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    if (data[3] !== 255) throw new RangeError(NO_CANVAS);
    return { width, height, rgba: data };
  } finally {
    bitmap.close();
  }
}

/**
 * The peak signal-to-noise ratio of two pictures of one size, in decibels, over all three colours.
 * @param {Picture} one
 * @param {Picture} other
 */
export function psnr({ rgba: one }, { rgba: other }) {
  let sum = 0;
  for (let n = 0; n < one.length; n++) if (n % 4 < 3) sum += (one[n] - other[n]) ** 2;
  return 10 * Math.log10((255 ** 2 * 0.75 * one.length) / sum);
}
