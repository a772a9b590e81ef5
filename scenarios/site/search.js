// The search field in the header and the page of results behind it.

import { search as matching } from "./catalogue.js";
import { el } from "./element.js";
import { icon } from "./icons.js";
import { buildCard } from "./rows.js";

const MORE = 6; // genres that are named beside the results
const IDEAS = ["City", "Space", "Family", "Mystery", "Night", "Wilderness"];

// Genres of these titles, the most frequent first.
function genres(list) {
  const count = new Map();
  for (const tag of list.flatMap((title) => title.tags)) count.set(tag, (count.get(tag) ?? 0) + 1);
  return [...count.keys()].sort((one, other) => count.get(other) - count.get(one));
}

export class Search {
  #pages;
  #actions;
  #area;
  #cards = new Map();
  #asked = 0;
  #said = el("p", { class: "results-said", role: "status" });
  #more = el("div", { class: "more-genres", role: "group", "aria-label": "More to explore" });
  #grid = el("div", { class: "results" });
  #none = el("div", { class: "nothing", hidden: true },
    icon("search", 56),
    el("h2", {}, "No such title"),
    el("p", {}, "Look for another word, a genre or a mood. Or begin with one of these:"),
    el("div", { class: "nothing-ideas" }, IDEAS.map((word) => this.#chip(word))));

  constructor(pages, actions, area) {
    this.#pages = pages;
    this.#actions = actions;
    this.#area = area;
    this.input = el("input", {
      type: "text", class: "search-input", "aria-label": "Search titles", placeholder: "Titles, genres, moods",
      autocomplete: "off", spellcheck: "false", tabindex: "-1", oninput: () => this.#look(),
    });
    this.button = el("button", { class: "plain", "aria-label": "Search", onclick: () => this.#expand() }, icon("search", 22));
    this.clear = el("button", { class: "plain search-clear", "aria-label": "Clear", hidden: true, onclick: () => this.#ask("") }, icon("close", 16));
    this.field = el("div", { class: "search-field", role: "search" }, this.button, this.input, this.clear);
    this.element = el("main", { class: "search-page", "aria-label": "Search results", hidden: true },
      this.#said, this.#more, this.#grid, this.#none);
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#grid.querySelector(".card")?.click();
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.close();
    });
    this.field.addEventListener("focusout", (event) => {
      if (!this.input.value && !this.field.contains(event.relatedTarget)) this.#collapse();
    });
  }

  get isOpen() {
    return this.#pages.shown === this;
  }

  #chip(word) {
    return el("button", { class: "chip", "aria-label": `Explore ${word}`, onclick: () => this.#ask(word) }, word);
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

  // Searches as if this had been typed.
  #ask(query) {
    this.#expand();
    this.input.value = query;
    this.#look();
  }

  async #look() {
    const query = this.input.value.trim();
    this.clear.hidden = this.input.value === "";
    const asked = ++this.#asked;
    if (!query) return this.#leave();
    const found = matching(query);
    const cards = await Promise.all(found.map((title) => this.#card(title)));
    // A later key may have been faster.
    if (asked !== this.#asked) return;
    this.#said.textContent = found.length ? `Results for “${query}”` : `Nothing here matches “${query}”`;
    this.#none.hidden = found.length > 0;
    this.#explore(query, found);
    const before = new Set(this.#grid.children);
    for (const card of cards) card.classList.toggle("arriving", !before.has(card));
    this.#grid.replaceChildren(...cards);
    this.#pages.show(this);
  }

  #explore(query, found) {
    const others = genres(found).filter((tag) => !tag.toLowerCase().startsWith(query.toLowerCase()));
    this.#more.hidden = others.length === 0;
    this.#more.replaceChildren("More to explore", ...others.slice(0, MORE).map((tag) => this.#chip(tag)));
  }

  async #card(title) {
    if (!this.#cards.has(title)) this.#cards.set(title, await buildCard(title, this.#actions));
    return this.#cards.get(title);
  }

  #leave() {
    if (this.isOpen) this.#pages.home();
  }

  // Empties the field and folds it.
  fold() {
    this.#asked += 1;
    this.input.value = "";
    this.clear.hidden = true;
    this.#collapse();
    this.input.blur();
  }

  // Shows what was there before.
  close() {
    this.fold();
    this.#leave();
  }

  area() {
    return this.#area(this.element);
  }

  pause() {}

  resume() {}

  key(event) {
    if (event.key === "Escape") this.close();
  }
}
