// Of the buttons in the head of a table, and of those in its rows, Tab reaches one; the arrow keys go to the others.
const groups = document.querySelectorAll("table.sort thead, table.sort tbody");
const shownIn = (group) => [...group.querySelectorAll("button")].filter((each) => each.checkVisibility());
const stopAt = (group, button) => {
  for (const each of group.querySelectorAll("button")) each.tabIndex = each === button ? 0 : -1;
};
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
for (const group of groups) {
  const buttons = group.querySelectorAll("button");
  for (const each of buttons) each.setAttribute("aria-keyshortcuts", "ArrowUp ArrowDown");
  if (buttons.length) stopAt(group, buttons[0]);
  group.addEventListener("focusin", (event) => { if (event.target.matches("button")) stopAt(group, event.target); });
  group.addEventListener("keydown", (event) => {
    const shown = shownIn(group), at = shown.indexOf(event.target);
    if (at < 0 || !(event.key in STEPS)) return;
    shown[Math.min(shown.length - 1, Math.max(0, at + STEPS[event.key]))].focus();
    event.preventDefault();
  });
}
// A filter may hide the button that Tab reaches.
for (const kind of ["input", "click", "pointerup"]) {
  document.addEventListener(kind, () => {
    for (const group of groups) {
      const shown = shownIn(group);
      if (shown.length && !shown.some((each) => each.tabIndex === 0)) stopAt(group, shown[0]);
    }
  });
}
