"use strict";
// What report.html and viewer.html share: reading the data blocks, names, colours.

const CLASSES = ["UNCHANGED", "VIDEO_ONLY", "CHANGED"];
const PICTURES = ["none", "full", "spliced", "merged"];
// After Okabe and Ito, told apart by colour-blind readers (tests/unit/test_colours.py); heights,
// hatching and the order of their lightness tell the same in grey.
const COLOURS = {
  class: ["#7a8695", "#56b4e9", "#ffb52e"],
  region: ["#f0e442", "#2fc79a", "#cc79a7", "#ffffff", "#56b4e9", "#e69f00", "#d55e00", "#8fb8ff"],
  problem: "#ff7a45", encode: "#7389a3", splice: "#ffc2e0", rate: "#f0e442", dirty: "#ffffff",
  text: "#dde3ea", faint: "#93a1b0", line: "#2b343f", back: "#141a21",
};
const FLAG = {keyframe: 1, regionStart: 2, fallback: 4, deblocked: 8};

// At links no page stands beside an attachment that a report shows in a frame.
const LINKED = window.top === window && /^(file|https?):$/.test(location.protocol);

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflate(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpack(id) {
  const bytes = await inflate(document.getElementById(id).textContent);
  return JSON.parse(new TextDecoder().decode(bytes));
}

// An element; text is set as text, never parsed.
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function phaseAt(data, tick) {
  return data.phases.findIndex(([, first, end]) => tick >= first && tick < end);
}

function problemsAt(data, tick) {
  return data.problems.filter(([first, end]) => tick >= first && tick < end).map((p) => p[2]);
}

// The next CHANGED tick behind (1) or before (-1) `tick`; null: there is none.
function nextChanged(data, tick, direction) {
  const classes = data.ticks.class;
  for (let t = tick + direction; t >= 0 && t < classes.length; t += direction) {
    if (classes[t] === 2) return t;
  }
  return null;
}

// The next tick at which a problem begins, likewise.
function nextProblem(data, tick, direction) {
  const firsts = [...new Set(data.problems.map((p) => p[0]))].sort((a, b) => a - b);
  const found = direction > 0 ? firsts.find((t) => t > tick) : firsts.findLast((t) => t < tick);
  return found === undefined ? null : found;
}

function flagNames(flags) {
  const names = [];
  if (flags & FLAG.keyframe) names.push("keyframe");
  if (flags & FLAG.regionStart) names.push("region starts over");
  if (flags & FLAG.fallback) names.push("fallback");
  return names;
}

function rectText(rect) {
  return rect.length ? `${rect[2]}\u00d7${rect[3]} at ${rect[0]}, ${rect[1]}` : "none";
}

// What a tick is, as pairs of name and text.
function tickFacts(data, tick) {
  const t = data.ticks;
  const phase = phaseAt(data, tick);
  const regions = data.regions[t.regions[tick]];
  return [
    ["phase", phase < 0 ? "none" : `${phase + 1}  ${data.phases[phase][0]}`],
    ["class", CLASSES[t.class[tick]]],
    ["picture", [PICTURES[t.picture[tick]], ...flagNames(t.flags[tick])].join(", ")],
    ["bytes", t.bytes[tick].toLocaleString("en")],
    ["presents", `${t.presents[tick]}, coalesced ${t.coalesced[tick]}, dropped ${t.dropped[tick]}`],
    ["encode, splice", `${t.encode[tick].toFixed(1)} ms, ${t.splice[tick].toFixed(1)} ms`],
    ["changed", `${rectText(data.rects[t.dirty[tick]])}, ${t.dirtyMbs[tick]} macroblocks`],
    ["regions", regions.length ? regions.map(rectText).join("; ") : "none"],
  ];
}

// Lines over what is drawn in hatched boxes: d is the direction, 1 or -1.
function hatch(context, colour, d = 1, step = 5, width = 1.2) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = step;
  const c = tile.getContext("2d");
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.beginPath();
  for (const shift of [-step, 0, step]) {
    c.moveTo(shift, d > 0 ? step : 0);
    c.lineTo(shift + step, d > 0 ? 0 : step);
  }
  c.stroke();
  return context.createPattern(tile, "repeat");
}

// A canvas sized to its box and the screen's density; returns its context in CSS pixels. What
// was drawn is gone only where the size is new.
function fit(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [w, h] = [width, height].map((size) => Math.max(1, Math.round(size * ratio)));
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
