// The bar on top: sections, search, news, and who is watching.

import { picture } from "./artwork.js";
import { find } from "./catalogue.js";
import { SECTIONS } from "./collection.js";
import { el } from "./element.js";
import { face, wordmark } from "./gate.js";
import { icon } from "./icons.js";
import { px } from "./unit.js";
import { settings } from "./settings.js";

const NEWS = [
  ["Neon Saints", "New season, all episodes"],
  ["The Long Thaw", "A film that you may like"],
  ["Dune Relay", "New episode this week"],
];

// `change` asks who is watching.
export function buildHeader({ pages, collection, search, actions, change }) {
  const who = el("button", { class: "who", "aria-label": "Account", onclick: change });
  const news = new News(actions);

  function home() {
    pages.home();
    window.scrollTo({ top: 0, behavior: settings.scrolling });
  }
  function go(name) {
    search.fold();
    collection.forget();
    if (name === "Home") home();
    else collection.open(name);
  }
  const sections = ["Home", ...Object.keys(SECTIONS)].map((name) =>
    el("button", { class: "section", "aria-label": name, onclick: () => go(name) }, name));

  const element = el("header", { class: "header" },
    wordmark(),
    el("nav", { "aria-label": "Sections" }, sections),
    search.field,
    news.element,
    who,
  );
  function show() {
    element.classList.toggle("solid", window.scrollY > 10 || pages.shown !== null);
    const current = pages.shown === collection ? collection.name : pages.shown ? null : "Home";
    for (const section of sections) {
      if (section.textContent === current) section.setAttribute("aria-current", "page");
      else section.removeAttribute("aria-current");
    }
  }
  window.addEventListener("scroll", show, { passive: true });
  pages.onchange = show;
  show();
  const greet = (person) => who.replaceChildren(face(person));
  return { element, greet };
}

// The bell, and what has come.
class News {
  #button = el("button", { class: "plain", "aria-label": "News", "aria-expanded": "false", onclick: () => this.#turn(this.#list.hidden) }, icon("bell", 22));
  #list = el("div", { class: "news-list", role: "group", "aria-label": "News", hidden: true });

  constructor(actions) {
    this.element = el("div", { class: "news", onkeydown: (event) => this.#key(event) }, this.#button, this.#list);
    this.#list.append(...NEWS.map(([name, said]) => {
      const title = find(name);
      const art = el("span", { class: "news-art" });
      picture(title, px(112), px(63)).then((image) => art.append(image));
      const open = () => { this.#turn(false); actions.detail(title); };
      return el("button", { class: "news-item", "aria-label": `${name}: ${said}`, onclick: open },
        art, el("span", {}, el("small", {}, said), el("strong", {}, name)));
    }));
    document.addEventListener("pointerdown", (event) => !this.element.contains(event.target) && this.#turn(false));
  }

  #turn(open) {
    this.#list.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
  }

  #key(event) {
    if (event.key !== "Escape" || this.#list.hidden) return;
    event.preventDefault();
    this.#turn(false);
    this.#button.focus();
  }
}
