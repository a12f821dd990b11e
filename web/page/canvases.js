/** What is drawn: pictures, and the map of the bits. */

// From few bits to many: colours whose lightness rises, so that they can be told apart without telling hues.
const RAMP = [
  [24, 20, 62],
  [62, 40, 128],
  [146, 52, 138],
  [222, 92, 96],
  [252, 168, 88],
  [252, 244, 186],
];

/**
 * Draw a picture of any size over the whole canvas, whose size stays.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./codec.js").Picture} picture
 */
export function drawOver(canvas, picture) {
  const small = document.createElement("canvas");
  draw(small, picture);
  const context = contextOf(canvas);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/**
 * Make a canvas as large as the picture, and draw it, pixel for pixel.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./codec.js").Picture} picture
 */
export function draw(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  // Not every browser's types agree on what a view of shared memory may be; this one is not shared.
  const rgba = /** @type {Uint8ClampedArray<ArrayBuffer>} */ (picture.rgba);
  contextOf(canvas).putImageData(new ImageData(rgba, picture.width, picture.height), 0, 0);
}

/**
 * Draw the map of the bits. Returns the value that the ramp's last colour stands for; what is above looks the same.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./codec.js").Bits} bits
 */
export function drawBits(canvas, bits) {
  const sorted = Float32Array.from(bits.values).sort();
  const most = sorted[Math.floor(0.99 * (sorted.length - 1))] || 1;
  const rgba = new Uint8ClampedArray(4 * bits.values.length);
  bits.values.forEach((value, k) => rgba.set([...colourOf(Math.min(1, value / most)), 255], 4 * k));
  draw(canvas, { width: bits.width, height: bits.height, rgba });
  return most;
}

/** The ramp, as CSS draws it. */
export function rampOfCss() {
  return `linear-gradient(to right, ${RAMP.map((colour) => `rgb(${colour.join(" ")})`).join(", ")})`;
}

/** @param {number} share from 0 to 1 */
function colourOf(share) {
  const place = share * (RAMP.length - 1);
  const low = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[low].map((value, k) => value + (place - low) * (RAMP[low + 1][k] - value));
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas for a picture of this size.");
  return context;
}
