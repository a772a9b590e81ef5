// The player: a film in the whole window, and the controls that come with the mouse.

import { picture } from "./artwork.js";
import { after } from "./catalogue.js";
import { el, pause, release, silentVideo, start } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";
import { PostPlay } from "./postplay.js";
import { settings } from "./settings.js";

const SKIP = 10; // seconds
const CREDITS = 8; // seconds before the end, where no position is set

export function openPlayer(title) {
  return new Player(title);
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

class Player {
  #title;
  #video;
  #open = true;
  #ready = false;
  #hideTimer = 0;
  #stallTimer = 0;
  #postplay = null;
  #watchesCredits = false;
  #parts;

  constructor(title) {
    this.#title = title;
    this.#video = silentVideo(title.clip, { class: "player-video", "aria-label": title.name, loop: false });
    this.#parts = {
      toggle: el("button", { class: "player-button", "aria-label": "Pause", onclick: () => this.#toggle() }, icon("pause", 32)),
      time: el("span", { class: "player-time" }, "0:00"),
      left: el("span", { class: "player-time" }, "0:00"),
      played: el("span", { class: "seek-played" }),
      flash: el("div", { class: "player-flash", "aria-hidden": "true" }),
    };
    this.#parts.seek = el("div", {
      class: "seek", role: "slider", tabindex: "0", "aria-label": "Seek", "aria-valuemin": "0",
      onpointerdown: (event) => this.#drag(event),
      onpointermove: (event) => event.buttons === 1 && this.#drag(event),
    }, el("span", { class: "seek-line" }, this.#parts.played));
    this.element = el("section", { class: "player buffering unstarted", "aria-label": `Player: ${title.name}`, onmousemove: () => this.#showControls() },
      this.#video,
      el("div", { class: "spinner", role: "status", "aria-label": "Loading" }),
      this.#parts.flash,
      this.#controls(),
    );
    const video = this.#video;
    video.addEventListener("click", () => (this.#postplay ? this.#leavePostPlay() : this.#toggle()));
    video.addEventListener("timeupdate", () => {
      if (!video.seeking) this.#flowing();
      this.#tick();
    });
    video.addEventListener("seeked", () => this.#tick());
    video.addEventListener("loadedmetadata", () => {
      // The corner that the post-play shrinks it into has the film's own shape.
      video.style.setProperty("--shape", video.videoHeight / video.videoWidth);
      this.#tick();
    });
    video.addEventListener("waiting", () => this.#stalled());
    for (const event of ["playing", "pause", "seeked"]) video.addEventListener(event, () => this.#flowing());
    video.addEventListener("play", () => this.#showState());
    video.addEventListener("pause", () => this.#showState());
    video.addEventListener("ended", () => !this.#postplay && this.close());
    video.addEventListener("error", () => this.#failed());
    document.body.append(this.element);
    document.documentElement.classList.add("locked");
    foreground.enter(this);
    // Painted while the spinner turns, so that the post-play need not wait for it.
    picture(after(title), window.innerWidth, window.innerHeight, { lettered: false });
    this.#begin();
  }

  #controls() {
    const title = this.#title;
    const skip = (seconds, name, shape) =>
      el("button", { class: "player-button", "aria-label": name, onclick: () => this.#skip(seconds) }, icon(shape, 32));
    return el("div", { class: "player-controls" },
      el("div", { class: "player-top" },
        el("button", { class: "player-button", "aria-label": "Back to browse", onclick: () => this.close() }, icon("left", 30))),
      el("div", { class: "player-bottom" },
        el("div", { class: "player-line" }, this.#parts.time, this.#parts.seek, this.#parts.left),
        el("div", { class: "player-line" },
          this.#parts.toggle,
          skip(-SKIP, "Back 10 seconds", "rewind"),
          skip(SKIP, "Forward 10 seconds", "forward"),
          el("span", { class: "player-title" }, title.name, el("small", {}, title.kind === "Series" ? "  Episode 1" : `  ${title.year}`)),
          el("button", { class: "player-button", "aria-label": "Next title", onclick: () => this.#playNext() }, icon("next", 30)),
          el("button", { class: "player-button", "aria-label": "Subtitles" }, icon("speech", 30)))));
  }

  // The spinner turns until the film can play, and at least for a moment.
  async #begin() {
    const video = this.#video;
    const loaded = new Promise((resolve) => {
      if (video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA) resolve();
      else video.addEventListener("canplay", resolve, { once: true });
    });
    await Promise.all([loaded, pause(settings.buffering)]);
    if (!this.#open) return;
    this.#ready = true;
    if (foreground.isFront(this)) await start(video);
  }

  #failed() {
    if (!this.#open || !this.#video.hasAttribute("src")) return;
    this.element.classList.remove("buffering");
    this.element.append(el("p", { class: "player-failure", role: "alert" }, "This film cannot be played here."));
  }

  // A short stall, as after each seek, needs no spinner.
  #stalled() {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => {
      if (!this.#postplay) this.element.classList.add("buffering");
    }, 600);
  }

  #flowing() {
    clearTimeout(this.#stallTimer);
    if (!this.#ready) return;
    this.element.classList.remove("buffering");
    if (!this.#video.paused) this.element.classList.remove("unstarted");
  }

  #toggle() {
    if (!this.#ready || this.#postplay) return;
    const resumes = this.#video.paused;
    if (resumes) start(this.#video);
    else this.#video.pause();
    this.#flash(resumes ? "play" : "pause");
    this.#showControls();
  }

  #skip(seconds) {
    if (!this.#ready) return;
    this.#seek(this.#video.currentTime + seconds);
    this.#flash(seconds < 0 ? "rewind" : "forward");
    this.#showControls();
  }

  #seek(seconds) {
    const last = Math.max(0, (this.#video.duration || 0) - 0.5);
    this.#video.currentTime = Math.min(Math.max(0, seconds), last);
    this.#tick();
  }

  #drag(event) {
    const box = this.#parts.seek.getBoundingClientRect();
    this.#seek(((event.clientX - box.left) / box.width) * (this.#video.duration || 0));
    this.#showControls();
  }

  // A symbol in the middle that fades by itself.
  #flash(shape) {
    const { flash } = this.#parts;
    flash.replaceChildren(icon(shape, 40));
    flash.classList.remove("fading");
    flash.getBoundingClientRect(); // restarts the animation
    flash.classList.add("fading");
  }

  #showControls() {
    if (this.#postplay || !this.#ready) return;
    this.#tick(true);
    this.element.classList.add("with-controls");
    clearTimeout(this.#hideTimer);
    this.#hideTimer = setTimeout(() => this.#hideControls(), settings.controlsHide);
  }

  #hideControls() {
    if (!this.#video.paused) this.element.classList.remove("with-controls");
  }

  #showState() {
    const { toggle } = this.#parts;
    const { paused } = this.#video;
    toggle.setAttribute("aria-label", paused ? "Play" : "Pause");
    toggle.replaceChildren(icon(paused ? "play" : "pause", 32));
    if (!paused && this.element.classList.contains("with-controls")) this.#showControls();
  }

  #tick(showing = this.element.classList.contains("with-controls")) {
    const { currentTime, duration } = this.#video;
    // Controls that nobody sees are not moved.
    if (showing && duration) {
      const { seek, played, time, left } = this.#parts;
      played.style.width = `${((currentTime / duration) * 100).toFixed(2)}%`;
      time.textContent = clock(currentTime);
      left.textContent = clock(duration - currentTime);
      seek.setAttribute("aria-valuemax", String(Math.round(duration)));
      seek.setAttribute("aria-valuenow", String(Math.round(currentTime)));
      seek.setAttribute("aria-valuetext", `${clock(currentTime)} of ${clock(duration)}`);
    }
    const credits = settings.postplayAt === null ? duration - CREDITS : settings.postplayAt / 1000;
    if (currentTime >= credits) this.#enterPostPlay();
    else this.#watchesCredits = false;
  }

  #enterPostPlay() {
    if (this.#postplay || this.#watchesCredits || this.#video.paused || this.#video.seeking) return;
    this.element.classList.remove("with-controls", "buffering");
    this.#parts.flash.classList.remove("fading");
    this.#postplay = new PostPlay(this.element, this.#video, after(this.#title), {
      next: () => this.#playNext(),
      credits: () => this.#leavePostPlay(),
      back: () => this.close(),
    });
  }

  #leavePostPlay() {
    this.#watchesCredits = true;
    this.#postplay.close();
    this.#postplay = null;
  }

  #playNext() {
    openPlayer(after(this.#title));
    this.close();
  }

  close() {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#hideTimer);
    clearTimeout(this.#stallTimer);
    this.#postplay?.close();
    release(this.#video);
    this.element.remove();
    if (!document.querySelector(".player, .detail-layer")) document.documentElement.classList.remove("locked");
    foreground.leave(this);
  }

  resume() {
    if (this.#ready && this.#open) start(this.#video);
  }

  pause() {
    this.#video.pause();
  }

  key(event) {
    const onButton = document.activeElement?.closest?.(".player button");
    const act = {
      " ": () => !onButton && this.#toggle(),
      k: () => this.#toggle(),
      ArrowLeft: () => this.#skip(-SKIP),
      ArrowRight: () => this.#skip(SKIP),
      Escape: () => this.close(),
    }[event.key];
    if (!act) return;
    if (event.key !== " " || !onButton) event.preventDefault();
    act();
  }
}
