// Builds DOM elements.

// el("button", {class: "round", "aria-label": "Play", onclick: play}, icon("play"))
// Functions become listeners, true an empty attribute, false and null none at all.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

// A muted, looped, inline video that does not play yet.
export function silentVideo(clip, attributes = {}) {
  const video = el("video", {
    src: `/media/${clip}.mp4`, preload: "auto", playsinline: true, loop: true,
    disablepictureinpicture: true, tabindex: "-1", ...attributes,
  });
  video.muted = true;
  return video;
}

// Plays where the browser lets it; a pause() that comes in between is no fault.
export function start(video) {
  return video.play().catch((error) => {
    if (error.name !== "AbortError") throw error;
  });
}

// Stops a video for good and lets go of its decoder.
export function release(video) {
  video.pause();
  video.removeAttribute("src");
  video.load();
}

export const pause = (milliseconds) =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

// Resolves when all transitions on and in an element have ended, or were cut short. A timer
// would cut those short that a busy machine began late.
export const arrived = (element) => Promise.allSettled(
  element.getAnimations({ subtree: true })
    .filter((animation) => animation instanceof CSSTransition)
    .map((transition) => transition.finished));
