// What the viewer keeps, for as long as the page lives.

import { el } from "./element.js";
import { icon } from "./icons.js";

const kept = new Set();

// The titles that are kept, the last first.
export const keptTitles = () => [...kept].reverse();

// A round button that keeps a title, or lets it go.
export function keepButton(title) {
  const button = el("button", { class: "round", onclick: toggle });
  function show() {
    const isKept = kept.has(title);
    button.setAttribute("aria-label", isKept ? `Remove ${title.name} from my list` : `Add ${title.name} to my list`);
    button.replaceChildren(icon(isKept ? "check" : "plus", 20));
  }
  function toggle() {
    if (!kept.delete(title)) kept.add(title);
    show();
  }
  show();
  return button;
}

export function likeButton(title) {
  const button = el("button", { class: "round", "aria-label": `Like ${title.name}`, "aria-pressed": "false" }, icon("heart", 20));
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  });
  return button;
}
