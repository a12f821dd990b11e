/** The controls for making a file: a photo, a quality, the same photo once more, and the file that is made. */

import { keep } from "./saving.js";

export class Making {
  /** @type {File | undefined} the newest that could be read */
  #photo;
  /** @type {{name: string, blob: Blob} | undefined} */
  #made;

  /**
   * @param {(id: string) => HTMLElement} element gives the page's element of that id
   * @param {(photo: File, quality: number) => void} onPhoto
   */
  constructor(element, onPhoto) {
    this.onPhoto = onPhoto;
    this.choose = /** @type {HTMLButtonElement} */ (element("choose-photo"));
    this.chooser = /** @type {HTMLInputElement} */ (element("photo"));
    this.quality = /** @type {HTMLInputElement} */ (element("quality"));
    this.value = element("quality-value"); // for the eye: a screen reader says the slider's value by itself
    this.again = /** @type {HTMLButtonElement} */ (element("again"));
    this.download = /** @type {HTMLButtonElement} */ (element("download"));
    this.choose.addEventListener("click", () => this.chooser.click());
    this.chooser.addEventListener("change", () => {
      const photo = this.chooser.files?.[0];
      this.chooser.value = ""; // so that the same photo can be chosen again
      if (photo) this.take(photo);
    });
    this.quality.addEventListener("input", () => this.#showQuality());
    this.again.addEventListener("click", () => this.#photo && this.take(this.#photo));
    this.download.addEventListener("click", () => this.#made && keep(this.#made.blob, this.#made.name));
    this.#showQuality(); // a browser may have kept another one when it loads the page again
  }

  /** @param {File} photo */
  take(photo) {
    this.onPhoto(photo, Number(this.quality.value));
  }

  /** It can be read, so it can be encoded once more, in another quality. @param {File} photo */
  remember(photo) {
    this.#photo = photo;
    this.again.textContent = `Encode ${photo.name} again`;
    this.again.hidden = false;
  }

  /** @param {string} name @param {Uint8Array} file */
  offer(name, file) {
    const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (file); // of memory that is not shared
    this.#made = { name, blob: new Blob([bytes]) };
    this.download.textContent = `Download ${name}`;
    this.download.hidden = false;
  }

  /** There is no file, or not any more. */
  forget() {
    this.#made = undefined;
    this.download.hidden = true;
  }

  disable() {
    this.choose.disabled = this.quality.disabled = true;
  }

  #showQuality() {
    this.value.textContent = this.quality.value;
  }
}
