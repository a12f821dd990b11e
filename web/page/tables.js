/** The tables beside the picture. */

import { percent, seconds, whole } from "./words.js";

/**
 * Where the bytes are. They add up to the file's.
 * @param {HTMLTableElement} table
 * @param {import("./codec.js").Section[]} sections
 */
export function fillBytes(table, sections) {
  const total = sections.reduce((sum, section) => sum + section.bytes, 0);
  const most = Math.max(...sections.map((section) => section.bytes));
  const rows = sections.map((section) => {
    const line = row(section.name, whole(section.bytes), percent(section.bytes / total));
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.width = `${(3 * section.bytes) / most}em`;
    line.lastElementChild?.prepend(bar);
    return line;
  });
  fill(table, rows, row("the file", whole(total), ""));
}

/**
 * Where the time went.
 * @param {HTMLTableElement} table
 * @param {import("./codec.js").Seconds} spent
 */
export function fillSeconds(table, spent) {
  const { total, ...stages } = spent;
  const rows = Object.entries(stages).map(([stage, value]) => row(stage, seconds(value)));
  fill(table, rows, row("together", seconds(total)));
}

/** @param {HTMLTableElement} table @param {HTMLTableRowElement[]} rows @param {HTMLTableRowElement} last */
function fill(table, rows, last) {
  table.tBodies[0].replaceChildren(...rows);
  table.tFoot?.replaceChildren(last);
}

/** @param {string} name @param {string[]} values */
function row(name, ...values) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  line.append(head, ...values.map((value) => Object.assign(document.createElement("td"), { textContent: value })));
  return line;
}
