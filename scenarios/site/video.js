// One video on a still page; ?clip= names it, ?delay= holds it back for some milliseconds.

import { el, pause, silentVideo, start } from "./element.js";
import { number, text } from "./settings.js";

const video = silentVideo(text("clip") || "bigbuckbunny", { class: "one-video", "aria-label": "The video" });
document.querySelector(".one").append(video, el("p", { class: "one-note" }, "Muted, looped, 640 × 360."));
await pause(number("delay", 0));
start(video);
