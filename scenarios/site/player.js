// The player: a film in the whole window or a part of it, and the controls that come with
// the pointer.

import { picture } from "./artwork.js";
import { episodes, following } from "./catalogue.js";
import { el, pause, release, silentVideo, start } from "./element.js";
import * as foreground from "./foreground.js";
import { icon } from "./icons.js";
import { PostPlay } from "./postplay.js";
import { SeekBar } from "./seekbar.js";
import { settings } from "./settings.js";
import { isArrow, move } from "./spatial.js";
import { Subtitles } from "./subtitles.js";

const SKIP = 10; // seconds
const CREDITS = 8; // seconds before the end, where no position is set

// `number` is the episode, where the title is a series.
export function openPlayer(title, number = 1) {
  return new Player(title, number);
}

class Player {
  #title;
  #episode;
  #next;
  #video;
  #seekBar;
  #subtitles;
  #open = true;
  #ready = false;
  #held = false;
  #holdTimer = 0;
  #hideTimer = 0;
  #stallTimer = 0;
  #wasPlaying = true;
  #postplay = null;
  #watchesCredits = false;
  #parts;
  #stage;

  constructor(title, number) {
    this.#title = title;
    this.#episode = title.kind === "Series" ? episodes(title)[number - 1] : null;
    this.#next = following(title, this.#episode?.number);
    this.#video = silentVideo(title.clip, { class: "player-video", "aria-label": title.name, loop: false });
    const video = this.#video;
    this.#seekBar = new SeekBar(video, title.clip, (seconds) => this.#seek(seconds));
    this.#subtitles = new Subtitles(video, title);
    this.#parts = {
      toggle: this.#button("Pause", "pause", () => this.#toggle(), 32),
      speech: this.#button("Subtitles", "speech", () => this.#turnSubtitles()),
      size: this.#button("", "full", () => this.#turnSize()),
      flash: el("div", { class: "player-flash", "aria-hidden": "true" }),
      skipIntro: el("button", { class: "skip-intro", "aria-label": "Skip intro", onclick: () => this.#skipIntro() }, "Skip intro"),
    };
    this.#stage = el("div", { class: "stage" },
      video,
      this.#subtitles.element,
      el("div", { class: "spinner", role: "status", "aria-label": "Loading" }),
      this.#parts.flash,
      this.#parts.skipIntro,
      this.#controls(),
    );
    this.element = el("section", {
      class: "player buffering unstarted", "aria-label": `Player: ${title.name}`,
      onmousemove: () => this.#showControls(),
      // A button that was clicked does not keep the keys from the film.
      onclick: (event) => event.detail > 0 && !this.#postplay && document.activeElement?.blur(),
    }, this.#stage);
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
    for (const event of ["waiting", "seeking"]) video.addEventListener(event, () => this.#stalled());
    for (const event of ["playing", "pause", "seeked"]) video.addEventListener(event, () => this.#flowing());
    video.addEventListener("play", () => this.#showState());
    video.addEventListener("pause", () => this.#showState());
    video.addEventListener("ended", () => !this.#postplay && this.close());
    video.addEventListener("error", () => this.#failed());
    this.#mark();
    this.#resize(settings.windowed);
    this.#turnSubtitles(settings.subtitles);
    document.body.append(this.element);
    document.documentElement.classList.add("locked");
    foreground.enter(this);
    // Painted while the spinner turns, so that the post-play need not wait for it.
    picture(this.#next.title, window.innerWidth, window.innerHeight, { lettered: false });
    this.#begin();
  }

  #button(name, shape, act, size = 30) {
    return el("button", { class: "player-button", "aria-label": name, onclick: act }, icon(shape, size));
  }

  #controls() {
    const { toggle, speech, size } = this.#parts;
    const title = this.#title;
    const about = this.#episode ? `  Episode ${this.#episode.number}  ·  ${this.#episode.name}` : `  ${title.year}`;
    return el("div", { class: "player-controls" },
      el("div", { class: "player-top" }, this.#button("Back to browse", "left", () => this.close())),
      el("div", { class: "player-bottom" },
        this.#seekBar.element,
        el("div", { class: "player-line" },
          toggle,
          this.#button("Back 10 seconds", "rewind", () => this.#skip(-SKIP), 32),
          this.#button("Forward 10 seconds", "forward", () => this.#skip(SKIP), 32),
          el("span", { class: "player-title" }, title.name, el("small", {}, about)),
          this.#button(this.#next.title === title ? "Next episode" : "Next title", "next", () => this.#playNext()),
          speech,
          size)));
  }

  // What happens at certain positions stands in a track of its own.
  #mark() {
    const track = this.#video.addTextTrack("metadata");
    track.mode = "hidden";
    const { introFrom, introTo, stallAt } = settings;
    if (introTo > introFrom) {
      const intro = new VTTCue(introFrom / 1000, introTo / 1000, "intro");
      intro.onenter = () => this.element.classList.add("intro");
      intro.onexit = () => this.element.classList.remove("intro");
      track.addCue(intro);
    }
    if (stallAt !== null) {
      const stall = new VTTCue(stallAt / 1000, stallAt / 1000 + 0.5, "stall");
      stall.onenter = () => {
        track.removeCue(stall);
        this.#hold(settings.stallFor);
      };
      track.addCue(stall);
    }
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
    if (foreground.isFront(this)) this.resume();
  }

  #failed() {
    if (!this.#open || !this.#video.hasAttribute("src")) return;
    this.element.classList.remove("buffering");
    this.#stage.append(el("p", { class: "player-failure", role: "alert" }, "This film cannot be played here."));
  }

  // A short stall, as after each seek, needs no spinner.
  #stalled() {
    if (this.#held) return;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => {
      if (!this.#postplay) this.element.classList.add("buffering");
    }, settings.spinnerDelay);
  }

  #flowing() {
    if (this.#held) return;
    clearTimeout(this.#stallTimer);
    if (!this.#ready) return;
    this.element.classList.remove("buffering");
    if (!this.#video.paused) this.element.classList.remove("unstarted");
  }

  // A stall on purpose. The film counts as playing, but stands; who listens hears that it waits.
  #hold(milliseconds) {
    const video = this.#video;
    clearTimeout(this.#holdTimer);
    clearTimeout(this.#stallTimer);
    this.#held = true;
    video.playbackRate = 0;
    this.element.classList.add("buffering");
    if (!video.paused) video.dispatchEvent(new Event("waiting"));
    this.#holdTimer = setTimeout(() => {
      this.#held = false;
      video.playbackRate = 1;
      if (!video.paused) video.dispatchEvent(new Event("playing"));
      else this.#flowing();
    }, milliseconds);
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

  #skipIntro() {
    if (!this.#ready || !this.element.classList.contains("intro")) return;
    this.#seek(settings.introTo / 1000);
    // At once: the cue ends only when the video has got there, and a little before that it may stall.
    this.element.classList.remove("intro");
  }

  #seek(seconds) {
    if (!this.#ready) return;
    const last = Math.max(0, (this.#video.duration || 0) - 0.5);
    this.#video.currentTime = Math.min(Math.max(0, seconds), last);
    if (settings.seekStall > 0) this.#hold(settings.seekStall);
    this.#tick();
  }

  #turnSubtitles(on = !this.#subtitles.on) {
    this.#subtitles.turn(on);
    this.#parts.speech.setAttribute("aria-pressed", String(on));
  }

  #turnSize() {
    if (!this.#postplay) this.#resize(!this.element.classList.contains("windowed"));
  }

  #resize(windowed) {
    const { size } = this.#parts;
    this.element.classList.toggle("windowed", windowed);
    size.setAttribute("aria-label", windowed ? "Full window" : "Smaller window");
    size.replaceChildren(icon(windowed ? "full" : "window", 28));
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

  // Not while one looks for a place on the bar.
  #hideControls() {
    if (this.#seekBar.isUsed) this.#showControls();
    else if (!this.#video.paused) {
      if (this.element.querySelector(".player-controls").contains(document.activeElement)) document.activeElement.blur();
      this.element.classList.remove("with-controls");
    }
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
    if (showing) this.#seekBar.show();
    const credits = settings.postplayAt === null ? duration - CREDITS : settings.postplayAt / 1000;
    if (currentTime >= credits) this.#enterPostPlay();
    else this.#watchesCredits = false;
  }

  #enterPostPlay() {
    if (this.#postplay || this.#watchesCredits || this.#video.paused || this.#video.seeking) return;
    this.#resize(false);
    this.element.classList.remove("with-controls", "buffering", "intro");
    this.#parts.flash.classList.remove("fading");
    this.#postplay = new PostPlay(this.element, this.#stage, this.#video, this.#next, {
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
    openPlayer(this.#next.title, this.#next.episode?.number);
    this.close();
  }

  close() {
    if (!this.#open) return;
    this.#open = false;
    for (const timer of [this.#hideTimer, this.#stallTimer, this.#holdTimer]) clearTimeout(timer);
    this.#postplay?.close();
    this.#seekBar.release();
    release(this.#video);
    this.element.remove();
    if (!document.querySelector(".player, .detail-layer")) document.documentElement.classList.remove("locked");
    foreground.leave(this);
  }

  resume() {
    if (this.#ready && this.#open && this.#wasPlaying) start(this.#video);
  }

  // Covered, or in a hidden tab: it goes on later only if it played.
  pause() {
    this.#wasPlaying = !this.#ready || !this.#video.paused;
    this.#video.pause();
  }

  area() {
    if (this.#postplay) return [this.#postplay.element];
    return [this.element.querySelector(".player-controls"), this.#parts.skipIntro];
  }

  key(event) {
    const button = document.activeElement?.closest?.(".player button");
    if (event.key === " " && button) return;
    // On a button the arrows go from one to the next; everywhere else they are the film's.
    if (isArrow(event.key) && (this.#postplay || button)) {
      if (!this.#postplay) this.#showControls();
      return;
    }
    const act = {
      " ": () => this.#toggle(),
      k: () => this.#toggle(),
      c: () => this.#turnSubtitles(),
      f: () => this.#turnSize(),
      s: () => this.#skipIntro(),
      ArrowLeft: () => this.#skip(-SKIP),
      ArrowRight: () => this.#skip(SKIP),
      ArrowUp: () => this.#walk(event.key),
      ArrowDown: () => this.#walk(event.key),
      Escape: () => this.close(),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  // Up and down lead to the controls.
  #walk(key) {
    if (!this.#ready) return;
    this.#showControls();
    const { toggle } = this.#parts;
    if (this.element.contains(document.activeElement)) move(key, this.area());
    else toggle.focus();
  }
}
