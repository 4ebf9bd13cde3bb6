// The chart of the series that is chosen in a table: its values come as two characters each, from 0 to 4095, and those
// of intervals as differences from the forecast.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const unpacked = async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).json();
};
for (const source of document.querySelectorAll("script[data-series]")) {
  const data = unpacked(source.textContent), figure = source.previousElementSibling.querySelector("figure");
  const svg = figure.querySelector(".plot > svg"), height = Number(svg.getAttribute("height"));
  const rows = [...document.querySelectorAll("tr[data-series]")], heading = source.parentElement.querySelector("h3");
  const level = (text, place) => {
    const [high, low] = [0, 1].map((offset) => LETTERS.indexOf(text[2 * place + offset]));
    return high < 0 ? undefined : 64 * high + low;
  };
  const timeText = ([kind, first, step], place) => {
    if (kind === "list") return first[place];
    const at = first + step * place;
    if (kind === "step") return at.toLocaleString("en");
    const months = { month: [at, 1], end: [at + 1, 0] }[kind];
    const date = new Date(months ? Date.UTC(1970, ...months) : 1000 * at);
    return date.toISOString().slice(0, kind === "second" && at % 86400 ? 16 : 10).replace("T", " ");
  };
  const choose = async (row) => {
    const { kinds, series } = await data, one = series[row.dataset.series];
    const across = (place) => 0.037 + 0.926 * place / Math.max(1, one.count - 1);
    const levels = one.values.map((text) => Array.from({ length: one.count }, (_, place) => level(text.padStart(2 * one.count, "."), place)));
    const ends = 2 * kinds.filter((kind) => kind === "band").length;
    const values = levels.map((line, column) => line.map((value, place) => value === undefined ? undefined
      : (column < ends ? (value + levels.at(-1)[place]) % 4096 : value) / 4095));
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
    const shapes = kinds.map((kind) => kind === "band" ? area(values[next++], values[next++]) : path(values[next++], kind !== "actual"));
    svg.querySelectorAll(":scope > svg > path").forEach((each, place) => each.setAttribute("d", shapes[place]));
    const known = values.at(-1).findIndex((value) => value !== undefined) - 1;  // the last value before the first forecast
    svg.querySelectorAll(".rule").forEach((rule) => {
      rule.style.display = known < 0 ? "none" : "";
      for (const end of ["x1", "x2"]) rule.setAttribute(end, `${100 * across(Math.max(0, known))}%`);
    });
    const grid = svg.querySelector(".axes");
    grid.replaceChildren();
    const tick = (line, text, label) => {
      draw(grid, "line", { class: "grid", ...line });
      draw(grid, "text", { class: "", ...text }).textContent = label;
    };
    for (const [value, label] of one.y) {
      const y = height * (1 - value);
      tick({ x2: "100%", y1: y, y2: y }, { x: -8, y, dy: ".35em", "text-anchor": "end" }, label);
    }
    for (const [place, label] of one.x) {
      const x = `${100 * across(place)}%`;
      tick({ x1: x, x2: x, y2: height }, { x, y: height + 19, "text-anchor": "middle" }, label);
    }
    draw(grid, "line", { class: "base", x2: "100%", y1: height, y2: height });
    const digits = { minimumFractionDigits: one.decimals, maximumFractionDigits: one.decimals };
    const text = (value) => value === undefined ? "" : (one.low + value * (one.high - one.low)).toLocaleString("en", digits);
    figure.querySelector("tbody").replaceChildren(...Array.from({ length: one.count }, (_, place) => {
      const line = document.createElement("tr");
      let from = 0;
      const cells = kinds.map((kind) => {
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
    heading.nextElementSibling.textContent = one.text;
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
