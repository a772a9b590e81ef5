// A page with the titles of one section, such as all series.

import { titles } from "./catalogue.js";
import { el } from "./element.js";
import { keptTitles } from "./mylist.js";
import { buildCard } from "./rows.js";

const NEW = 2025;

export const SECTIONS = {
  Series: () => titles.filter((title) => title.kind === "Series"),
  Films: () => titles.filter((title) => title.kind !== "Series"),
  "New and popular": () => titles.filter((title) => Number(title.year) === NEW).sort((one, other) => other.match - one.match),
  "My list": keptTitles,
};

export class Collection {
  #pages;
  #actions;
  #area;
  #asked = 0;
  #heading = el("h1", {});
  #grid = el("div", { class: "results" });
  #none = el("div", { class: "nothing", hidden: true },
    el("h2", {}, "Your list is empty"),
    el("p", {}, "Keep a title with the plus sign, and it waits for you here."));

  name = null;

  constructor(pages, actions, area) {
    this.#pages = pages;
    this.#actions = actions;
    this.#area = area;
    this.element = el("main", { class: "collection-page", hidden: true }, this.#heading, this.#grid, this.#none);
  }

  async open(name) {
    const asked = ++this.#asked;
    const cards = await Promise.all(SECTIONS[name]().map((title) => buildCard(title, this.#actions)));
    if (asked !== this.#asked) return;
    this.name = name;
    this.element.setAttribute("aria-label", name);
    this.#heading.textContent = name;
    this.#grid.replaceChildren(...cards);
    this.#none.hidden = cards.length > 0;
    this.#pages.show(this);
    this.#pages.onchange();
    window.scrollTo(0, 0);
  }

  // Whoever waits for a section no longer does.
  forget() {
    this.#asked += 1;
  }

  area() {
    return this.#area(this.element);
  }

  pause() {}

  resume() {}

  key(event) {
    if (event.key === "Escape") this.#pages.home();
  }
}
