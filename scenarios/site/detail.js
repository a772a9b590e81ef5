// The window with all about a title, its trailer on top.

import { picture } from "./artwork.js";
import { CAST, episodes, titles } from "./catalogue.js";
import { arrived, el, release, silentVideo, start } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";
import { keepButton, likeButton } from "./mylist.js";
import { openPlayer } from "./player.js";
import { random } from "./random.js";

const WIDTH = 850;
const PICTURE = 478;
const TILE = [246, 138];
const STILL = [144, 81];

export function openDetail(title) {
  return new Detail(title);
}

class Detail {
  #title;
  #video;
  #open = true;
  #settled = false;
  #before = document.activeElement;

  constructor(title) {
    this.#title = title;
    this.#video = silentVideo(title.clip, { class: "detail-video", "aria-label": `Trailer of ${title.name}` });
    const close = el("button", { class: "round detail-close", "aria-label": "Close", onclick: () => this.close() }, icon("close", 20));
    const art = el("div", { class: "detail-art" });
    const panel = el("section", {
      class: "detail", role: "dialog", "aria-modal": "true", "aria-label": title.name,
    },
      el("div", { class: "detail-top" }, art, this.#video, el("div", { class: "detail-shade" }),
        el("div", { class: "detail-words" },
          el("h2", { class: "detail-name" }, title.name),
          el("div", { class: "detail-buttons" },
            el("button", { class: "solid-button", "aria-label": "Play", onclick: () => this.#play(1) }, icon("play"), "Play"),
            keepButton(title),
            likeButton(title))),
        close),
      this.#about(),
      title.kind === "Series" && this.#episodes(),
      this.#more(),
    );
    this.element = el("div", {
      class: "detail-layer",
      onclick: (event) => event.target === this.element && this.close(),
    }, panel);
    picture(title, WIDTH, PICTURE, { lettered: false }).then((image) => {
      art.append(image);
      this.#show();
    });
  }

  async #show() {
    document.body.append(this.element);
    document.documentElement.classList.add("locked");
    foreground.enter(this);
    this.element.querySelector(".detail-close").focus({ preventScroll: true });
    this.element.getBoundingClientRect(); // lays out the closed state, or nothing would open
    this.element.classList.add("open");
    await arrived(this.element);
    this.#settled = true;
    if (!this.#open) return;
    this.element.classList.add("settled");
    this.#video.addEventListener("playing", () => this.#video.classList.add("shown"), { once: true });
    if (foreground.isFront(this)) this.resume();
  }

  #about() {
    const title = this.#title;
    const chance = random(`cast of ${title.name}`);
    const cast = [...CAST].sort(() => chance.next() - 0.5).slice(0, 3);
    return el("div", { class: "detail-about" },
      el("div", {},
        el("p", { class: "facts" },
          el("strong", { class: "match" }, `${title.match}% match`), el("span", {}, title.year),
          el("span", { class: "rating" }, title.rating), el("span", {}, title.length)),
        el("p", { class: "detail-synopsis" }, title.synopsis)),
      el("dl", {},
        el("dt", {}, "Cast"), el("dd", {}, cast.join(", ")),
        el("dt", {}, "Genres"), el("dd", {}, title.tags.join(", "))));
  }

  #episodes() {
    const title = this.#title;
    const line = (episode) => {
      const art = el("span", { class: "episode-art" });
      picture(title, ...STILL, { lettered: false, variant: episode.number }).then((image) => art.append(image));
      return el("button", { class: "episode", "aria-label": `Episode ${episode.number}: ${episode.name}`, onclick: () => this.#play(episode.number) },
        el("span", { class: "episode-number" }, String(episode.number)),
        art,
        el("span", { class: "episode-words" },
          el("span", { class: "episode-name" }, el("strong", {}, episode.name), el("span", {}, `${episode.minutes} min`)),
          el("span", { class: "episode-said" }, episode.synopsis)));
    };
    return el("div", { class: "detail-episodes" }, el("h3", {}, "Episodes"), episodes(title).map(line));
  }

  #more() {
    const shared = (other) => other.tags.filter((tag) => this.#title.tags.includes(tag)).length;
    const like = titles
      .filter((other) => other !== this.#title && shared(other))
      .sort((one, other) => shared(other) - shared(one))
      .slice(0, 6);
    const tile = (other) => {
      const art = el("div", { class: "more-art" });
      picture(other, ...TILE).then((image) => art.append(image));
      return el("button", { class: "more-tile", "aria-label": other.name, onclick: () => this.#replace(other) },
        art, el("span", { class: "facts" }, el("strong", { class: "match" }, `${other.match}% match`), el("span", { class: "rating" }, other.rating)),
        el("span", { class: "more-synopsis" }, other.synopsis));
    };
    return el("div", { class: "detail-more" }, el("h3", {}, "More like this"), el("div", { class: "more-grid" }, like.map(tile)));
  }

  #play(episode) {
    openPlayer(this.#title, episode);
    this.close();
  }

  #replace(other) {
    openDetail(other);
    this.close();
  }

  async close() {
    if (!this.#open) return;
    this.#open = false;
    this.#video.pause();
    this.element.classList.remove("open", "settled");
    await arrived(this.element);
    // What is behind starts again once it can be seen.
    foreground.leave(this);
    release(this.#video);
    this.element.remove();
    if (!document.querySelector(".detail-layer")) document.documentElement.classList.remove("locked");
    this.#before?.focus?.({ preventScroll: true });
  }

  resume() {
    if (this.#open && this.#settled) start(this.#video);
  }

  pause() {
    this.#video.pause();
  }

  area() {
    return [this.element];
  }

  key(event) {
    if (event.key === "Escape") this.close();
    if (event.key === "Tab") this.#keepFocus(event);
  }

  // Tab stays within the window.
  #keepFocus(event) {
    const buttons = [...this.element.querySelectorAll("button")];
    const edge = event.shiftKey ? buttons[0] : buttons[buttons.length - 1];
    if (document.activeElement !== edge) return;
    event.preventDefault();
    buttons.at(event.shiftKey ? -1 : 0).focus();
  }
}
