// A long wall of titles. With ?auto=1 it scrolls by itself, up and down, one step in each
// animation frame, so that every frame that the browser presents differs from the last.
// ?speed= sets how fast, in pixels a second. ?rich=1 makes each frame dearer to draw.

import { picture } from "./artwork.js";
import { titles } from "./catalogue.js";
import { el } from "./element.js";
import { number, text } from "./settings.js";

const speed = number("speed", 360) || 360;
document.documentElement.classList.toggle("rich", text("rich") === "1");
const wall = document.querySelector(".wall");

const entry = async (title) =>
  el("article", { class: "entry" },
    await picture(title, 380, 214),
    el("h2", {}, title.name),
    el("p", { class: "tags" }, `${title.year}  •  ${title.tags.join("  •  ")}`),
    el("p", {}, title.synopsis));

wall.append(...(await Promise.all(titles.map(entry))));
document.documentElement.classList.add("ready");

if (text("auto") === "1") {
  const began = performance.now();
  const step = (now) => {
    const way = document.documentElement.scrollHeight - window.innerHeight;
    const gone = (Math.max(0, now - began) / 1000) * speed;
    // There and back again, without end.
    const turn = gone % (2 * way);
    window.scrollTo(0, turn < way ? turn : 2 * way - turn);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
