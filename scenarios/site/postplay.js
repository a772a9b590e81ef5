// What comes after a film: it shrinks into a corner, and the next title counts down.

import { picture } from "./artwork.js";
import { el } from "./element.js";
import { icon } from "./icons.js";
import { settings } from "./settings.js";

export class PostPlay {
  #player;
  #video;
  #timer = 0;
  #left = settings.countdown;

  // `next` is a title and its episode, or null; see following().
  constructor(player, stage, video, { title: next, episode }, actions) {
    this.#player = player;
    this.#video = video;
    const count = el("span", { class: "countdown" }, String(this.#left));
    const kicker = episode && episode.number > 1 ? "Next episode in " : "Next in ";
    const synopsis = episode ? episode.synopsis : next.synopsis;
    const play = el("button", { class: "solid-button", "aria-label": "Play next", onclick: actions.next },
      el("span", { class: "countdown-fill", "aria-hidden": "true" }), icon("play"), el("span", {}, "Play next"));
    const art = el("div", { class: "postplay-art" });
    this.element = el("section", { class: "postplay", "aria-label": "Up next" },
      art,
      el("div", { class: "postplay-shade" }),
      el("div", { class: "postplay-card" },
        el("p", { class: "postplay-kicker" }, kicker, count),
        el("h2", {}, next.name),
        episode && el("p", { class: "postplay-episode" }, `Episode ${episode.number}  ·  ${episode.name}`),
        el("p", { class: "facts" },
          el("strong", { class: "match" }, `${next.match}% match`), el("span", {}, next.year),
          el("span", { class: "rating" }, next.rating), el("span", {}, next.length)),
        el("p", { class: "postplay-synopsis" }, synopsis),
        el("div", { class: "postplay-buttons" },
          play,
          el("button", { class: "soft-button", "aria-label": "Watch credits", onclick: actions.credits }, "Watch credits"),
          el("button", { class: "soft-button", "aria-label": "Back to home", onclick: actions.back }, "Back to home"))),
    );
    stage.prepend(this.element);
    // The film's loop is the browser's: credits that end before the countdown do not go black.
    video.loop = true;
    picture(next, window.innerWidth, window.innerHeight, { lettered: false }).then((image) => {
      if (!this.element.isConnected) return;
      art.append(image);
      player.classList.add("with-postplay");
      play.focus({ preventScroll: true });
    });
    this.#timer = setInterval(() => {
      this.#left -= 1;
      count.textContent = String(Math.max(0, this.#left));
      if (this.#left <= 0) {
        this.#stop();
        actions.next();
      }
    }, 1000);
  }

  #stop() {
    clearInterval(this.#timer);
  }

  close() {
    this.#stop();
    this.#video.loop = false;
    this.#player.classList.remove("with-postplay");
    this.element.remove();
  }
}
