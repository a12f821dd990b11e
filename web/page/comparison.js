/** The picture, and beside it, behind a divider that can be moved, the original or a JPEG. */

/**
 * What stands there. lic: a label; the others: labels, and addresses of pictures. There need not be a JPEG.
 * @typedef {{label: string, address: string}} Shown
 * @typedef {{width: number, height: number, lic: string, original: Shown, jpeg?: Shown}} Beside
 */

export class Comparison {
  /** @type {Record<string, HTMLImageElement>} */
  #pictures = {};
  /** @type {Record<string, string>} */
  #labels = {};

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
    this.choice = element("beside-choice");
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

  /** @param {Beside} beside */
  show({ width, height, lic, original, jpeg }) {
    this.hide();
    for (const [kind, shown] of Object.entries({ jpeg, original })) {
      if (!shown) continue;
      const picture = new Image(width, height);
      picture.src = shown.address;
      picture.alt = "";
      picture.draggable = false;
      this.#pictures[kind] = picture;
      this.#labels[kind] = shown.label;
      this.beside.append(picture);
    }
    this.leftLabel.textContent = lic;
    this.choice.hidden = !jpeg;
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
    if (this.choice.hidden) return "original";
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
