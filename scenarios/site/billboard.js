// The large title on top of home: artwork first, its trailer a little later.

import { picture } from "./artwork.js";
import { el, pause, silentVideo, start } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";
import { settings } from "./settings.js";

export class Billboard {
  #title;
  #art = el("div", { class: "billboard-art" });
  #video;
  #due = false;
  #inView = true;
  #area;

  // `area` gives the elements among which the arrow keys move, while home is in front.
  constructor(title, actions, area) {
    this.#title = title;
    this.#area = area;
    this.#video = silentVideo(title.clip, { class: "billboard-video", "aria-label": `Trailer of ${title.name}` });
    const more = el("div", { class: "billboard-more" },
      el("p", { class: "billboard-facts" }, `${title.year}  ·  ${title.rating}  ·  ${title.length}  ·  ${title.tags.join(", ")}`),
      el("p", { class: "billboard-synopsis" }, title.synopsis));
    this.#video.addEventListener("playing", () => {
      // The name comes down to where the words were.
      this.element.style.setProperty("--down", `${more.offsetHeight}px`);
      this.element.classList.add("trailer");
    });
    this.element = el("section", { class: "billboard", "aria-label": `Featured: ${title.name}` },
      this.#art,
      this.#video,
      el("div", { class: "billboard-shade" }),
      el("div", { class: "billboard-words" },
        el("p", { class: "billboard-kicker" }, "A Lumen film"),
        el("h1", { class: "billboard-name" }, title.name),
        more,
        el("div", { class: "billboard-buttons" },
          el("button", { class: "solid-button", "aria-label": "Play", onclick: () => actions.play(title) }, icon("play"), "Play"),
          el("button", { class: "soft-button", "aria-label": "More info", onclick: () => actions.detail(title) }, icon("info"), "More info"))),
      el("span", { class: "billboard-rating" }, title.rating),
    );
    // Scrolled out by half, the trailer waits.
    new IntersectionObserver(([entry]) => {
      this.#inView = entry.intersectionRatio >= 0.5;
      if (foreground.isFront(this)) this.resume();
    }, { threshold: 0.5 }).observe(this.element);
  }

  // Paints the artwork; resolves once it can be shown.
  async paint() {
    const height = Math.round((window.innerWidth * 0.75 * 9) / 16);
    this.#art.append(await picture(this.#title, Math.round(window.innerWidth * 0.75), height, { lettered: false }));
  }

  async start() {
    await pause(settings.billboardDelay);
    this.#due = true;
    if (foreground.isFront(this)) this.resume();
  }

  resume() {
    if (this.#due && this.#inView && !document.hidden) start(this.#video);
    else this.pause();
  }

  pause() {
    this.#video.pause();
  }

  area() {
    return this.#area();
  }
}
