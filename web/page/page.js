/** The page: from a file that somebody drops, chooses or picks, to a picture. */

import { readHeader } from "../decoder/container.js";
import { BitstreamError } from "../decoder/errors.js";
import { draw, drawBits, drawOver, rampOfCss } from "./canvases.js";
import { Comparison } from "./comparison.js";
import { Decoding, Failure } from "./decoding.js";
import { fetchBytes } from "./fetching.js";
import { addressOf, listSamples } from "./samples.js";
import { missing } from "./support.js";
import { fillBytes, fillSeconds } from "./tables.js";
import { bytes, percent, seconds, size, stem } from "./words.js";

/** @typedef {import("./samples.js").Sample} Sample */
/** @typedef {import("./decoding.js").Picture} Picture */

const MAGIC = [0x89, 0x4c, 0x49, 0x43]; // of a .lic file

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page lacks ${id}.`);
  return found;
}

const status = element("status", HTMLElement);
const working = element("working", HTMLElement);
const progress = element("progress", HTMLProgressElement);
const result = element("result", HTMLElement);
const told = element("told", HTMLElement);
const facts = element("facts", HTMLElement);
const picture = element("picture", HTMLCanvasElement);
const previews = element("previews", HTMLElement);
const save = element("save", HTMLButtonElement);
const choose = element("choose", HTMLButtonElement);
const chooser = element("file", HTMLInputElement);

const decoding = new Decoding();
const comparison = new Comparison((id) => element(id, HTMLElement));
let fetching = new AbortController(); // of the newest file; that of an older one has been aborted
let saveAs = "picture.png";

/** @param {string} sentence @param {boolean} [wrong] */
function say(sentence, wrong = false) {
  if (status.textContent !== sentence) status.textContent = sentence; // a screen reader need not say it twice
  status.classList.toggle("wrong", wrong);
}

/** @param {number | null} fraction null: how far it is cannot be told */
function showProgress(fraction) {
  working.hidden = false;
  if (fraction === null) progress.removeAttribute("value");
  else progress.value = fraction;
}

/**
 * Decode a file. One that is still being decoded is given up.
 * @param {string} name
 * @param {(signal: AbortSignal) => Promise<Uint8Array>} get its bytes
 * @param {Sample} [sample]
 */
async function open(name, get, sample) {
  fetching.abort();
  decoding.stop();
  const { signal } = (fetching = new AbortController());
  result.hidden = told.hidden = save.hidden = true;
  comparison.hide();
  previews.replaceChildren();
  showProgress(null);
  try {
    const file = await get(signal);
    if (signal.aborted) return;
    const header = readHeader(file);
    const count = file.length; // a worker gets the bytes, and they are gone
    const { result: decoded, fault } = await decoding.decode(file, {
      onLoading: (fraction) => {
        if (fraction === 0) say("Fetching the decoder: about 5 MB, once.");
        showProgress(fraction);
      },
      onLoaded: () => {
        say(`Decoding ${name}.`);
        showProgress(null);
      },
      onPart: (n, of, part) => {
        showProgress(n / of);
        if (result.hidden) begin(name, header, count, sample); // not before: a header may claim any size
        drawOver(picture, part);
        addPreview(part);
        show();
      },
    });
    working.hidden = true;
    showResult(decoded, name);
    if (fault) say(`${name}: ${fault} This is what its first parts say.`, true);
    else say(`${name} is decoded, in ${seconds(decoded.seconds.total)} seconds.`);
  } catch (error) {
    if (signal.aborted) return;
    working.hidden = true;
    say(sentenceOf(error, name), true);
  }
}

/** @param {unknown} error @param {string} name */
function sentenceOf(error, name) {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Failure && error.because === "decoder") return `The decoder does not work here: ${message}`;
  if (error instanceof Failure && error.because === "size") return `${name} cannot be decoded here: ${message}`;
  if (error instanceof Failure || error instanceof BitstreamError) return `${name}: ${message}`;
  return `${name} cannot be opened: ${message}`;
}

/**
 * What is known before anything is shown.
 * @param {string} name
 * @param {import("../decoder/container.js").Header} header
 * @param {number} count bytes of the file
 * @param {Sample} [sample]
 */
function begin(name, { width, height, quality }, count, sample) {
  element("result-title", HTMLElement).textContent = name;
  facts.textContent =
    `${size(width, height)} pixels, quality ${quality}, ${bytes(count)}: ` +
    `${((8 * count) / (width * height)).toFixed(3)} bits per pixel, ` +
    `${percent(count / (3 * width * height))} of its size as pixels.`;
  [picture.width, picture.height] = [width, height];
  picture.setAttribute("aria-label", sample ? `${name}, decoded. ${sample.alt}` : `${name}, decoded`);
  if (sample) comparison.show(sample, addressOf);
  saveAs = `${stem(name)}.png`;
}

/** Bring the picture into sight. */
function show() {
  if (!result.hidden) return;
  result.hidden = false;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element("state", HTMLElement).scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

/** @param {Picture} part what the file's parts so far give */
function addPreview(part) {
  const item = document.createElement("li");
  const canvas = document.createElement("canvas");
  canvas.style.aspectRatio = `${picture.width} / ${picture.height}`; // of a small picture's, rounding makes another
  draw(canvas, part);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `The picture, ${size(part.width, part.height)} pixels`);
  const caption = document.createElement("span");
  caption.textContent = size(part.width, part.height);
  item.append(canvas, caption);
  previews.append(item);
}

/** @param {import("./decoding.js").Result} decoded @param {string} name */
function showResult(decoded, name) {
  draw(picture, decoded);
  addPreview(decoded);
  fillBytes(element("bytes", HTMLTableElement), decoded.sections);
  fillSeconds(element("seconds", HTMLTableElement), decoded.seconds);
  const most = drawBits(element("bits", HTMLCanvasElement), decoded.bits).toFixed(1);
  element("most", HTMLElement).textContent = most;
  element("bits", HTMLElement).setAttribute("aria-label", `A map of the bits of ${name}, from 0 to ${most} a pixel`);
  sayBytes(decoded.sections.map((section) => section.bytes));
  told.hidden = save.hidden = false;
  show();
}

/** How much of the file each preview takes. @param {number[]} counts of the header and of each part */
function sayBytes([header, ...counts]) {
  let sum = header;
  [...previews.children].forEach((item, n) => {
    const line = document.createElement("span");
    line.textContent = bytes((sum += counts[n] ?? 0));
    item.append(line);
  });
}

/** @param {File} file */
function openFile(file) {
  say(`Reading ${file.name}.`);
  open(file.name, async () => {
    // Of what is no .lic file, a film for one, the beginning is enough for the decoder's sentence.
    const beginning = new Uint8Array(await file.slice(0, MAGIC.length).arrayBuffer());
    if (!MAGIC.every((byte, k) => beginning[k] === byte)) return beginning;
    return new Uint8Array(await file.arrayBuffer());
  });
}

/** @param {Sample} sample */
function openSample(sample) {
  const { file, bytes: count } = sample.lic;
  say(`Fetching ${file}.`);
  const get = (/** @type {AbortSignal} */ signal) =>
    fetchBytes(addressOf(file), { size: count, onProgress: showProgress, signal });
  open(file, get, sample);
}

function listen() {
  choose.addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    const file = chooser.files?.[0];
    chooser.value = ""; // so that the same file can be chosen again
    if (file) openFile(file);
  });
  element("stop", HTMLButtonElement).addEventListener("click", () => {
    fetching.abort();
    decoding.stop();
    working.hidden = true;
    say("Stopped.");
    choose.focus();
  });
  save.addEventListener("click", () => {
    picture.toBlob((blob) => {
      if (!blob) return say("This browser cannot write a PNG file of this size.", true);
      const address = URL.createObjectURL(blob);
      Object.assign(document.createElement("a"), { href: address, download: saveAs }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    }, "image/png");
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    const file = event.dataTransfer?.files[0];
    if (file) openFile(file);
  });
}

element("ramp", HTMLElement).style.background = rampOfCss();
const lacking = missing();
if (lacking) {
  choose.disabled = true;
  say(`This browser is too old for this page: it lacks ${lacking}. Any browser from 2023 on has it.`, true);
} else {
  listen();
  say("");
  listSamples(element("sample-list", HTMLElement), openSample)
    .then((credits) => {
      element("credits", HTMLElement).prepend(credits);
      element("samples", HTMLElement).hidden = false;
    })
    .catch((error) => say(`There are no samples here: ${error.message}`, true));
}
