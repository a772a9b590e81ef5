// Line icons on a 24 x 24 grid.

const SHAPES = {
  play: '<path d="M7 4.5v15L19.5 12z" fill="currentColor" stroke-width="1"/>',
  pause: '<path d="M8 5v14M16 5v14" stroke-width="4" stroke-linecap="butt"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  check: '<path d="M4.5 12.5l5 5L19.5 7"/>',
  heart: '<path d="M12 20C5 15 3.5 11.5 3.5 8.8 3.5 6.4 5.4 4.5 7.7 4.5c1.8 0 3.4 1 4.3 2.6.9-1.6 2.5-2.6 4.3-2.6 2.3 0 4.2 1.9 4.2 4.3 0 2.7-1.5 6.2-8.5 11.2z"/>',
  down: '<path d="M5 9l7 7 7-7"/>',
  left: '<path d="M15 4l-8 8 8 8"/>',
  right: '<path d="M9 4l8 8-8 8"/>',
  close: '<path d="M5 5l14 14M19 5L5 19"/>',
  info: '<circle cx="12" cy="12" r="9"/><path d="M12 11v6M12 7.2v.2"/>',
  search: '<circle cx="10.5" cy="10.5" r="6"/><path d="M15 15l5.5 5.5"/>',
  bell: '<path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5a2 2 0 0 0 4 0"/>',
  rewind: '<path d="M12 5a8 8 0 1 1-7.5 5.2M12 1.8L8.6 5 12 8.2"/><text x="12" y="15.6" font-size="7.5" font-weight="800" text-anchor="middle" fill="currentColor" stroke="none">10</text>',
  forward: '<path d="M12 5a8 8 0 1 0 7.5 5.2M12 1.8L15.4 5 12 8.2"/><text x="12" y="15.6" font-size="7.5" font-weight="800" text-anchor="middle" fill="currentColor" stroke="none">10</text>',
  next: '<path d="M5 5v14l10-7z" fill="currentColor" stroke-width="1"/><path d="M18.5 5v14"/>',
  full: '<path d="M9 4H4v5M15 4h5v5M9 20H4v-5M15 20h5v-5"/>',
  window: '<path d="M4 9h5V4M20 9h-5V4M4 15h5v5M20 15h-5v5"/>',
  pencil: '<path d="M4 20l1-5L16.5 3.5l4 4L9 19z"/>',
  speech: '<path d="M4 5h16v11h-8l-5 4v-4H4z"/><path d="M8 9h8M8 12h5"/>',
};

// `size` counts the design's pixels.
export function icon(name, size = 24) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const attributes = {
    viewBox: "0 0 24 24", fill: "none", stroke: "currentColor",
    "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round",
    "aria-hidden": "true", class: "icon",
    style: `width: calc(${size} * var(--u)); height: calc(${size} * var(--u))`,
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  svg.innerHTML = SHAPES[name];
  return svg;
}
