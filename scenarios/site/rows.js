// Rows of titles that are paged sideways, and the cards that stand in them.

import { picture } from "./artwork.js";
import { el } from "./element.js";
import { icon } from "./icons.js";
import { px } from "./unit.js";

const MARGIN = 60;
const GAP = 8;
const RANK = 76; // what the large number takes of a ranked card's width

// How many cards a page shows, and a card's size in whole pixels.
function cardSize() {
  const perPage = window.innerWidth >= 1600 ? 6 : window.innerWidth >= 1000 ? 5 : window.innerWidth >= 700 ? 4 : 3;
  const gap = px(GAP);
  const width = Math.floor((window.innerWidth - 2 * px(MARGIN) + gap) / perPage) - gap;
  return { perPage, gap, width, height: Math.round((width * 9) / 16) };
}

const shown = new WeakMap();

// The title that a card shows.
export const titleOf = (card) => shown.get(card);

// All cards are of one size; another window gives them another.
function layOut() {
  const { width, height, gap } = cardSize();
  for (const [name, value] of Object.entries({ "card-width": width, "card-height": height, "card-gap": gap })) {
    document.documentElement.style.setProperty(`--${name}`, `${value}px`);
  }
}
layOut();
window.addEventListener("resize", layOut);

// A card: a button with the title's picture. A click opens the title's details.
export async function buildCard(title, actions, { progress = false, rank = 0 } = {}) {
  const { width, height } = cardSize();
  const beside = rank ? px(RANK) : 0;
  const card = el("button", {
    class: rank ? "card ranked" : "card", "aria-label": title.name, onclick: () => actions.detail(title),
  },
    rank > 0 && el("span", { class: "rank", "aria-hidden": "true" }, String(rank)),
    await picture(title, width - beside, height),
    progress && el("span", { class: "watched" }, el("span", { style: `width: ${Math.round(title.watched * 100)}%` })),
  );
  shown.set(card, title);
  return card;
}

export function buildRows(list, actions) {
  return Promise.all(list.map((row) => buildRow(row, actions)));
}

async function buildRow({ name, titles, progress = false, ranked = false }, actions) {
  const cards = await Promise.all(
    titles.map((title, index) => buildCard(title, actions, { progress, rank: ranked ? index + 1 : 0 })),
  );
  const track = el("div", { class: "track" }, cards);
  const marks = el("div", { class: "page-marks", "aria-hidden": "true" });
  const previous = el("button", { class: "pager pager-left", "aria-label": `Previous page of ${name}`, onclick: () => turn(page - 1) }, icon("left", 30));
  const next = el("button", { class: "pager pager-right", "aria-label": `Next page of ${name}`, onclick: () => turn(page + 1) }, icon("right", 30));
  let page = 0;

  // Shows a page; past the last comes the first.
  function turn(wanted) {
    const { perPage, width, gap } = cardSize();
    const pages = Math.ceil(titles.length / perPage);
    page = (wanted + pages) % pages;
    // The last page stands flush right, so it never shows a gap.
    const first = Math.min(page * perPage, Math.max(0, titles.length - perPage));
    track.style.transform = `translateX(${-first * (width + gap)}px)`;
    cards.forEach((card, index) => {
      card.tabIndex = index >= first && index < first + perPage ? 0 : -1;
    });
    marks.replaceChildren(...Array.from({ length: pages }, (_, index) =>
      el("span", { class: index === page ? "page-mark current" : "page-mark" })));
    previous.hidden = page === 0;
    next.hidden = pages === 1;
  }

  // The arrow keys turn the page where a card's neighbour is on another one.
  function walk(event) {
    const at = cards.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at < 0 || !step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!cards[at + step]) return;
    if (cards[at + step].tabIndex < 0) turn(page + step);
    cards[at + step].focus({ preventScroll: true });
  }

  turn(0);
  window.addEventListener("resize", () => turn(0));
  return el("section", { class: "row", "aria-label": name, onkeydown: walk },
    el("div", { class: "row-head" }, el("h2", {}, name), marks),
    el("div", { class: "row-window" }, previous, track, next),
  );
}
