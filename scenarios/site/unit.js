// The design's pixel: one CSS pixel in a window of 1280, more in a larger one.

// `count` of them as whole CSS pixels, as pictures and videos want it.
export function px(count) {
  const one = Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--u"));
  return Math.round(count * one);
}
