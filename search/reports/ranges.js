// Parallel coordinates: a range is drawn on an axis with the mouse, or set with the sliders below the chart. The marks of
// the trials outside of it are faded in every chart, and their rows are left out of the leaderboard.
for (const figure of document.querySelectorAll("figure[data-name=brush]")) {
  const plot = figure.querySelector(".plot"), svg = plot.querySelector("svg"), height = Number(svg.getAttribute("height"));
  const table = figure.querySelector("table"), names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const texts = new Map([...table.tBodies[0].rows].map((row) => [row.cells[0].textContent, row.cells]));
  const lines = [...svg.querySelectorAll("path[data-trial]")].map((path) => {
    let y = 0;
    const numbers = path.getAttribute("d").match(/-?(\d*\.)?\d+/g).map(Number);
    return { trial: path.dataset.trial, heights: numbers.filter((_, place) => place % 2).map((step) => (y += step)) };
  });
  const undrawn = (figure.dataset.undrawn?.split(",") ?? []).map((text) => {
    const [trial, ...heights] = text.split(" ");
    return { trial, heights: heights.map(Number) };
  });
  const trials = [...lines, ...undrawn];
  const marks = document.querySelectorAll(".plot [data-trial], table.sort tr[data-trial]");
  const ranges = names.map(() => null), boxes = [], sliders = [], middle = (axis) => (axis + 0.5) / names.length;
  const said = document.createElement("p"), clear = document.createElement("button"), row = document.createElement("div");
  const apply = () => {
    const limited = ranges.some(Boolean), inside = ({ heights }) => ranges.every((range, axis) =>
      !range || (heights[axis] >= range[0] - 0.5 && heights[axis] <= range[1] + 0.5));
    const kept = new Set(trials.filter(inside).map(({ trial }) => trial));
    for (const each of marks) each.classList.toggle("out", limited && !kept.has(each.dataset.trial));
    ranges.forEach((range, axis) => {
      boxes[axis]?.remove();
      if (range) boxes[axis] = draw(svg, "rect", { class: "brush", x: `${100 * middle(axis)}%`, width: 16,
        transform: "translate(-8 0)", y: range[0], height: range[1] - range[0] });
      sliders[axis].forEach((slider, end) => {
        slider.value = 100 * (1 - (range ?? [0, height])[1 - end] / height);
        const far = ({ heights }) => Math.abs(heights[axis] / height - 1 + slider.value / 100);
        const near = lines.reduce((best, line) => (far(line) < far(best) ? line : best));
        slider.setAttribute("aria-valuetext", `about ${texts.get(near.trial)?.[axis + 1].textContent}`);
      });
    });
    said.textContent = limited ? `${kept.size} of ${trials.length} trials` : "";
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
  clear.addEventListener("click", () => {
    if (document.activeElement === clear) summary.focus();  // a hidden button loses it
    ranges.fill(null);
    apply();
  });
  row.className = "brushed";
  row.append(said, clear);
  plot.after(details);
  (figure.closest(".scroll") ?? figure).after(row);
  apply();
}
