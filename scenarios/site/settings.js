// Timings and switches, each to be set in the address: index.html?profile=ada&hoverDelay=200.
//
// Times are milliseconds; what is no number, or below 0, counts as not given.
//
//   Home
//   profile          none     goes home at once as this person (Ada, Kofi, Mira, Little ones);
//                             a page that is loaded again does so, too
//   gateFade         400      the gate, once somebody is chosen
//   billboardDelay   2000     from the home page's appearance to the billboard's trailer
//   billboardFade    400      the trailer over the artwork
//   billboardPause   300      from the trailer's first picture until its words step back,
//   billboardStep    500      which takes this long
//   headerFade       250      the bar on top gets its ground
//   pageSlide        750      one page of a row
//   quick            150      highlights under the pointer
//   hoverDelay       400      from the pointer's rest on a card to its preview
//   hoverGrow        300      the preview grows out of the card
//   detailOpen       350      the detail window opens, and closes
//   detailFade       300      its trailer over its artwork
//   searchWiden      300      the search field
//   resultsArrive    250      a title among the results
//
//   Player
//   player           full     `windowed` begins in a part of the window; key F changes it
//   buffering        900      the first spinner lasts at least this long
//   spinnerDelay     600      a stall that is shorter than this shows no spinner
//   spinnerTurn      1000     one turn of the spinner
//   stallAt          none     position in the film at which it stalls, once: the picture
//   stallFor         2000     stands still for this long, with the spinner over it
//   seekStall        0        each seek stalls like that for this long
//   controlsHide     3000     from the last movement of the pointer to hidden controls
//   controlsFade     250      the controls
//   flash            600      the symbol in the middle after a key
//   introFrom        2000     positions in the film between which one can skip the intro;
//   introTo          12000    introTo=0 offers it never
//   thumbnailEvery   2000     distance of the pictures over the seek bar
//   subtitles        off      `on` shows them from the start; key C changes it
//   postplayAt       none     position at which the next title is offered; without it, eight
//                             seconds before the end
//   postplayShrink   500      the film goes into its corner
//   countdown        5        seconds that the post-play counts down from
//   countdownFill    5000     its button fills; as long as the countdown unless given
//
// Where the browser is asked for less motion, whatever moves takes 0 ms unless the address
// says otherwise. Each time is also a custom property of the page: pageSlide is --page-slide.

const query = new URLSearchParams(location.search);

// A word from the address, or null.
export const text = (name) => query.get(name);

// A number from the address that is not below 0.
export function number(name, fallback) {
  const value = Number.parseFloat(query.get(name));
  return Number.isFinite(value) && value >= 0 ? value : fallback;
}

const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const moving = (name, fallback) => number(name, still ? 0 : fallback);

const times = {
  gateFade: moving("gateFade", 400),
  billboardDelay: number("billboardDelay", 2000),
  billboardFade: moving("billboardFade", 400),
  billboardPause: number("billboardPause", 300),
  billboardStep: moving("billboardStep", 500),
  headerFade: moving("headerFade", 250),
  pageSlide: moving("pageSlide", 750),
  quick: moving("quick", 150),
  hoverDelay: number("hoverDelay", 400),
  hoverGrow: moving("hoverGrow", 300),
  detailOpen: moving("detailOpen", 350),
  detailFade: moving("detailFade", 300),
  searchWiden: moving("searchWiden", 300),
  resultsArrive: moving("resultsArrive", 250),
  buffering: number("buffering", 900),
  spinnerDelay: number("spinnerDelay", 600),
  spinnerTurn: number("spinnerTurn", 1000),
  stallFor: number("stallFor", 2000),
  seekStall: number("seekStall", 0),
  controlsHide: number("controlsHide", 3000),
  controlsFade: moving("controlsFade", 250),
  flash: moving("flash", 600),
  introFrom: number("introFrom", 2000),
  introTo: number("introTo", 12000),
  thumbnailEvery: Math.max(100, number("thumbnailEvery", 2000)),
  postplayShrink: moving("postplayShrink", 500),
  countdownFill: moving("countdownFill", 1000 * number("countdown", 5)),
};

for (const [name, value] of Object.entries(times)) {
  const property = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  document.documentElement.style.setProperty(`--${property}`, `${value}ms`);
}

export const settings = Object.freeze({
  ...times,
  profile: text("profile"),
  windowed: text("player") === "windowed",
  subtitles: text("subtitles") === "on",
  stallAt: number("stallAt", null),
  postplayAt: number("postplayAt", null),
  countdown: Math.round(number("countdown", 5)),
  // How a page scrolls that was asked to by a key.
  scrolling: still ? "instant" : "smooth",
});
