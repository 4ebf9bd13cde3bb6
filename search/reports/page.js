"use strict";
// Values under the pointer: each row of a chart's data table has its place in the chart.
const readout = document.body.appendChild(document.createElement("div"));
readout.className = "readout";
readout.hidden = true;

const draw = (svg, name, attributes) => {
  const shape = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", name));
  for (const [key, value] of Object.entries({ class: "cursor", ...attributes })) shape.setAttribute(key, value);
  return shape;
};
const numberOf = (text) => parseFloat(text.replace(/[,\s]/g, "").replace("−", "-"));

for (const figure of document.querySelectorAll("figure.chart")) {
  const plot = figure.querySelector(".plot"), svg = plot.querySelector("svg");
  // The browser would show the title of a chart as a tooltip over the values.
  svg.setAttribute("aria-label", svg.querySelector("title").textContent);
  svg.querySelector("title").remove();
  let rows, cursor;
  const read = () => [...figure.querySelectorAll("tr[data-at]")].map((row) => {
    const [x, y] = row.dataset.at.split(" ").map(Number);
    return { x, y, cells: [...row.cells].map((cell) => cell.textContent) };
  });
  const hide = () => { readout.hidden = true; cursor?.remove(); };
  figure.addEventListener("redrawn", () => { rows = undefined; });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("pointermove", (event) => {
    rows ??= read();
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = 1 - (event.clientY - box.top) / box.height;
    const far = (row) => Math.hypot((row.x - x) * box.width, row.y === undefined ? 0 : (row.y - y) * box.height);
    const near = rows.reduce((best, row) => (best && far(best) <= far(row) ? best : row), undefined);
    hide();
    if (!near || far(near) > 40) return;
    cursor = near.y === undefined
      ? draw(svg, "line", { x1: `${100 * near.x}%`, x2: `${100 * near.x}%`, y2: "100%" })
      : draw(svg, "circle", { cx: `${100 * near.x}%`, cy: `${100 * (1 - near.y)}%`, r: 8 });
    const head = [...figure.querySelector("table").tHead.rows[0].cells].map((cell) => cell.textContent);
    let lines = near.cells.map((cell, place) => [head[place], cell]).filter(([, cell]) => cell);
    if (lines.length > 9) {
      const [low, high] = figure.dataset.y.split(" ").map(Number), at = low + y * (high - low);
      const closest = lines.slice(1).sort((a, b) => Math.abs(numberOf(a[1]) - at) - Math.abs(numberOf(b[1]) - at));
      lines = [lines[0], ...closest.slice(0, 3)];
    }
    readout.replaceChildren(...lines.map(([name, cell]) => {
      const line = document.createElement("div");
      line.textContent = name ? `${name}: ${cell}` : cell;
      return line;
    }));
    readout.hidden = false;
    const left = event.pageX + 14 + readout.offsetWidth > window.scrollX + document.documentElement.clientWidth
      ? event.pageX - 14 - readout.offsetWidth : event.pageX + 14;
    readout.style.left = `${Math.max(0, left)}px`;
    readout.style.top = `${event.pageY + 14}px`;
  });
}

for (const table of document.querySelectorAll("table.sort")) {
  const body = table.tBodies[0], value = (row, place) => row.cells[place].dataset.value ?? row.cells[place].textContent;
  [...table.tHead.rows[0].cells].forEach((cell, place) => {
    const button = document.createElement("button");
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const sign = cell.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const order = (a, b) => {
        const [left, right] = [value(a, place), value(b, place)], numbers = [numberOf(left), numberOf(right)];
        if (!left || !right) return left ? -1 : right ? 1 : 0;
        return sign * (numbers.some(Number.isNaN) ? left.localeCompare(right) : numbers[0] - numbers[1]);
      };
      body.append(...[...body.rows].sort(order));
    });
  });
  if (body.rows.length > 12) {
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "Filter rows";
    search.setAttribute("aria-label", `Filter rows: ${table.dataset.title ?? "table"}`);
    search.addEventListener("input", () => {
      const sought = search.value.toLowerCase();
      const text = (row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      for (const row of body.rows) row.hidden = !text(row).includes(sought);
    });
    table.parentElement.before(search);
  }
}

// A trial is pinned in every chart and table: by a click on it, or by the button with its number in a table.
const pins = document.querySelector("main").appendChild(document.createElement("div"));
let pinned;
pins.className = "pins";
pins.setAttribute("role", "status");
const pin = (trial) => {
  for (const each of document.querySelectorAll(".pinned")) each.classList.remove("pinned");
  for (const each of document.querySelectorAll("button[aria-pressed]"))
    each.setAttribute("aria-pressed", each.dataset.pins === trial);
  const marks = trial === undefined ? [] : document.querySelectorAll(`[data-trial="${trial}"]`);
  for (const each of marks) {
    each.classList.add("pinned");
    if (each.matches("path")) each.parentNode.parentNode.append(each.parentNode);  // above the others
  }
  const row = [...marks].find((each) => each.matches("table.sort tr"));
  pins.textContent = trial === undefined ? "" : `Trial ${trial} is pinned${row ? `: ${row.cells[1].textContent}` : ""}`;
  pinned = trial;
};
const toggle = (trial) => pin(pinned === trial ? undefined : trial);
const trialAt = (event) => {
  for (const far of [0, 3, 6]) {
    for (const [x, y] of [[far, 0], [-far, 0], [0, far], [0, -far]]) {
      const hit = document.elementFromPoint(event.clientX + x, event.clientY + y)?.closest(".plot [data-trial]");
      if (hit) return hit.dataset.trial;
    }
  }
  return event.target.closest("table.sort tr[data-trial]")?.dataset.trial;
};
document.addEventListener("click", (event) => {
  if (event.target.closest("a, button, input, summary") || !getSelection().isCollapsed) return;
  const trial = trialAt(event);
  if (trial !== undefined) toggle(trial);
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") pin(); });
for (const row of document.querySelectorAll("table.sort tr[data-trial]")) {
  const place = [...row.closest("table").tHead.rows[0].cells].findIndex((cell) => cell.textContent === "trial");
  const cell = row.cells[place], button = document.createElement("button");
  button.append(...cell.childNodes);
  button.dataset.pins = row.dataset.trial;
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-label", `Pin trial ${row.dataset.trial}`);
  button.addEventListener("click", () => toggle(row.dataset.trial));
  cell.append(button);
}

// A slider goes through the rows of a table, and pins their trials.
for (const table of document.querySelectorAll("table.slider")) {
  const rows = [...table.tBodies[0].rows], label = document.createElement("label"), slider = document.createElement("input");
  slider.type = "range";
  slider.max = rows.length - 1;
  slider.value = rows.findIndex((row) => row.className === "winner");
  const move = () => {
    const row = rows[slider.value];
    for (const each of rows) each.classList.toggle("chosen", each === row);
    slider.setAttribute("aria-valuetext", [...row.cells].map((cell, place) =>
      `${table.tHead.rows[0].cells[place].textContent} ${cell.textContent}`).join(", "));
  };
  slider.addEventListener("input", () => { move(); if (rows[slider.value].dataset.trial) pin(rows[slider.value].dataset.trial); });
  label.className = "slide";
  label.append(`${table.dataset.title}`, slider);
  table.parentElement.before(label);
  move();
}

// What scrolls can be scrolled with the keyboard.
const focusable = () => {
  for (const box of document.querySelectorAll(".scroll, pre")) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
focusable();
window.addEventListener("resize", focusable);
document.addEventListener("toggle", focusable, true);

for (const line of document.querySelectorAll(".copy")) {
  const button = line.appendChild(document.createElement("button"));
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const text = line.querySelector("code").textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch {
      getSelection().selectAllChildren(line.querySelector("code"));
    }
  });
}
