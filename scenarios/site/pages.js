// Which page lies under the header: home, a collection of titles, or the search's results.

import * as foreground from "./foreground.js";

export class Pages {
  #home;
  #shown = null;
  #scrolled = 0;

  onchange = () => {};

  constructor(home) {
    this.#home = home;
  }

  // The page over home, or null.
  get shown() {
    return this.#shown;
  }

  // Shows a page instead of the one that is seen. It is an object with an `element`, and one
  // that can be in the foreground.
  show(page) {
    if (this.#shown === page) return;
    const before = this.#shown;
    if (before) before.element.hidden = true;
    else this.#scrolled = window.scrollY;
    this.#shown = page;
    this.#home.hidden = true;
    page.element.hidden = false;
    // In this order: home must not start playing in between.
    foreground.enter(page);
    if (before) foreground.leave(before);
    window.scrollTo(0, 0);
    this.onchange();
  }

  // Home again, where it was left.
  home() {
    const before = this.#shown;
    if (!before) return;
    this.#shown = null;
    before.element.hidden = true;
    this.#home.hidden = false;
    window.scrollTo(0, this.#scrolled);
    foreground.leave(before);
    this.onchange();
  }
}
