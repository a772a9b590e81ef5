// Small pictures of a clip at regular positions, for the seek bar: real frames, drawn from a
// second video that is on no page, and kept.

import { release, silentVideo } from "./element.js";
import { settings } from "./settings.js";

export class Thumbnails {
  #clip;
  #width;
  #height;
  #video = null;
  #frames = new Map();
  #wanted = null;
  #busy = false;

  // Called with no argument whenever another picture is there.
  ondrawn = () => {};

  // Pictures of this size in pixels. Nothing is loaded before the first is asked for.
  constructor(clip, width, height) {
    this.#clip = clip;
    this.#width = width;
    this.#height = height;
  }

  // The canvas nearest to a position in seconds that there is, or null; the very one is drawn
  // next, before others that were asked for earlier.
  at(seconds) {
    const place = Math.round((seconds * 1000) / settings.thumbnailEvery);
    if (!this.#frames.has(place)) {
      this.#wanted = place;
      this.#draw();
    }
    const known = [...this.#frames.keys()].sort((one, other) => Math.abs(one - place) - Math.abs(other - place));
    return known.length ? this.#frames.get(known[0]) : null;
  }

  get count() {
    return this.#frames.size;
  }

  async #draw() {
    if (this.#busy) return;
    this.#busy = true;
    this.#video ??= silentVideo(this.#clip, { loop: false });
    const video = this.#video;
    while (this.#wanted !== null && this.#video) {
      const place = this.#wanted;
      this.#wanted = null;
      if (!(await this.#seek(video, place))) break;
      const canvas = document.createElement("canvas");
      canvas.width = this.#width;
      canvas.height = this.#height;
      // The middle of the frame, as large as fits.
      const scale = Math.max(this.#width / video.videoWidth, this.#height / video.videoHeight);
      const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
      canvas.getContext("2d").drawImage(video, (this.#width - width) / 2, (this.#height - height) / 2, width, height);
      this.#frames.set(place, canvas);
      this.ondrawn();
    }
    this.#busy = false;
  }

  // Resolves with whether the frame can be drawn.
  #seek(video, place) {
    return new Promise((resolve) => {
      const done = (event) => {
        for (const name of ["seeked", "error", "emptied"]) video.removeEventListener(name, done);
        resolve(event.type === "seeked" && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
      };
      const go = () => {
        for (const name of ["seeked", "error", "emptied"]) video.addEventListener(name, done);
        // Between two frames rather than at the edge of one, and never at the very end.
        const position = (place * settings.thumbnailEvery) / 1000 + 0.02;
        video.currentTime = Math.max(0, Math.min(position, video.duration - 0.1));
      };
      if (video.readyState >= HTMLMediaElement.HAVE_METADATA) go();
      else video.addEventListener("loadedmetadata", go, { once: true });
    });
  }

  release() {
    this.#wanted = null;
    if (this.#video) release(this.#video);
    this.#video = null;
  }
}
