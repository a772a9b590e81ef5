// The door: paints what the first page needs, then shows the gate and, behind it, home.

import { Billboard } from "./billboard.js";
import { billboard as lead, people, rows as rowList } from "./catalogue.js";
import { Collection } from "./collection.js";
import { openDetail } from "./detail.js";
import { el } from "./element.js";
import * as foreground from "./foreground.js";
import { showGate } from "./gate.js";
import { buildHeader } from "./header.js";
import { previewOnHover } from "./minimodal.js";
import { Pages } from "./pages.js";
import { openPlayer } from "./player.js";
import { buildRows } from "./rows.js";
import { Search } from "./search.js";
import { settings } from "./settings.js";

// A page that is loaded again begins as at first.
history.scrollRestoration = "manual";

const actions = { play: openPlayer, detail: openDetail };
const withHeader = (page) => [header.element, page];

const home = el("main", { class: "home", "aria-label": "Home" });
const pages = new Pages(home);
const billboard = new Billboard(lead, actions, () => withHeader(home));
const search = new Search(pages, actions, withHeader);
const collection = new Collection(pages, actions, withHeader);
const header = buildHeader({
  pages, search, collection, actions,
  change: async () => header.greet(await showGate(people)),
});

await billboard.paint();
home.append(billboard.element, ...(await buildRows(rowList, actions)));
home.append(el("footer", { class: "footer" }, "Lumen shows invented titles. Its pictures are painted in your browser."));
previewOnHover(actions);

const known = people.find((person) => person.name.toLowerCase() === settings.profile?.toLowerCase());
const person = known ?? (await showGate(people));
header.greet(person);
document.body.append(header.element, home, collection.element, search.element);
foreground.enter(billboard);
billboard.start();
