// The pictures behind the titles. Each scene paints a stage of 320 x 180 units; `chance` is
// the title's own random numbers, so the same title always looks the same.

import { fade, mix } from "./palettes.js";

export const WIDTH = 320;
export const HEIGHT = 180;

function fill(ctx, style, path) {
  ctx.fillStyle = style;
  ctx.beginPath();
  path(ctx);
  ctx.fill();
}

const disc = (ctx, style, x, y, radius) =>
  fill(ctx, style, () => ctx.arc(x, y, radius, 0, Math.PI * 2));

function vertical(ctx, top, bottom, ...colours) {
  const gradient = ctx.createLinearGradient(0, top, 0, bottom);
  colours.forEach((colour, index) => gradient.addColorStop(index / (colours.length - 1), colour));
  return gradient;
}

function radial(ctx, x, y, inner, outer, ...colours) {
  const gradient = ctx.createRadialGradient(x, y, inner, x, y, outer);
  colours.forEach((colour, index) => gradient.addColorStop(index / (colours.length - 1), colour));
  return gradient;
}

function sky(ctx, palette, horizon = HEIGHT) {
  ctx.fillStyle = vertical(ctx, 0, horizon, ...palette.sky);
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
}

function glow(ctx, colour, x, y, radius, strength = 0.7) {
  ctx.fillStyle = radial(ctx, x, y, 0, radius, fade(colour, strength), fade(colour, strength * 0.25), fade(colour, 0));
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
}

function stars(ctx, chance, count, floor, colour = "#ffffff") {
  for (let index = 0; index < count; index += 1) {
    const size = chance.between(0.2, 0.75);
    disc(ctx, fade(colour, chance.between(0.3, 0.95)), chance.between(0, WIDTH), chance.between(0, floor), size);
  }
}

// A jagged line from left to right by halving: heights around `base`, at most `rise` away.
function skyline(chance, base, rise, roughness = 0.55) {
  let line = [base + chance.between(-rise, rise) / 2, base + chance.between(-rise, rise) / 2];
  for (let step = rise; line.length < 130; step *= roughness) {
    const finer = [line[0]];
    for (let index = 1; index < line.length; index += 1) {
      finer.push((line[index - 1] + line[index]) / 2 + chance.between(-step, step), line[index]);
    }
    line = finer;
  }
  return line;
}

function land(ctx, style, line) {
  fill(ctx, style, () => {
    ctx.moveTo(0, HEIGHT);
    line.forEach((y, index) => ctx.lineTo((index / (line.length - 1)) * WIDTH, y));
    ctx.lineTo(WIDTH, HEIGHT);
  });
}

// A smooth hill line from two waves.
function swell(chance, base, rise) {
  const [one, two] = [chance.between(0, 6), chance.between(0, 6)];
  const [long, short] = [chance.between(0.8, 1.6), chance.between(2, 3.4)];
  return Array.from({ length: 81 }, (_, index) => {
    const along = (index / 80) * Math.PI * 2;
    return base + rise * (0.7 * Math.sin(along * long + one) + 0.3 * Math.sin(along * short + two));
  });
}

// A person seen from behind: feet at (x, y).
function person(ctx, style, x, y, height) {
  const unit = height / 8;
  disc(ctx, style, x, y - 7.3 * unit, 0.62 * unit);
  fill(ctx, style, () => {
    ctx.moveTo(x - 0.35 * unit, y - 6.8 * unit);
    ctx.bezierCurveTo(x - 1.5 * unit, y - 6.4 * unit, x - 1.3 * unit, y - 4 * unit, x - 1.55 * unit, y - 2.2 * unit);
    ctx.lineTo(x - 0.75 * unit, y - 2.1 * unit);
    ctx.lineTo(x - 0.6 * unit, y);
    ctx.lineTo(x - 0.08 * unit, y);
    ctx.lineTo(x, y - 2 * unit);
    ctx.lineTo(x + 0.2 * unit, y);
    ctx.lineTo(x + 0.72 * unit, y);
    ctx.lineTo(x + 0.8 * unit, y - 2.1 * unit);
    ctx.lineTo(x + 1.5 * unit, y - 2.2 * unit);
    ctx.bezierCurveTo(x + 1.3 * unit, y - 4 * unit, x + 1.5 * unit, y - 6.4 * unit, x + 0.35 * unit, y - 6.8 * unit);
  });
}

// A head and shoulders seen from the side, `facing` 1 to the right or -1 to the left.
function profile(ctx, style, x, y, size, facing) {
  const at = (dx, dy) => [x + dx * size * facing, y + dy * size];
  fill(ctx, style, () => {
    ctx.moveTo(...at(-0.9, 1.5));
    ctx.bezierCurveTo(...at(-0.85, 0.85), ...at(-0.25, 0.75), ...at(-0.28, 0.4));
    ctx.bezierCurveTo(...at(-0.7, -0.1), ...at(-0.55, -0.95), ...at(0.05, -0.95));
    ctx.bezierCurveTo(...at(0.4, -0.95), ...at(0.5, -0.6), ...at(0.47, -0.35));
    ctx.bezierCurveTo(...at(0.47, -0.25), ...at(0.55, -0.15), ...at(0.68, 0.02));
    ctx.bezierCurveTo(...at(0.7, 0.07), ...at(0.6, 0.09), ...at(0.54, 0.1));
    ctx.bezierCurveTo(...at(0.53, 0.14), ...at(0.6, 0.18), ...at(0.57, 0.22));
    ctx.bezierCurveTo(...at(0.5, 0.24), ...at(0.6, 0.28), ...at(0.54, 0.33));
    ctx.bezierCurveTo(...at(0.5, 0.4), ...at(0.58, 0.5), ...at(0.4, 0.52));
    ctx.bezierCurveTo(...at(0.2, 0.52), ...at(0.15, 0.55), ...at(0.15, 0.72));
    ctx.bezierCurveTo(...at(0.15, 0.9), ...at(0.75, 0.9), ...at(0.9, 1.5));
  });
}

function pine(ctx, style, x, y, height) {
  fill(ctx, style, () => {
    ctx.moveTo(x, y - height);
    for (let tier = 1; tier <= 5; tier += 1) {
      const width = height * 0.06 * tier;
      const low = y - height + (height * tier) / 5.4;
      ctx.lineTo(x + width, low);
      ctx.lineTo(x + width * 0.5, low - height * 0.015);
    }
    ctx.lineTo(x + height * 0.03, y);
    ctx.lineTo(x - height * 0.03, y);
    for (let tier = 5; tier >= 1; tier -= 1) {
      const width = height * 0.06 * tier;
      const low = y - height + (height * tier) / 5.4;
      ctx.lineTo(x - width * 0.5, low - height * 0.015);
      ctx.lineTo(x - width, low);
    }
  });
}

function bicycle(ctx, colour, x, y, size) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = size * 0.07;
  ctx.lineJoin = ctx.lineCap = "round";
  ctx.beginPath();
  for (const wheel of [-0.95, 0.95]) {
    ctx.moveTo(x + wheel * size + 0.6 * size, y);
    ctx.arc(x + wheel * size, y, 0.6 * size, 0, Math.PI * 2);
  }
  ctx.moveTo(x - 0.95 * size, y);
  for (const [dx, dy] of [[-0.4, -0.9], [0.6, -0.95], [-0.1, 0], [-0.95, 0]]) {
    ctx.lineTo(x + dx * size, y + dy * size);
  }
  ctx.moveTo(x - 0.1 * size, y);
  ctx.lineTo(x - 0.46 * size, y - 1.1 * size);
  ctx.moveTo(x - 0.68 * size, y - 1.12 * size);
  ctx.lineTo(x - 0.28 * size, y - 1.12 * size);
  ctx.moveTo(x + 0.95 * size, y);
  ctx.lineTo(x + 0.55 * size, y - 1.2 * size);
  ctx.lineTo(x + 0.85 * size, y - 1.3 * size);
  ctx.stroke();
}

function ridges(ctx, chance, palette) {
  sky(ctx, palette, 130);
  const x = chance.between(70, 270);
  const y = chance.between(38, 80);
  glow(ctx, palette.light, x, y, 120, 0.6);
  disc(ctx, palette.light, x, y, chance.between(9, 24));
  for (let layer = 0; layer < 5; layer += 1) {
    const near = layer / 4;
    const line = skyline(chance, 78 + layer * 21, 34 - layer * 4, 0.52);
    const colour = mix(mix(palette.sky[2], palette.haze, 0.6), palette.dark, near);
    land(ctx, vertical(ctx, 60 + layer * 18, 180, colour, mix(colour, palette.haze, 0.35 * (1 - near))), line);
  }
  if (chance.next() < 0.6) person(ctx, palette.dark, chance.between(60, 240), 162, 22);
}

function planet(ctx, chance, palette) {
  ctx.fillStyle = vertical(ctx, 0, HEIGHT, palette.dark, palette.sky[0]);
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  glow(ctx, palette.haze, chance.between(40, 280), chance.between(30, 150), 150, 0.45);
  glow(ctx, palette.sky[1], chance.between(0, 320), chance.between(0, 180), 130, 0.5);
  stars(ctx, chance, 130, HEIGHT);
  const x = chance.between(120, 270);
  const y = chance.between(55, 130);
  const radius = chance.between(38, 74);
  const ring = chance.next() < 0.55;
  const tilt = chance.between(-0.5, 0.1);
  const half = (from, to) => {
    ctx.save();
    ctx.translate(x, y);
    ctx.rotate(tilt);
    ctx.scale(1, 0.24);
    for (let band = 0; band < 5; band += 1) {
      ctx.strokeStyle = fade(mix(palette.light, palette.sky[2], band / 5), 0.75 - band * 0.1);
      ctx.lineWidth = radius * 0.07;
      ctx.beginPath();
      ctx.arc(0, 0, radius * (1.35 + band * 0.11), from, to);
      ctx.stroke();
    }
    ctx.restore();
  };
  glow(ctx, palette.sky[2], x, y, radius * 1.7, 0.4);
  if (ring) half(Math.PI, Math.PI * 2);
  ctx.save();
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, Math.PI * 2);
  ctx.clip();
  ctx.fillStyle = vertical(ctx, y - radius, y + radius, palette.light, palette.sky[2], palette.sky[1]);
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  for (let band = 0; band < 9; band += 1) {
    const tone = chance.pick([palette.sky[1], palette.haze, palette.light]);
    ctx.fillStyle = fade(tone, chance.between(0.1, 0.4));
    ctx.beginPath();
    ctx.ellipse(x, y - radius + (band + chance.next()) * radius * 0.23, radius * 1.2, radius * chance.between(0.04, 0.13), tilt, 0, Math.PI * 2);
    ctx.fill();
  }
  ctx.fillStyle = radial(ctx, x - radius * 0.5, y - radius * 0.5, radius * 0.3, radius * 1.7, fade(palette.dark, 0), fade(palette.dark, 0.55), fade(palette.dark, 1));
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  ctx.restore();
  if (ring) half(0, Math.PI);
  const moon = chance.between(5, 12);
  const moonX = chance.between(30, 110);
  const moonY = chance.between(30, 90);
  disc(ctx, radial(ctx, moonX - moon / 2, moonY - moon / 2, 0, moon * 1.6, palette.light, palette.haze, palette.dark), moonX, moonY, moon);
}

function city(ctx, chance, palette) {
  sky(ctx, palette, 150);
  const moon = chance.between(60, 260);
  glow(ctx, palette.light, moon, 60, 110, 0.5);
  disc(ctx, fade(palette.light, 0.9), moon, 60, chance.between(14, 30));
  for (let layer = 0; layer < 3; layer += 1) {
    const body = mix(mix(palette.haze, palette.sky[2], 0.25), palette.dark, 0.25 + layer * 0.36);
    for (let x = -10; x < WIDTH; ) {
      const width = chance.between(14, 30) + layer * 4;
      const height = chance.between(40, 96) - layer * 12 + (chance.next() < 0.15 ? 30 : 0);
      const top = 168 - height + layer * 10;
      ctx.fillStyle = body;
      ctx.fillRect(x, top, width, HEIGHT - top);
      if (chance.next() < 0.3) ctx.fillRect(x + width / 2 - 0.6, top - 12, 1.2, 12);
      for (let wy = top + 4; wy < HEIGHT; wy += 5) {
        for (let wx = x + 3; wx < x + width - 3; wx += 4.5) {
          if (chance.next() < 0.16 + layer * 0.1) {
            ctx.fillStyle = fade(chance.pick([palette.light, palette.sky[2], "#ffdf9e"]), chance.between(0.25, 0.95));
            ctx.fillRect(wx, wy, 2, 2.4);
          }
        }
      }
      x += width + chance.between(0, 3);
    }
  }
  glow(ctx, palette.sky[2], chance.between(60, 260), 180, 120, 0.45);
}

function dunes(ctx, chance, palette) {
  sky(ctx, palette, 110);
  const x = chance.between(60, 260);
  glow(ctx, palette.light, x, 66, 130, 0.75);
  disc(ctx, palette.light, x, chance.between(50, 80), chance.between(14, 30));
  for (let layer = 0; layer < 5; layer += 1) {
    const near = layer / 4;
    const line = swell(chance, 94 + layer * 19, 9 + layer * 3);
    const crest = mix(palette.sky[2], palette.haze, near * 0.9);
    land(ctx, vertical(ctx, 84 + layer * 17, 150 + layer * 12, crest, mix(palette.haze, palette.dark, 0.35 + near * 0.6)), line);
    if (layer === 2) {
      for (let walker = 0; walker < 4; walker += 1) {
        person(ctx, palette.dark, 120 + walker * 13 + chance.between(-2, 2), 134 + walker * 0.8, 11);
      }
    }
  }
}

function sea(ctx, chance, palette) {
  sky(ctx, palette, 100);
  const x = chance.between(80, 240);
  glow(ctx, palette.light, x, 66, 110, 0.75);
  disc(ctx, palette.light, x, 66, chance.between(12, 22));
  land(ctx, mix(palette.haze, palette.sky[1], 0.5), skyline(chance, 96, 9));
  ctx.fillStyle = vertical(ctx, 100, HEIGHT, mix(palette.sky[2], palette.haze, 0.4), palette.sky[1], palette.dark);
  ctx.fillRect(0, 100, WIDTH, 80);
  for (let y = 102; y < HEIGHT; y += 2.3) {
    const spread = 8 + (y - 100) * 0.55;
    ctx.fillStyle = fade(palette.light, 0.85 - (y - 100) / 110);
    for (let glint = 0; glint < 4; glint += 1) {
      const width = chance.between(2, 13);
      ctx.fillRect(x + chance.between(-spread, spread) - width / 2, y, width, 0.9);
    }
    ctx.fillStyle = fade(palette.dark, 0.28);
    ctx.fillRect(chance.between(-20, 300), y, chance.between(30, 110), 0.9);
  }
  if (chance.next() < 0.5) {
    const boat = chance.between(70, 250);
    fill(ctx, palette.dark, () => {
      ctx.moveTo(boat - 20, 123);
      ctx.lineTo(boat + 22, 123);
      ctx.lineTo(boat + 15, 131);
      ctx.lineTo(boat - 14, 131);
    });
    fill(ctx, mix(palette.dark, palette.haze, 0.3), () => {
      ctx.moveTo(boat + 1, 82);
      ctx.lineTo(boat + 18, 120);
      ctx.lineTo(boat + 1, 120);
      ctx.moveTo(boat - 1, 88);
      ctx.lineTo(boat - 15, 120);
      ctx.lineTo(boat - 1, 120);
    });
  } else {
    land(ctx, palette.dark, Array.from({ length: 60 }, (_, index) => 182 - Math.max(0, index - 34) * 1.7 + chance.between(-1.5, 1.5)));
    glow(ctx, palette.light, 268, 78, 60, 0.9);
    fill(ctx, palette.dark, () => {
      ctx.moveTo(262, 150);
      ctx.lineTo(265, 82);
      ctx.lineTo(271, 82);
      ctx.lineTo(275, 150);
    });
    ctx.fillRect(263, 76, 10, 8);
    disc(ctx, palette.light, 268, 79, 2.6);
  }
}

function forest(ctx, chance, palette) {
  sky(ctx, palette, 150);
  const x = chance.between(100, 230);
  glow(ctx, palette.light, x, 84, 140, 0.8);
  for (let layer = 0; layer < 5; layer += 1) {
    const near = layer / 4;
    const colour = mix(mix(palette.sky[2], palette.haze, 0.55), palette.dark, near);
    for (let tree = 0; tree < 26 - layer * 4; tree += 1) {
      const place = chance.between(-10, 330);
      // A clearing stays open in the middle, wider in front.
      if (Math.abs(place - x) < layer * 17) continue;
      pine(ctx, colour, place, 138 + layer * 14, chance.between(44, 66) + layer * 26);
    }
    ctx.fillStyle = vertical(ctx, 100, HEIGHT, fade(palette.light, 0), fade(mix(palette.light, palette.haze, 0.5), 0.3 * (1 - near)));
    ctx.fillRect(0, 0, WIDTH, HEIGHT);
  }
  land(ctx, palette.dark, swell(chance, 172, 4));
  person(ctx, palette.dark, x, 172, 30);
}

function street(ctx, chance, palette) {
  sky(ctx, palette, 170);
  glow(ctx, palette.light, 160, 84, 130, 0.75);
  // How far from the middle a house stands, from 0 in the distance to 1 beside the viewer.
  const reach = (near) => 14 + 150 * near ** 1.7;
  for (const side of [-1, 1]) {
    for (let block = 0; block < 7; block += 1) {
      const near = block / 6;
      const inner = 160 + side * reach(near);
      const outer = 160 + side * (40 + 190 * near);
      const top = 70 - 90 * near + chance.between(-8, 8);
      const wall = mix(palette.haze, palette.dark, 0.35 + near * 0.6);
      ctx.fillStyle = vertical(ctx, top, HEIGHT, mix(wall, palette.dark, 0.25), wall);
      ctx.fillRect(Math.min(inner, outer), top, Math.abs(outer - inner) + 2, HEIGHT);
      // Windows in storeys, on what the next house leaves to be seen.
      const columns = near > 0.4 ? 3 : 2;
      const width = (reach(near + 1 / 6) - reach(near)) / (2 * columns + 1);
      for (let y = top + 2.2 * width + 3; y < 150; y += 2.6 * width) {
        for (let column = 0; column < columns; column += 1) {
          const lit = chance.next() < 0.32;
          ctx.fillStyle = fade(palette.light, lit ? chance.between(0.25, 0.8) : 0.06);
          const x = inner + side * width * (2 * column + 1);
          ctx.fillRect(Math.min(x, x + side * width), y, width, 1.4 * width);
        }
      }
    }
  }
  fill(ctx, vertical(ctx, 104, HEIGHT, mix(palette.sky[2], palette.dark, 0.45), palette.dark), () => {
    ctx.moveTo(150, 104);
    ctx.lineTo(170, 104);
    ctx.lineTo(360, HEIGHT);
    ctx.lineTo(-40, HEIGHT);
  });
  for (let light = 0; light < 34; light += 1) {
    const near = chance.next();
    const x = 160 + chance.between(-1, 1) * (20 + 150 * near);
    const colour = chance.pick([palette.light, palette.sky[2], "#ff6a4d", "#ffd27a", "#9fe3d2"]);
    const [strength, y, radius] = [chance.between(0.12, 0.45), 92 + near * chance.between(-50, 60), 2 + near * 10];
    // Out of focus: brighter at the rim, which is soft.
    disc(ctx, radial(ctx, x, y, radius * 0.5, radius, fade(colour, strength * 0.7), fade(colour, strength), fade(colour, 0)), x, y, radius);
  }
  bicycle(ctx, palette.dark, chance.between(140, 190), 152, 21);
}

function shapes(ctx, chance, palette) {
  const colours = [palette.sky[2], palette.light, palette.haze, palette.sky[1], palette.dark];
  ctx.fillStyle = palette.sky[0];
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  const cell = chance.pick([40, 45, 60]);
  for (let y = 0; y < HEIGHT; y += cell) {
    for (let x = 0; x < WIDTH; x += cell) {
      ctx.save();
      ctx.translate(x + cell / 2, y + cell / 2);
      ctx.rotate((Math.PI / 2) * chance.whole(0, 3));
      const half = cell / 2;
      ctx.fillStyle = chance.pick(colours);
      ctx.fillRect(-half - 0.3, -half - 0.3, cell + 0.6, cell + 0.6);
      const style = chance.pick(colours);
      const kind = chance.whole(0, 4);
      if (kind === 0) disc(ctx, style, 0, 0, half * 0.75);
      if (kind === 1) fill(ctx, style, () => { ctx.moveTo(-half, -half); ctx.arc(-half, -half, cell, 0, Math.PI / 2); });
      if (kind === 2) fill(ctx, style, () => { ctx.moveTo(-half, -half); ctx.lineTo(half, half); ctx.lineTo(-half, half); });
      if (kind === 3) for (let bar = 0; bar < 4; bar += 1) fill(ctx, style, () => ctx.rect(-half, -half + (bar * cell) / 4, cell, cell / 8));
      if (kind === 4) fill(ctx, style, () => ctx.arc(0, -half, half, 0, Math.PI));
      ctx.restore();
    }
  }
  ctx.fillStyle = vertical(ctx, 60, HEIGHT, fade(palette.dark, 0), fade(palette.dark, 0.75));
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
}

function figure(ctx, chance, palette) {
  ctx.fillStyle = vertical(ctx, 0, HEIGHT, palette.dark, palette.sky[0], palette.sky[1]);
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  stars(ctx, chance, 50, 110, palette.light);
  const x = chance.between(130, 230);
  glow(ctx, palette.sky[2], x, 92, 150, 0.85);
  disc(ctx, vertical(ctx, 30, 150, palette.light, palette.sky[2]), x, 92, chance.between(50, 66));
  for (let veil = 0; veil < 4; veil += 1) {
    ctx.fillStyle = fade(palette.sky[1], 0.3);
    ctx.fillRect(0, 96 + veil * 13, WIDTH, chance.between(1, 5));
  }
  land(ctx, mix(palette.haze, palette.dark, 0.55), skyline(chance, 146, 12));
  land(ctx, palette.dark, skyline(chance, 162, 6));
  person(ctx, palette.dark, x + chance.between(-16, 16), 166, chance.between(84, 104));
}

function profiles(ctx, chance, palette) {
  sky(ctx, palette);
  glow(ctx, palette.light, 160, 70, 150, 0.7);
  for (let ray = 0; ray < 22; ray += 1) {
    ctx.fillStyle = fade(palette.light, chance.between(0.03, 0.1));
    ctx.beginPath();
    ctx.moveTo(160, 60);
    const turn = chance.between(0, Math.PI * 2);
    ctx.lineTo(160 + 300 * Math.cos(turn), 60 + 300 * Math.sin(turn));
    ctx.lineTo(160 + 300 * Math.cos(turn + 0.09), 60 + 300 * Math.sin(turn + 0.09));
    ctx.fill();
  }
  const tones = [mix(palette.dark, palette.haze, 0.15), mix(palette.dark, palette.sky[1], 0.55)];
  for (const [x, size, facing, tone] of [[232, 74, -1, tones[1]], [96, 84, 1, tones[0]]]) {
    ctx.save();
    ctx.shadowColor = palette.light;
    ctx.shadowBlur = 16;
    profile(ctx, tone, x, 96, size, facing);
    ctx.restore();
    profile(ctx, vertical(ctx, 20, 180, mix(tone, palette.haze, 0.35), palette.dark), x - facing * 2, 97, size * 0.985, facing);
  }
}

function corridor(ctx, chance, palette) {
  ctx.fillStyle = palette.dark;
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  const [x, y] = [chance.between(140, 200), chance.between(74, 100)];
  const sides = chance.pick([4, 6, 8]);
  for (let frame = 0; frame < 13; frame += 1) {
    const size = 230 * 0.76 ** frame;
    ctx.strokeStyle = fade(mix(palette.sky[1], palette.light, frame / 12), 0.35 + frame * 0.05);
    ctx.fillStyle = fade(mix(palette.dark, palette.sky[2], frame / 13), 0.5);
    ctx.lineWidth = 0.6 + size * 0.018;
    ctx.beginPath();
    for (let corner = 0; corner <= sides; corner += 1) {
      const turn = ((corner + 0.5) / sides) * Math.PI * 2;
      ctx.lineTo(x + Math.cos(turn) * size * 1.25, y + Math.sin(turn) * size);
    }
    ctx.fill();
    ctx.stroke();
  }
  glow(ctx, palette.light, x, y, 70, 1);
  person(ctx, palette.dark, x, y + 46, 58);
}

function windowLight(ctx, chance, palette) {
  sky(ctx, palette, 170);
  stars(ctx, chance, 60, 90);
  land(ctx, mix(palette.haze, palette.dark, 0.3), swell(chance, 112, 12));
  land(ctx, mix(palette.haze, palette.dark, 0.65), swell(chance, 136, 9));
  const x = chance.between(150, 220);
  glow(ctx, "#ffca6e", x, 128, 90, 0.7);
  const wall = mix(palette.dark, palette.haze, 0.18);
  ctx.fillStyle = wall;
  ctx.fillRect(x - 46, 104, 92, 56);
  fill(ctx, palette.dark, () => {
    ctx.moveTo(x - 58, 106);
    ctx.lineTo(x, 68);
    ctx.lineTo(x + 58, 106);
  });
  ctx.fillRect(x + 22, 64, 10, 26);
  for (const [wx, wy] of [[-36, 116], [-10, 116], [20, 116], [-36, 138], [20, 138]]) {
    ctx.fillStyle = vertical(ctx, wy, wy + 15, "#ffe9ad", "#ffb24d");
    ctx.fillRect(x + wx, wy, 15, 14);
    ctx.fillStyle = wall;
    ctx.fillRect(x + wx + 7, wy, 1, 14);
  }
  ctx.fillStyle = "#ffd98a";
  ctx.fillRect(x - 9, 138, 13, 22);
  land(ctx, palette.dark, swell(chance, 162, 4));
  for (let tree = 0; tree < 9; tree += 1) {
    const place = chance.between(0, 320);
    if (Math.abs(place - x) > 62) pine(ctx, palette.dark, place, 172, chance.between(40, 86));
  }
  for (let flake = 0; flake < 60; flake += 1) {
    disc(ctx, fade("#ffffff", chance.between(0.2, 0.7)), chance.between(0, WIDTH), chance.between(0, HEIGHT), chance.between(0.4, 1.1));
  }
}

function meadow(ctx, chance, palette) {
  sky(ctx, palette, 120);
  const sun = chance.between(60, 120);
  glow(ctx, palette.light, sun, 46, 110, 0.8);
  disc(ctx, palette.light, sun, 46, 17);
  for (let cloud = 0; cloud < 4; cloud += 1) {
    const [x, y] = [chance.between(0, 320), chance.between(20, 70)];
    // One path of all puffs, so that they do not show through each other; level below.
    fill(ctx, vertical(ctx, y - 14, y + 8, fade(palette.light, 0.6), fade(palette.light, 0.12)), () => {
      for (let puff = 0; puff < 6; puff += 1) {
        const [middle, radius] = [x + puff * 8, chance.between(6, 13) * (puff % 5 ? 1 : 0.7)];
        const lift = chance.between(0, 5);
        ctx.moveTo(middle + radius, y + 8 - lift - radius * 0.5);
        ctx.ellipse(middle, y + 8 - lift - radius * 0.5, radius, radius * 0.8, 0, 0, Math.PI * 2);
      }
    });
  }
  land(ctx, mix(palette.haze, palette.sky[1], 0.55), swell(chance, 104, 12));
  const x = chance.between(170, 240);
  const fur = vertical(ctx, 40, 150, mix(palette.light, palette.haze, 0.45), mix(palette.haze, palette.dark, 0.5));
  for (const lean of [-1, 1]) {
    ctx.fillStyle = fur;
    ctx.beginPath();
    ctx.ellipse(x + lean * 17, 62, 8.5, 30, lean * 0.22, 0, Math.PI * 2);
    ctx.fill();
  }
  disc(ctx, fur, x, 112, 38);
  for (const side of [-1, 1]) {
    disc(ctx, palette.light, x + side * 13, 101, 5.2);
    disc(ctx, palette.dark, x + side * 12, 102, 2.8);
  }
  land(ctx, vertical(ctx, 120, HEIGHT, palette.haze, mix(palette.haze, palette.dark, 0.6)), swell(chance, 132, 7));
  land(ctx, vertical(ctx, 140, HEIGHT, mix(palette.haze, palette.dark, 0.35), palette.dark), swell(chance, 154, 6));
  for (let flower = 0; flower < 70; flower += 1) {
    const y = chance.between(136, 178);
    disc(ctx, chance.pick(["#fff3b0", "#ff9fb2", "#ffffff", palette.light]), chance.between(0, WIDTH), y, (y - 120) / 34);
  }
}

export const scenes = {
  ridges, planet, city, dunes, sea, forest, street, shapes, figure, profiles, corridor,
  meadow, window: windowLight,
};
