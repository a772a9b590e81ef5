// Timings and switches, each to be set in the address: index.html?hoverDelay=200.
// Times are milliseconds.

const query = new URLSearchParams(location.search);

function time(name, fallback) {
  const value = Number.parseFloat(query.get(name));
  return Number.isFinite(value) && value >= 0 ? value : fallback;
}

export const settings = Object.freeze({
  // Skips the gate and goes home as this person.
  profile: query.get("profile"),
  // From the home page's appearance to the billboard's trailer.
  billboardDelay: time("billboardDelay", 2000),
  // From the pointer's rest on a card to its preview.
  hoverDelay: time("hoverDelay", 400),
  // One page of a row.
  pageSlide: time("pageSlide", 750),
  // The player's spinner lasts at least this long.
  buffering: time("buffering", 900),
  // From the last mouse movement to hidden controls.
  controlsHide: time("controlsHide", 3000),
  // Position in the film that starts the post-play; without it, eight seconds before the end.
  postplayAt: time("postplayAt", null),
  // Seconds that the post-play counts down from.
  countdown: Math.round(time("countdown", 5)),
});
