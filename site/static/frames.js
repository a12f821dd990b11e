// Sliders without Python: each position of the controls has its picture, drawn beforehand, and the picture's words.
"use strict";

for (const figure of document.querySelectorAll(".frames")) {
  const picture = figure.querySelector("img");
  const frames = JSON.parse(figure.dataset.frames); // [address, words]; the last control moves fastest
  const controls = [...figure.querySelectorAll("[data-positions]")];
  let wanted = null;

  const position = (control) => Number(control.querySelector("input[type=range], input:checked").value);

  function show() {
    const number = controls.reduce((sum, control) => sum * Number(control.dataset.positions) + position(control), 0);
    const [address, words] = frames[number];
    const next = new Image();
    wanted = next;
    next.src = address;
    const swap = () => {
      if (wanted !== next) return; // moved on meanwhile
      picture.src = address;
      picture.alt = words;
    };
    next.decode().then(swap, swap);
  }

  function say(slider) {
    const said = JSON.parse(slider.dataset.said)[Number(slider.value)];
    slider.setAttribute("aria-valuetext", said);
    slider.nextElementSibling.textContent = said;
  }

  figure.addEventListener("input", (event) => {
    if (event.target.type === "range") say(event.target);
    show();
  });

  // Whoever reaches for a control gets all frames; whoever only reads gets one.
  const fetchAll = () => frames.forEach(([address]) => { new Image().src = address; });
  for (const reach of ["pointerenter", "focusin", "touchstart"]) {
    figure.querySelector(".frames-controls").addEventListener(reach, fetchAll, { once: true, passive: true });
  }
  figure.querySelector(".frames-controls").hidden = false;
}
