// Subtitles: a text track of invented lines, written for each title, shown as text over the film.

import { el } from "./element.js";
import { random } from "./random.js";

const FIRST = 1.2; // seconds

const LINES = [
  "I told you not to wait for me.",
  "You never told me anything.",
  "[distant bell]",
  "It was open when I got here.",
  "– How long have we got?\n– Until somebody looks.",
  "Keep your voice down.\nThese walls were built by gossips.",
  "She left on the early train.",
  "That is not what the letter says.",
  "– Is it far?\n– It is always further than that.",
  "[engine starts]",
  "Nobody comes up here in winter.",
  "Then who lit the stove?",
  "I only need one more day,\nand a very large umbrella.",
  "Ask me again when it is over.",
  "– You're early.\n– You're never here.",
  "There were four of us, once.",
  "[rain on glass]",
  "Whatever you hear, keep walking.",
  "It's quieter than I remember.\nEverything is.",
  "We could still turn back.",
  "No. We could not.",
];

// Cues for a film of `duration` seconds: {from, to, text}, in order, with gaps between.
function cues(title, duration) {
  const chance = random(`subtitles of ${title.name}`);
  const list = [];
  let line = chance.whole(0, LINES.length - 1);
  for (let from = FIRST; from < duration - 1; ) {
    const text = LINES[line % LINES.length];
    const to = Math.min(duration, from + 1.1 + text.length * 0.035);
    list.push({ from, to, text });
    from = to + chance.between(0.3, 1.3);
    line += 1;
  }
  return list;
}

export class Subtitles {
  #video;
  #cues = [];
  #track;
  element = el("div", { class: "subtitles", "aria-live": "off" });

  constructor(video, title) {
    this.#video = video;
    this.#track = video.addTextTrack("subtitles", "English", "en");
    this.#track.mode = "disabled";
    this.#track.addEventListener("cuechange", () => {
      this.#show([...(this.#track.activeCues ?? [])].map((cue) => cue.text));
    });
    video.addEventListener("loadedmetadata", () => {
      this.#cues = cues(title, video.duration);
      // A disabled track has no list of cues, but takes them.
      for (const { from, to, text } of this.#cues) this.#track.addCue(new VTTCue(from, to, text));
      if (this.on) this.#showNow();
    }, { once: true });
  }

  get on() {
    return this.#track.mode !== "disabled";
  }

  // Hidden means to the browser that the page shows the cues itself.
  turn(on) {
    this.#track.mode = on ? "hidden" : "disabled";
    if (on) this.#showNow();
    else this.#show([]);
  }

  #showNow() {
    const { currentTime } = this.#video;
    this.#show(this.#cues.filter(({ from, to }) => from <= currentTime && currentTime < to).map(({ text }) => text));
  }

  #show(texts) {
    this.element.replaceChildren(...texts.map((text) => el("p", {}, text)));
  }
}
