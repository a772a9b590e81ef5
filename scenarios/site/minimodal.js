// The preview that grows out of a card under the pointer.

import { picture } from "./artwork.js";
import { arrived, el, release, silentVideo, start } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";
import { keepButton, likeButton } from "./mylist.js";
import { titleOf } from "./rows.js";
import { settings } from "./settings.js";
import { px } from "./unit.js";

const WIDTH = 320;
const PICTURE = 180;
const HEIGHT = 306;
const EDGE = 16;

// Watches the pointer for as long as the page lives.
export function previewOnHover(actions) {
  let card = null;
  let timer = 0;
  let preview = null;

  const forget = () => { clearTimeout(timer); card = null; };
  const close = () => { forget(); preview?.close(); preview = null; };
  const within = {
    play: (title) => { actions.play(title); close(); },
    // The detail window comes in front first, so that nothing behind starts in between.
    detail: (title) => { actions.detail(title); close(); },
  };

  // Only a pointer that moves on a card looks at it. One that rests while a window closes or
  // a page scrolls gets cards below it that nobody asked for.
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const under = event.target.closest?.(".card") ?? null;
    if (under === card) return;
    forget();
    if (!under || preview) return;
    card = under;
    timer = setTimeout(() => {
      preview = new Preview(under, within, close);
      card = null;
    }, settings.hoverDelay);
  });
  document.addEventListener("pointerover", (event) => {
    if (card && !card.contains(event.target)) forget();
  });
  // A card that is pressed or scrolled away is not looked at.
  document.addEventListener("pointerdown", forget);
  window.addEventListener("scroll", close, { passive: true });
  window.addEventListener("resize", close);
}

class Preview {
  #video;
  #open = true;

  constructor(card, actions, close) {
    const title = titleOf(card);
    this.close = this.#close.bind(this);
    this.dismiss = close;
    this.#video = silentVideo(title.clip, { class: "preview-video", "aria-label": `Preview of ${title.name}` });
    const [width, pictureHeight, height] = [px(WIDTH), px(PICTURE), px(HEIGHT)];
    const art = el("button", { class: "preview-art", "aria-label": `Details of ${title.name}`, onclick: () => actions.detail(title) }, this.#video);
    picture(title, width, pictureHeight).then((image) => art.prepend(image));

    const box = card.getBoundingClientRect();
    const clamp = (value, size, span) => Math.round(Math.min(Math.max(value, EDGE), span - size - EDGE));
    const left = clamp(box.left + box.width / 2 - width / 2, width, window.innerWidth);
    const top = clamp(box.top + box.height / 2 - height / 2, height, window.innerHeight);
    this.element = el("div", {
      class: "preview", role: "dialog", "aria-label": `Preview of ${title.name}`, onpointerleave: close,
      style: `left: ${left}px; top: ${top}px; width: ${width}px; height: ${height}px; --picture: ${pictureHeight}px; --from: ${box.width / width}`,
    },
      art,
      el("div", { class: "preview-buttons" },
        el("button", { class: "round filled", "aria-label": `Play ${title.name}`, onclick: () => actions.play(title) }, icon("play", 20)),
        keepButton(title),
        likeButton(title),
        el("button", { class: "round to-the-right", "aria-label": `More about ${title.name}`, onclick: () => actions.detail(title) }, icon("down", 20))),
      el("p", { class: "facts" },
        el("strong", { class: "match" }, `${title.match}% match`),
        el("span", { class: "rating" }, title.rating),
        el("span", {}, title.length)),
      el("p", { class: "tags" }, title.tags.join("  •  ")),
    );
    document.body.append(this.element);
    foreground.enter(this);
    this.#grow();
  }

  async #grow() {
    this.element.getBoundingClientRect(); // lays out the small state, or nothing would grow
    this.element.classList.add("open");
    await arrived(this.element);
    // From here on no transform is left, so the video plays on whole pixels.
    if (!this.#open) return;
    this.element.classList.add("settled");
    this.#video.addEventListener("playing", () => this.#video.classList.add("shown"), { once: true });
    this.resume();
  }

  async #close() {
    if (!this.#open) return;
    this.#open = false;
    this.#video.pause();
    this.element.classList.remove("settled");
    this.element.classList.add("leaving");
    foreground.leave(this);
    await arrived(this.element);
    release(this.#video);
    this.element.remove();
  }

  resume() {
    if (this.#open && this.element.classList.contains("settled")) start(this.#video);
  }

  pause() {
    this.#video.pause();
  }

  area() {
    return [this.element];
  }

  key(event) {
    if (event.key === "Escape") this.dismiss();
  }
}
