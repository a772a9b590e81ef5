// The player's seek bar: where the film is, and a picture of where the pointer is.

import { el } from "./element.js";
import { Thumbnails } from "./thumbnails.js";
import { px } from "./unit.js";

const WIDTH = 208;
const HEIGHT = 117;

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export class SeekBar {
  #video;
  #thumbnails;
  #onseek;
  #dragged = null; // position in seconds while the pointer holds the bar
  #pointed = null; // position in seconds under the pointer
  #played = el("span", { class: "seek-played" });
  #time = el("span", { class: "player-time" }, "0:00");
  #left = el("span", { class: "player-time" }, "0:00");
  #picture;
  #label = el("span", { class: "seek-label" });
  #preview;
  #bar;

  // Calls onseek with a position in seconds, when the pointer lets go.
  constructor(video, clip, onseek) {
    const [width, height] = [px(WIDTH), px(HEIGHT)];
    this.#video = video;
    this.#onseek = onseek;
    this.#thumbnails = new Thumbnails(clip, width, height);
    this.#thumbnails.ondrawn = () => this.#showPreview();
    this.#picture = el("canvas", { class: "seek-picture", width, height });
    this.#preview = el("span", { class: "seek-preview", "aria-hidden": "true", hidden: true }, this.#picture, this.#label);
    this.#bar = el("div", {
      class: "seek", role: "slider", tabindex: "0", "aria-label": "Seek", "aria-valuemin": "0",
      onpointerdown: (event) => this.#take(event),
      onpointermove: (event) => this.#point(event),
      onpointerup: () => this.#letGo(true),
      onpointercancel: () => this.#letGo(false),
      onpointerleave: () => this.#leave(),
    }, el("span", { class: "seek-line" }, this.#played), this.#preview);
    this.element = el("div", { class: "player-line" }, this.#time, this.#bar, this.#left);
  }

  // Whether the pointer is on the bar; the controls then stay.
  get isUsed() {
    return this.#pointed !== null || this.#dragged !== null;
  }

  // Shows the film's position.
  show() {
    const { currentTime, duration } = this.#video;
    if (!duration) return;
    const position = this.#dragged ?? currentTime;
    this.#played.style.width = `${((position / duration) * 100).toFixed(2)}%`;
    this.#time.textContent = clock(position);
    this.#left.textContent = clock(duration - position);
    this.#bar.setAttribute("aria-valuemax", String(Math.round(duration)));
    this.#bar.setAttribute("aria-valuenow", String(Math.round(position)));
    this.#bar.setAttribute("aria-valuetext", `${clock(position)} of ${clock(duration)}`);
  }

  #take(event) {
    if (event.button !== 0 || !this.#video.duration) return;
    this.#bar.setPointerCapture(event.pointerId);
    this.#dragged = 0;
    this.#point(event);
  }

  #point(event) {
    const { duration } = this.#video;
    if (!duration || event.pointerType === "touch" && this.#dragged === null) return;
    const box = this.#bar.getBoundingClientRect();
    this.#pointed = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration;
    if (this.#dragged !== null) {
      this.#dragged = this.#pointed;
      this.show();
    }
    this.#showPreview();
  }

  #letGo(seek) {
    if (this.#dragged === null) return;
    const position = this.#dragged;
    this.#dragged = null;
    if (seek) this.#onseek(position);
    else this.show();
  }

  #leave() {
    if (this.#dragged !== null) return;
    this.#pointed = null;
    this.#preview.hidden = true;
  }

  #showPreview() {
    if (this.#pointed === null) return;
    const { duration } = this.#video;
    const frame = this.#thumbnails.at(this.#pointed);
    const context = this.#picture.getContext("2d");
    if (frame) context.drawImage(frame, 0, 0);
    this.#preview.classList.toggle("drawn", frame !== null);
    this.#label.textContent = clock(this.#pointed);
    this.#preview.hidden = false;
    // Above the pointer, and within the bar.
    const width = this.#bar.clientWidth;
    const half = this.#preview.offsetWidth / 2;
    const middle = Math.min(Math.max((this.#pointed / duration) * width, half), width - half);
    this.#preview.style.left = `${Math.round(middle - half)}px`;
  }

  release() {
    this.#thumbnails.release();
  }
}
