/** The samples: what there is to know about them, and buttons that open them. `web/samples.py` makes their files. */

import { request } from "./fetching.js";
import { bytes, coded } from "./words.js";

/**
 * @typedef {{file: string, bytes: number, psnr: number}} Coded
 * @typedef {{name: string, title: string, alt: string, by: string, width: number, height: number, quality: number,
 *            lic: Coded, jpeg: Coded, original: string, small: string}} Sample
 */

const FOLDER = new URL("../samples/", import.meta.url);

/**
 * What stands beside a sample.
 * @param {Sample} sample
 * @returns {import("./comparison.js").Beside}
 */
export function besideOf({ width, height, lic, jpeg, original }) {
  return {
    width,
    height,
    lic: coded(".lic", lic.bytes, lic.psnr),
    original: { label: "The original", address: addressOf(original) },
    jpeg: { label: coded("JPEG", jpeg.bytes, jpeg.psnr), address: addressOf(jpeg.file) },
  };
}

/** @param {string} file */
export function addressOf(file) {
  return String(new URL(file, FOLDER));
}

/**
 * Fill a list with a button for each sample. Returns whose photos they are.
 * @param {HTMLElement} list
 * @param {(sample: Sample, button: HTMLButtonElement) => void} onPick
 */
export async function listSamples(list, onPick) {
  const index = await (await request(addressOf("index.json"))).json();
  const samples = /** @type {Sample[]} */ (index.samples);
  list.replaceChildren(...samples.map((sample) => item(sample, onPick)));
  const people = samples.map((sample) => `${sample.title}: ${sample.by}`).join(", ");
  return `Photos, from scikit-image, in the public domain: ${people}. `;
}

/** @param {Sample} sample @param {(sample: Sample, button: HTMLButtonElement) => void} onPick */
function item(sample, onPick) {
  const small = Object.assign(new Image(), { src: addressOf(sample.small), alt: "" });
  const title = Object.assign(document.createElement("span"), { className: "title", textContent: sample.title });
  const size = Object.assign(document.createElement("span"), { textContent: bytes(sample.lic.bytes) });
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.append(small, title, size);
  button.addEventListener("click", () => onPick(sample, button));
  const line = document.createElement("li");
  line.append(button);
  return line;
}
