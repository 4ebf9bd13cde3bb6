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

// Parallel coordinates: a range is drawn on an axis with the mouse, or set with the sliders below the chart.
for (const figure of document.querySelectorAll("figure[data-name=brush]")) {
  const plot = figure.querySelector(".plot"), svg = plot.querySelector("svg"), height = Number(svg.getAttribute("height"));
  const table = figure.querySelector("table"), names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const texts = new Map([...table.tBodies[0].rows].map((row) => [row.cells[0].textContent, row.cells]));
  const lines = [...svg.querySelectorAll("path[data-trial]")].map((path) => {
    let y = 0;
    const numbers = path.getAttribute("d").match(/-?(\d*\.)?\d+/g).map(Number);
    return { path, heights: numbers.filter((_, place) => place % 2).map((step) => (y += step)) };
  });
  const ranges = names.map(() => null), boxes = [], sliders = [], middle = (axis) => (axis + 0.5) / names.length;
  const said = document.createElement("p"), clear = document.createElement("button"), row = document.createElement("div");
  const apply = () => {
    const kept = lines.filter(({ heights, path }) => {
      const out = ranges.some((range, axis) => range && (heights[axis] < range[0] - 0.5 || heights[axis] > range[1] + 0.5));
      path.classList.toggle("out", out);
      return !out;
    }).map(({ path }) => path.dataset.trial).sort((a, b) => a - b);
    ranges.forEach((range, axis) => {
      boxes[axis]?.remove();
      if (range) boxes[axis] = draw(svg, "rect", { class: "brush", x: `${100 * middle(axis)}%`, width: 16,
        transform: "translate(-8 0)", y: range[0], height: range[1] - range[0] });
      sliders[axis].forEach((slider, end) => {
        slider.value = 100 * (1 - (range ?? [0, height])[1 - end] / height);
        const far = ({ heights }) => Math.abs(heights[axis] / height - 1 + slider.value / 100);
        const near = lines.reduce((best, line) => (far(line) < far(best) ? line : best));
        slider.setAttribute("aria-valuetext", `about ${texts.get(near.path.dataset.trial)?.[axis + 1].textContent}`);
      });
    });
    const limited = ranges.some(Boolean), listed = kept.slice(0, 20).join(", ") + (kept.length > 20 ? ", …" : "");
    said.textContent = limited ? `${kept.length} of ${lines.length} trials${kept.length ? `: ${listed}` : ""}` : "";
    clear.hidden = !limited;
  };
  const set = (axis, range) => { ranges[axis] = range; apply(); };
  let from;  // where a range begins
  plot.addEventListener("pointerdown", (event) => {
    from = undefined;
    const box = svg.getBoundingClientRect();
    const axis = Math.floor((event.clientX - box.left) / box.width * names.length);
    const off = Math.abs(event.clientX - box.left - middle(axis) * box.width);
    if (event.button || event.pointerType === "touch" || off > 12 || !(axis in ranges)) return;
    from = { axis, y: event.clientY - box.top, moved: false, over: false };
    plot.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => {
    const y = event.clientY - svg.getBoundingClientRect().top;
    if (!from || from.over || (!from.moved && Math.abs(y - from.y) < 4)) return;
    from.moved = true;
    set(from.axis, [from.y, y].map((each) => Math.min(height, Math.max(0, each))).sort((a, b) => a - b));
  });
  plot.addEventListener("pointerup", () => {
    if (from && !from.moved) set(from.axis, null);
    if (from) from.over = true;
  });
  plot.addEventListener("click", (event) => { if (from) event.stopPropagation(); from = undefined; });
  const details = document.createElement("details"), summary = details.appendChild(document.createElement("summary"));
  summary.textContent = "Ranges";
  details.className = "ranges";
  names.forEach((name, axis) => {
    const group = details.appendChild(document.createElement("div"));
    group.append(name);
    sliders.push(["from", "to"].map((end, place) => {
      const slider = group.appendChild(document.createElement("input"));
      slider.type = "range";
      slider.setAttribute("aria-label", `${name} ${end}`);
      slider.addEventListener("input", () => {
        const [low, high] = sliders[axis].map((each) => height * (1 - each.value / 100));
        const moved = place ? high : low;
        set(axis, low - high > height - 1 ? null : low >= high ? [high, low] : [moved, moved]);
      });
      return slider;
    }));
  });
  said.setAttribute("role", "status");
  clear.textContent = "Clear";
  clear.addEventListener("click", () => { ranges.fill(null); apply(); });
  row.className = "brushed";
  row.append(said, clear);
  plot.after(details);
  plot.after(row);
  apply();
}

// The chart of the series that is chosen in a table: its values come as two characters each, from 0 to 4095.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
for (const source of document.querySelectorAll("script[data-series]")) {
  const { columns, series } = JSON.parse(source.textContent), figure = source.previousElementSibling.querySelector("figure");
  const svg = figure.querySelector(".plot > svg"), height = Number(svg.getAttribute("height"));
  const rows = [...document.querySelectorAll("tr[data-series]")], heading = source.parentElement.querySelector("h3");
  const share = (text, place) => {
    const [high, low] = [0, 1].map((offset) => LETTERS.indexOf(text[2 * place + offset]));
    return high < 0 ? undefined : (64 * high + low) / 4095;
  };
  const timeText = ([kind, first, step], place) => {
    if (kind === "list") return first[place];
    const at = first + step * place;
    if (kind === "step") return at.toLocaleString("en");
    const months = { month: [at, 1], end: [at + 1, 0] }[kind];
    const date = new Date(months ? Date.UTC(1970, ...months) : 1000 * at);
    return date.toISOString().slice(0, kind === "second" && at % 86400 ? 16 : 10).replace("T", " ");
  };
  const choose = (row) => {
    const one = series[row.dataset.series], across = (place) => 0.037 + 0.926 * place / Math.max(1, one.count - 1);
    const values = one.values.map((text) => Array.from({ length: one.count }, (_, place) => share(text.padStart(2 * one.count, "."), place)));
    const starts = new Set(one.starts), at = (place, value) => `${(1000 * across(place)).toFixed(0)} ${(height * (1 - value)).toFixed(1)}`;
    const path = (line, broken) => line.map((value, place) => value === undefined ? ""
      : `${line[place - 1] === undefined || (broken && starts.has(place)) ? "M" : "L"}${at(place, value)}`).join("");
    const area = (low, high) => {
      const runs = [];
      low.forEach((value, place) => {
        if (value === undefined) return;
        if (low[place - 1] === undefined || starts.has(place)) runs.push([]);
        runs.at(-1).push(place);
      });
      return runs.map((run) => `M${[...run.map((place) => at(place, high[place])), ...run.reverse().map((place) => at(place, low[place]))].join("L")}Z`).join("");
    };
    let next = 0;
    const shapes = columns.map(({ kind }) => kind === "band" ? area(values[next++], values[next++]) : path(values[next++], kind !== "actual"));
    svg.querySelectorAll(":scope > svg > path").forEach((each, place) => each.setAttribute("d", shapes[place]));
    const known = values.at(-1).findIndex((value) => value !== undefined) - 1;  // the last value before the first forecast
    svg.querySelectorAll(".rule").forEach((rule) => {
      rule.style.display = known < 0 ? "none" : "";
      for (const end of ["x1", "x2"]) rule.setAttribute(end, `${100 * across(Math.max(0, known))}%`);
    });
    const axes = svg.querySelector(".axes");
    axes.replaceChildren();
    const tick = (line, text, label) => {
      draw(axes, "line", { class: "grid", ...line });
      draw(axes, "text", { class: "", ...text }).textContent = label;
    };
    for (const [value, label] of one.y) {
      const y = height * (1 - value);
      tick({ x2: "100%", y1: y, y2: y }, { x: -8, y, dy: ".35em", "text-anchor": "end" }, label);
    }
    for (const [place, label] of one.x) {
      const x = `${100 * across(place)}%`;
      tick({ x1: x, x2: x, y2: height }, { x, y: height + 19, "text-anchor": "middle" }, label);
    }
    draw(axes, "line", { class: "base", x2: "100%", y1: height, y2: height });
    const digits = { minimumFractionDigits: one.decimals, maximumFractionDigits: one.decimals };
    const text = (value) => value === undefined ? "" : (one.low + value * (one.high - one.low)).toLocaleString("en", digits);
    figure.querySelector("tbody").replaceChildren(...Array.from({ length: one.count }, (_, place) => {
      const line = document.createElement("tr");
      let from = 0;
      const cells = columns.map(({ kind }) => {
        const [first, second] = [values[from++][place], kind === "band" ? values[from++][place] : undefined];
        return kind === "band" && first !== undefined ? `${text(first)} to ${text(second)}` : text(first);
      });
      line.dataset.at = across(place);
      for (const cell of [timeText(one.time, place), ...cells]) line.insertCell().textContent = cell;
      return line;
    }));
    const letters = Math.max(...one.y.map(([, label]) => label.length));
    svg.parentElement.style.paddingLeft = `${Math.max(34, Math.min(176, 6.7 * letters + 12))}px`;
    figure.dataset.y = `${one.low} ${one.high}`;
    figure.dispatchEvent(new Event("redrawn"));
    figure.querySelector(".axis-title").textContent = one.target;
    heading.textContent = one.name;
    for (const each of rows) {
      each.classList.toggle("chosen", each === row);
      each.querySelector("button").setAttribute("aria-pressed", each === row);
    }
  };
  for (const row of rows) {
    const cell = row.cells[0], button = document.createElement("button");
    button.append(...cell.childNodes);
    button.setAttribute("aria-pressed", row.classList.contains("chosen"));
    cell.append(button);
    row.addEventListener("click", () => { if (getSelection().isCollapsed) choose(row); });
  }
}
