// The search field in the header and the page of results behind it.

import { search as matching } from "./catalogue.js";
import { el } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";
import { buildCard } from "./rows.js";

export class Search {
  #home;
  #actions;
  #scrolled = 0;
  #cards = new Map();
  #asked = 0;
  #grid = el("div", { class: "results" });
  #said = el("p", { class: "results-said", role: "status" });

  isOpen = false;
  onchange = () => {};

  constructor(home, actions) {
    this.#home = home;
    this.#actions = actions;
    this.input = el("input", {
      type: "text", class: "search-input", "aria-label": "Search titles", placeholder: "Titles, genres, moods",
      autocomplete: "off", spellcheck: "false", tabindex: "-1", oninput: () => this.#look(),
    });
    this.button = el("button", { class: "plain", "aria-label": "Search", onclick: () => this.#expand() }, icon("search", 22));
    this.field = el("div", { class: "search-field", role: "search" }, this.button, this.input);
    this.element = el("main", { class: "search-page", "aria-label": "Search results", hidden: true }, this.#said, this.#grid);
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      if (event.key === "Enter") this.#grid.querySelector(".card")?.click();
    });
    this.input.addEventListener("blur", () => {
      if (!this.isOpen) this.#collapse();
    });
  }

  #expand() {
    this.field.classList.add("wide");
    this.input.tabIndex = 0;
    this.input.focus();
  }

  #collapse() {
    this.field.classList.remove("wide");
    this.input.tabIndex = -1;
  }

  async #look() {
    const query = this.input.value.trim();
    if (!query) return this.#leave();
    const asked = ++this.#asked;
    const found = matching(query);
    const cards = await Promise.all(found.map((title) => this.#card(title)));
    // A later key may have been faster.
    if (asked !== this.#asked) return;
    this.#said.textContent = found.length ? `Results for “${query}”` : `Nothing here matches “${query}”`;
    const before = new Set(this.#grid.children);
    for (const card of cards) card.classList.toggle("arriving", !before.has(card));
    this.#grid.replaceChildren(...cards);
    this.#show();
  }

  async #card(title) {
    if (!this.#cards.has(title)) this.#cards.set(title, await buildCard(title, this.#actions));
    return this.#cards.get(title);
  }

  #show() {
    if (this.isOpen) return;
    this.isOpen = true;
    this.#scrolled = window.scrollY;
    foreground.enter(this);
    this.#home.hidden = true;
    this.element.hidden = false;
    window.scrollTo(0, 0);
    this.onchange();
  }

  #leave() {
    this.#asked += 1;
    if (!this.isOpen) return;
    this.isOpen = false;
    this.element.hidden = true;
    this.#home.hidden = false;
    window.scrollTo(0, this.#scrolled);
    foreground.leave(this);
    this.onchange();
  }

  close() {
    this.input.value = "";
    this.#leave();
    this.#collapse();
    this.input.blur();
  }

  pause() {}

  resume() {}

  key(event) {
    if (event.key === "Escape") this.close();
  }
}
