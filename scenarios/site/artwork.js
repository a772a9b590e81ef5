// Paints the titles' pictures and keeps them: no image is loaded from anywhere.

import { random } from "./random.js";
import { fade, palettes } from "./palettes.js";
import { HEIGHT, scenes, WIDTH } from "./scenes.js";

const SANS = '"Inter Display", Inter, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const NARROW = '"Arial Narrow", "DejaVu Sans Condensed", "Liberation Sans Narrow", sans-serif';
const SERIF = 'Georgia, "DejaVu Serif", "Liberation Serif", serif';

// How a title is lettered: the font for a size, spacing in ems, capitals, and the line's height.
const LETTERINGS = {
  condensed: { font: (size) => `900 condensed ${size}px ${NARROW}`, spacing: -0.02, capitals: true, line: 0.95, size: 34 },
  wide: { font: (size) => `600 ${size}px ${SANS}`, spacing: 0.3, capitals: true, line: 1.3, size: 20 },
  serif: { font: (size) => `700 ${size}px ${SERIF}`, spacing: 0.04, capitals: true, line: 1.1, size: 25 },
  italic: { font: (size) => `italic 700 ${size}px ${SERIF}`, spacing: -0.01, capitals: false, line: 1.02, size: 32 },
  rounded: { font: (size) => `900 ${size}px ${SANS}`, spacing: -0.015, capitals: false, line: 1, size: 31 },
};

// Words in lines of about the same length.
function lines(text) {
  const words = text.split(" ");
  if (words.length === 1 || text.length <= 9) return [text];
  const wanted = text.length > 20 && words.length > 3 ? 3 : 2;
  const result = [];
  let rest = text.length;
  for (let line = wanted; line > 0; line -= 1) {
    let taken = words.shift();
    while (words.length >= line && taken.length + words[0].length / 2 < rest / line) {
      taken += ` ${words.shift()}`;
    }
    rest -= taken.length + 1;
    result.push(line === 1 ? [taken, ...words].join(" ") : taken);
  }
  return result;
}

// `left` and `span` say which part of the stage is seen.
function letter(ctx, title, palette, chance, left, span) {
  const style = LETTERINGS[title.lettering];
  const text = lines(style.capitals ? title.name.toUpperCase() : title.name);
  let size = style.size;
  const apply = () => {
    ctx.font = style.font(size);
    ctx.letterSpacing = `${style.spacing * size}px`;
  };
  const widest = () => Math.max(...text.map((line) => ctx.measureText(line).width));
  for (apply(); widest() > span - 44 && size > 9; apply()) size -= 1;

  const centred = chance.next() < 0.45;
  ctx.textAlign = centred ? "center" : "left";
  const shade = ctx.createLinearGradient(0, 70, 0, HEIGHT);
  shade.addColorStop(0, fade(palette.dark, 0));
  shade.addColorStop(1, fade(palette.dark, 0.88));
  ctx.fillStyle = shade;
  ctx.fillRect(-WIDTH, 0, WIDTH * 3, HEIGHT + 40);
  ctx.fillStyle = chance.next() < 0.55 ? "#ffffff" : palette.light;
  ctx.shadowColor = fade(palette.dark, 0.9);
  ctx.shadowBlur = 8;
  const x = left + (centred ? span / 2 + (style.spacing * size) / 2 : 20);
  text.forEach((line, index) => {
    ctx.fillText(line, x, HEIGHT - 18 - (text.length - 1 - index) * size * style.line);
  });
  ctx.shadowBlur = 0;
  ctx.shadowColor = "transparent";
}

// Paints a title on a new canvas of this size in pixels.
// Another `variant` has the same scene with other chances.
export function paint(title, width, height, { lettered = true, variant = 0 } = {}) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const ctx = canvas.getContext("2d", { willReadFrequently: true });
  const scale = Math.max(width / WIDTH, height / HEIGHT);
  ctx.translate((width - WIDTH * scale) / 2, (height - HEIGHT * scale) / 2);
  ctx.scale(scale, scale);

  const palette = palettes[title.palette];
  const chance = random(variant ? `${title.name} ${variant}` : title.name);
  scenes[title.scene](ctx, chance, palette);
  const dim = ctx.createRadialGradient(WIDTH / 2, HEIGHT / 2, 70, WIDTH / 2, HEIGHT / 2, 200);
  dim.addColorStop(0, fade(palette.dark, 0));
  dim.addColorStop(1, fade(palette.dark, 0.55));
  ctx.fillStyle = dim;
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  if (lettered) letter(ctx, title, palette, chance, (WIDTH - width / scale) / 2, width / scale);
  return canvas;
}

const painted = new Map();

// The address of a title's picture at a size; painted once.
async function address(title, width, height, options) {
  const key = `${title.name} ${width}x${height} ${options.lettered} ${options.variant}`;
  if (!painted.has(key)) {
    const canvas = paint(title, width, height, options);
    painted.set(key, new Promise((resolve) => {
      canvas.toBlob((blob) => resolve(URL.createObjectURL(blob)), "image/png");
    }));
  }
  return painted.get(key);
}

// An image of a title, decoded, so that it never appears later than what surrounds it.
export async function picture(title, width, height, { lettered = true, variant = 0 } = {}) {
  const density = window.devicePixelRatio || 1;
  const image = new Image(width, height);
  image.alt = "";
  image.decoding = "sync";
  image.draggable = false;
  image.src = await address(title, Math.round(width * density), Math.round(height * density), { lettered, variant });
  await image.decode();
  return image;
}
