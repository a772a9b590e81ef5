// The bar on top: sections, search, and who is watching.

import { el } from "./element.js";
import { face, wordmark } from "./gate.js";
import { icon } from "./icons.js";

const SECTIONS = ["Home", "Series", "Films", "New and popular", "My list"];

export function buildHeader(search) {
  const who = el("button", { class: "who", "aria-label": "Account" });
  const section = (name, index) =>
    el("button", {
      class: "section", "aria-label": name, "aria-current": index === 0 && "page",
      onclick: () => { search.close(); window.scrollTo({ top: 0, behavior: "smooth" }); },
    }, name);
  const element = el("header", { class: "header" },
    wordmark(),
    el("nav", { "aria-label": "Sections" }, SECTIONS.map(section)),
    search.field,
    el("button", { class: "plain", "aria-label": "News" }, icon("bell", 22)),
    who,
  );
  const shade = () => element.classList.toggle("solid", window.scrollY > 10 || search.isOpen);
  window.addEventListener("scroll", shade, { passive: true });
  search.onchange = shade;
  const greet = (person) => who.replaceChildren(face(person));
  return { element, greet };
}
