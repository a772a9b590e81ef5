// Moves the focus with the arrow keys, as a remote control does.

import { settings } from "./settings.js";

const FOCUSABLE = "button, input, a[href], [tabindex]";
const SAME_ROW = 24; // pixels by which tops of one row may differ

const WAYS = {
  ArrowLeft: { along: "x", sign: -1 },
  ArrowRight: { along: "x", sign: 1 },
  ArrowUp: { along: "y", sign: -1 },
  ArrowDown: { along: "y", sign: 1 },
};

export const isArrow = (key) => key in WAYS;

const candidates = (roots) =>
  roots
    .flatMap((root) => [...root.querySelectorAll(FOCUSABLE)])
    .filter((element) => element.tabIndex >= 0 && !element.disabled && !element.matches(".pager")
      && !element.closest("[inert]") && element.checkVisibility({ visibilityProperty: true }));

// Where an element lies on the page. The header hovers; for the arrows it is the page's top.
function place(element) {
  const box = element.getBoundingClientRect();
  const scrolled = element.closest(".header") ? 0 : window.scrollY;
  const top = box.top + scrolled;
  return { left: box.left, right: box.right, top, bottom: top + box.height, middle: (box.left + box.right) / 2 };
}

const overlap = (one, other) => Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;

// Sideways, the nearest in the same line; up and down, the nearest in the nearest row.
function nearest(from, others, { along, sign }) {
  const ahead = others.map((element) => ({ element, at: place(element) }));
  if (along === "x") {
    return ahead
      .filter(({ at }) => overlap(from, at) && sign * (at.middle - from.middle) > 1)
      .sort((one, other) => sign * (one.at.middle - other.at.middle))[0];
  }
  const far = ({ at }) => (sign > 0 ? at.top - from.bottom : from.top - at.bottom);
  const rows = ahead.filter((other) => far(other) > -SAME_ROW / 2 && sign * (other.at.top - from.top) > 1);
  const first = Math.min(...rows.map(far));
  return rows
    .filter((other) => far(other) <= first + SAME_ROW)
    .sort((one, other) => Math.abs(one.at.middle - from.middle) - Math.abs(other.at.middle - from.middle))[0];
}

// Shows what has the focus: the top of the page for what lies there, else the middle.
function reveal(element) {
  const { scrolling: behavior } = settings;
  if (element.closest(".header, .billboard")) window.scrollTo({ top: 0, behavior });
  else element.scrollIntoView({ block: "center", inline: "nearest", behavior });
}

function isSeen(element) {
  const box = element.getBoundingClientRect();
  return box.top >= 0 && box.bottom <= window.innerHeight && !element.closest(".header");
}

// Moves the focus within `roots` for an arrow key; says whether there was somewhere to go.
export function move(key, roots) {
  const all = candidates(roots);
  const now = document.activeElement;
  if (!all.includes(now)) {
    const start = all.find(isSeen) ?? all[0];
    start?.focus({ preventScroll: true });
    return Boolean(start);
  }
  // In a text field, left and right belong to the text.
  if (now.matches("input") && WAYS[key].along === "x") return false;
  const found = nearest(place(now), all.filter((other) => other !== now), WAYS[key]);
  if (!found) return false;
  found.element.focus({ preventScroll: true });
  reveal(found.element);
  return true;
}
