/** The picture, and beside it, behind a divider that can be moved, the original or a JPEG. */

import { bytes } from "./words.js";

/** @typedef {import("./samples.js").Sample} Sample */

export class Comparison {
  /** @type {Record<string, HTMLImageElement>} */
  #pictures = {};
  #labels = { jpeg: "", original: "" };

  /**
   * @param {(id: string) => HTMLElement} element gives the page's element of that id
   */
  constructor(element) {
    this.stage = element("stage");
    this.beside = element("beside");
    this.divider = element("divider");
    this.controls = element("comparison");
    this.leftLabel = element("left-label");
    this.rightLabel = element("right-label");
    this.slider = /** @type {HTMLInputElement} */ (element("slider"));
    this.radios = /** @type {HTMLInputElement[]} */ ([...this.controls.querySelectorAll("input[type=radio]")]);
    this.slider.addEventListener("input", () => this.#place());
    for (const radio of this.radios) radio.addEventListener("change", () => this.#choose());
    this.stage.addEventListener("pointerdown", (event) => this.#drag(event));
    this.stage.addEventListener("pointermove", (event) => this.#drag(event));
    this.hide();
  }

  /** Nothing beside the picture. */
  hide() {
    this.controls.hidden = this.beside.hidden = this.divider.hidden = true;
    for (const picture of Object.values(this.#pictures)) picture.remove();
    this.#pictures = {};
  }

  /**
   * The original and the JPEG of a sample.
   * @param {Sample} sample
   * @param {(file: string) => string} addressOf
   */
  show(sample, addressOf) {
    this.hide();
    for (const [kind, file] of Object.entries({ jpeg: sample.jpeg.file, original: sample.original })) {
      const picture = new Image(sample.width, sample.height);
      picture.src = addressOf(file);
      picture.alt = "";
      picture.draggable = false;
      this.#pictures[kind] = picture;
      this.beside.append(picture);
    }
    this.leftLabel.textContent = said(".lic", sample.lic);
    this.#labels = { jpeg: said("JPEG", sample.jpeg), original: "The original" };
    this.controls.hidden = this.beside.hidden = this.divider.hidden = false;
    this.#choose();
    this.#place();
  }

  #choose() {
    const chosen = this.#chosen();
    for (const [kind, picture] of Object.entries(this.#pictures)) picture.hidden = kind !== chosen;
    this.rightLabel.textContent = this.#labels[chosen];
    this.#say();
  }

  #chosen() {
    return this.radios.some((radio) => radio.checked && radio.value === "original") ? "original" : "jpeg";
  }

  #place() {
    const share = `${this.slider.value}%`;
    this.beside.style.clipPath = `inset(0 0 0 ${share})`;
    this.divider.style.left = share;
    this.#say();
  }

  /** The slider's value in words. */
  #say() {
    const right = this.#chosen() === "original" ? "the original" : "JPEG";
    const left = Number(this.slider.value);
    this.slider.setAttribute("aria-valuetext", `${left} percent .lic, ${100 - left} percent ${right}`);
  }

  /** A finger or a mouse moves the divider, too. @param {PointerEvent} event */
  #drag(event) {
    if (this.divider.hidden || event.buttons !== 1) return;
    if (event.type === "pointerdown") this.stage.setPointerCapture(event.pointerId);
    const box = this.stage.getBoundingClientRect();
    this.slider.value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
    this.#place();
  }
}

/** @param {string} name @param {import("./samples.js").Coded} coded */
function said(name, coded) {
  return `${name}: ${bytes(coded.bytes)}, ${coded.psnr.toFixed(1)} dB`;
}
