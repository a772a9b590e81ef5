// Fades over the whole window: dark picture, bright picture, and back. ?delay= (1000) comes
// before the first, ?fade= (1000) is how long each takes, ?hold= (1000) how long a picture
// stands between, all in milliseconds; ?fades= (6) how many there are. ?plain=1 fades from
// black to white instead. At the end the page has data-faded, and nothing moves any more.

import { picture } from "./artwork.js";
import { find } from "./catalogue.js";
import { el, pause } from "./element.js";
import { number, text } from "./settings.js";

const page = document.querySelector(".fade");
const plain = text("plain") === "1";
const fill = async (name, colour) => {
  if (plain) return el("div", { style: `background: ${colour}` });
  return el("div", {}, await picture(find(name), window.innerWidth, window.innerHeight, { lettered: false }));
};

const [dark, bright] = await Promise.all([fill("Signal Lost", "#000"), fill("Kite Weather", "#fff")]);
bright.style.opacity = "0";
page.append(dark, bright);

await pause(number("delay", 1000));
const fades = Math.round(number("fades", 6));
for (let index = 0; index < fades; index += 1) {
  if (index) await pause(number("hold", 1000));
  const ends = index % 2 ? [1, 0] : [0, 1];
  await bright.animate({ opacity: ends }, { duration: number("fade", 1000), easing: "ease-in-out" }).finished;
  bright.style.opacity = String(ends[1]);
}
page.dataset.faded = String(fades);
