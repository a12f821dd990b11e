/** The page: from a file that somebody drops, chooses or picks, to a picture; and from a photo to such a file. */

import { readHeader } from "../decoder/container.js";
import { BitstreamError } from "../decoder/errors.js";
import { draw, drawBits, drawOver, rampOfCss } from "./canvases.js";
import { Codec, Failure } from "./codec.js";
import { Comparison } from "./comparison.js";
import { fetchBytes } from "./fetching.js";
import { Making } from "./making.js";
import { isPhoto, psnr, readPhoto } from "./photo.js";
import { addressOf, besideOf, listSamples } from "./samples.js";
import { keep } from "./saving.js";
import { missing } from "./support.js";
import { fillBytes, fillSeconds } from "./tables.js";
import { bytes, coded, percent, reasonOf, seconds, size, stem } from "./words.js";

/** @typedef {import("./samples.js").Sample} Sample */
/** @typedef {import("./codec.js").Picture} Picture */

/**
 * What is known about a file besides its bytes. alt: what its picture shows; photo: what the file was made of, in how
 * many seconds.
 * @typedef {{alt?: string, beside?: import("./comparison.js").Beside, photo?: Picture, seconds?: number}} About
 */

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

const codec = new Codec();
const comparison = new Comparison((id) => element(id, HTMLElement));
const making = new Making((id) => element(id, HTMLElement), make);
let fetching = new AbortController(); // of the newest file; that of an older one has been aborted
let saveAs = "picture.png";
let photoAddress = ""; // of the newest photo, for showing it
let opener = choose; // what began the work in hand

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

/** Bring into sight what is said. @param {ScrollLogicalPosition} block where in the window */
function bringIntoSight(block) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element("state", HTMLElement).scrollIntoView({ block, behavior: calm ? "auto" : "smooth" });
}

/** Say why there is no picture, or no file. @param {string} sentence */
function sayFault(sentence) {
  working.hidden = true;
  say(sentence, true);
  bringIntoSight("nearest");
}

/** Give up what is still being worked on. Returns the signal that tells of the same about what begins now. */
function anew() {
  fetching.abort();
  codec.stop();
  fetching = new AbortController();
  result.hidden = told.hidden = save.hidden = true;
  making.forget();
  comparison.hide();
  previews.replaceChildren();
  showProgress(null);
  bringIntoSight("nearest");
  return fetching.signal;
}

/** @param {string} sentence when the codec is there */
function loadingUntil(sentence) {
  return {
    onLoading: (/** @type {number} */ fraction) => {
      if (fraction === 0) say("Fetching the decoder: about 5 MB, once.");
      showProgress(fraction);
    },
    onLoaded: () => {
      say(sentence);
      showProgress(null);
    },
  };
}

/**
 * Decode a file.
 * @param {string} name
 * @param {(signal: AbortSignal) => Promise<Uint8Array>} get its bytes
 * @param {About} [about]
 */
async function open(name, get, about = {}) {
  const signal = anew();
  try {
    const file = await get(signal);
    if (signal.aborted) return;
    const header = readHeader(file);
    const count = file.length; // a worker gets the bytes, and they are gone
    const { result: decoded, fault } = await codec.decode(file, {
      ...loadingUntil(`Decoding ${name}.`),
      onPart: (n, of, part) => {
        showProgress(n / of);
        if (result.hidden) begin(name, header, count, about); // not before: a header may claim any size
        drawOver(picture, part);
        addPreview(part);
        show();
      },
    });
    working.hidden = true;
    showResult(decoded, name);
    const spent = `decoded, in ${seconds(decoded.seconds.total)} seconds.`;
    if (about.photo) comparison.leftLabel.textContent = coded(".lic", count, psnr(about.photo, decoded));
    if (fault) say(`${name}: ${fault} This is what its first parts say.`, true);
    else if (about.seconds === undefined) say(`${name} is ${spent}`);
    else say(`${name} is made, in ${seconds(about.seconds)} seconds, and ${spent}`);
  } catch (error) {
    if (signal.aborted) return;
    sayFault(sentenceOf(error, name));
  }
}

/**
 * Make a file of a photo, and open it.
 * @param {File} file
 * @param {number} quality
 */
async function make(file, quality) {
  const signal = anew();
  opener = making.choose;
  say(`Reading ${file.name}.`);
  try {
    const photo = await readPhoto(file);
    if (signal.aborted) return;
    making.remember(file);
    const made = await codec.encode(photo, quality, {
      ...loadingUntil(`Encoding ${file.name} at quality ${quality}.`),
      onCoded: (n, of) => showProgress(n / of),
    });
    URL.revokeObjectURL(photoAddress);
    photoAddress = URL.createObjectURL(file);
    const original = { label: `The original: ${bytes(file.size)}`, address: photoAddress };
    const beside = { width: photo.width, height: photo.height, lic: `.lic: ${bytes(made.file.length)}`, original };
    const name = `${stem(file.name)}.lic`;
    open(name, async () => made.file, { beside, photo, seconds: made.seconds });
    making.offer(name, made.file); // whatever becomes of the decoding
  } catch (error) {
    if (signal.aborted) return;
    sayFault(sentenceOf(error, file.name, "encoded"));
  }
}

/** @param {unknown} error @param {string} name @param {"decoded" | "encoded"} [work] */
function sentenceOf(error, name, work = "decoded") {
  const message = reasonOf(error);
  if (error instanceof Failure && error.because === "decoder") return `The decoder does not work here: ${message}`;
  if (error instanceof RangeError || (error instanceof Failure && error.because === "size")) {
    return `${name} cannot be ${work} here: ${message}`;
  }
  if (error instanceof Failure || error instanceof BitstreamError) return `${name}: ${message}`;
  return `${name} cannot be opened: ${message}`;
}

/**
 * What is known before anything is shown.
 * @param {string} name
 * @param {import("../decoder/container.js").Header} header
 * @param {number} count bytes of the file
 * @param {About} about
 */
function begin(name, { width, height, quality }, count, { alt, beside }) {
  element("result-title", HTMLElement).textContent = name;
  facts.textContent =
    `${size(width, height)} pixels, quality ${quality}, ${bytes(count)}: ` +
    `${((8 * count) / (width * height)).toFixed(3)} bits per pixel, ` +
    `${percent(count / (3 * width * height))} of its size as pixels.`;
  [picture.width, picture.height] = [width, height];
  picture.setAttribute("aria-label", alt ? `${name}, decoded. ${alt}` : `${name}, decoded`);
  if (beside) comparison.show(beside);
  saveAs = `${stem(name)}.png`;
}

/** Bring the picture into sight. */
function show() {
  if (!result.hidden) return;
  result.hidden = false;
  bringIntoSight("start");
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

/** @param {import("./codec.js").Result} decoded @param {string} name */
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
  opener = choose;
  say(`Reading ${file.name}.`);
  open(file.name, async () => {
    // Of what is no .lic file, a film for one, the beginning is enough for the decoder's sentence.
    const beginning = new Uint8Array(await file.slice(0, MAGIC.length).arrayBuffer());
    if (!MAGIC.every((byte, k) => beginning[k] === byte)) return beginning;
    return new Uint8Array(await file.arrayBuffer());
  });
}

/** @param {Sample} sample @param {HTMLButtonElement} button that has been pressed */
function openSample(sample, button) {
  const { file, bytes: count } = sample.lic;
  opener = button;
  say(`Fetching ${file}.`);
  const get = (/** @type {AbortSignal} */ signal) =>
    fetchBytes(addressOf(file), { size: count, onProgress: showProgress, signal });
  open(file, get, { alt: sample.alt, beside: besideOf(sample) });
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
    codec.stop();
    working.hidden = true;
    say("Stopped.");
    opener.focus();
  });
  save.addEventListener("click", () => {
    picture.toBlob((blob) => {
      if (!blob) return say("This browser cannot write a PNG file of this size.", true);
      keep(blob, saveAs);
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
    if (file && isPhoto(file)) making.take(file);
    else if (file) openFile(file);
  });
}

element("ramp", HTMLElement).style.background = rampOfCss();
const lacking = missing();
if (lacking) {
  choose.disabled = true;
  making.disable();
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
