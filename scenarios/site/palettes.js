// Colours of the artwork: a sky from top to horizon, a light, a haze, and the dark in front.

export const palettes = {
  amber: { sky: ["#1c1430", "#7a3b3a", "#f0a54a"], light: "#ffe2a0", haze: "#c96f3d", dark: "#170d14" },
  slate: { sky: ["#141a24", "#34465a", "#93a6b5"], light: "#eef3f4", haze: "#5d7284", dark: "#0b0f15" },
  spring: { sky: ["#2f7fb4", "#8ccbd8", "#f6efc2"], light: "#fff8d6", haze: "#7fb069", dark: "#16351f" },
  violet: { sky: ["#0d0a26", "#3c2273", "#b35fc0"], light: "#f7c9ff", haze: "#6b3fa0", dark: "#0a0619" },
  ember: { sky: ["#1a0b12", "#7e1f1f", "#ff7a38"], light: "#ffd08a", haze: "#b33c22", dark: "#12060a" },
  dusk: { sky: ["#1d2347", "#6a5687", "#f2a79a"], light: "#ffe0cf", haze: "#8a6c93", dark: "#10122a" },
  rose: { sky: ["#25103a", "#97316c", "#ff9a8b"], light: "#ffd9cf", haze: "#b54a7c", dark: "#14081f" },
  crimson: { sky: ["#14080d", "#5c1020", "#c9303a"], light: "#ffc7b0", haze: "#7d1b2b", dark: "#0b0407" },
  teal: { sky: ["#061d28", "#14606a", "#8fd0b5"], light: "#eafbe4", haze: "#2f8079", dark: "#04141a" },
  ice: { sky: ["#10233f", "#4f82ad", "#dcebf2"], light: "#ffffff", haze: "#86aecb", dark: "#0a1728" },
  cyan: { sky: ["#04101f", "#0b4a75", "#3fd0e0"], light: "#dffcff", haze: "#14708f", dark: "#030a14" },
};

// A #rrggbb colour with an opacity from 0 to 1.
export function fade(colour, opacity) {
  const byte = Math.round(Math.min(1, Math.max(0, opacity)) * 255);
  return colour + byte.toString(16).padStart(2, "0");
}

// A colour between two, `part` of the way.
export function mix(one, other, part) {
  const channel = (colour, at) => Number.parseInt(colour.slice(at, at + 2), 16);
  const between = (at) =>
    Math.round(channel(one, at) * (1 - part) + channel(other, at) * part)
      .toString(16)
      .padStart(2, "0");
  return `#${between(1)}${between(3)}${between(5)}`;
}
