// Two videos of different clips side by side. ?left= and ?right= name the clips, ?delay= holds
// the second back and ?stop= pauses it again, milliseconds after it began.

import { el, pause, silentVideo, start } from "./element.js";
import { number, text } from "./settings.js";

const place = (clip, side) => {
  const video = silentVideo(clip, { class: "two-video", "aria-label": `The ${side} video` });
  document.querySelector(".two").append(el("figure", { class: side }, video, el("figcaption", {}, side === "left" ? "Ada's screen" : "Kofi's screen")));
  return video;
};

const left = place(text("left") || "bigbuckbunny", "left");
const right = place(text("right") || "bikes", "right");
start(left);
await pause(number("delay", 0));
start(right);
const stop = number("stop", null);
if (stop !== null) {
  await pause(stop);
  right.pause();
}
