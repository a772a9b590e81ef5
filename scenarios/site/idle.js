// A still page: one picture, painted once.

import { picture } from "./artwork.js";
import { find } from "./catalogue.js";

const page = document.querySelector(".idle");
page.prepend(await picture(find("Lighthouse Nine"), window.innerWidth, window.innerHeight, { lettered: false }));
page.hidden = false;
