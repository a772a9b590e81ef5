// The stream viewer. Its state is the tick on show; `document.body.dataset` tells it to tests.

const KINDS = ["unread", "skip", "P 16\u00d716", "P 16\u00d78", "P 8\u00d716", "P 8\u00d78",
  "P 8\u00d78 ref 0", "intra 4\u00d74", "intra 16\u00d716", "I_PCM"];
// Of every kind the group that is drawn alike.
const GROUP = [0, 1, 2, 2, 2, 2, 2, 3, 3, 4];
const GROUPS = [
  ["not read", "#ff5fa8", 0.75], ["skip", null, 0], ["inter", "#56b4e9", 0.42],
  ["intra", "#f0b030", 0.6], ["I_PCM", "#c84a00", 0.85],
];
const REFERENCES = [
  ["intra", "#f0b030", 0.6], ["LTR 0", "#56b4e9", 0.42], ["LTR 1", "#b6f27c", 0.42],
  ["several", "#ffffff", 0.6], ["not named", "#ff5fa8", 0.75],
];
const MODES = [
  ["slice", "slice map", "s"], ["reference", "references", "r"], ["owner", "owners", "w"],
  ["qp", "QP", "q"], ["none", "picture only", "n"],
];
// Points of cividis, as in the heat maps: dark is a low QP.
const RAMP = [[0, 34, 78], [66, 78, 108], [124, 123, 120], [187, 175, 108], [254, 232, 56]];
const SLICE_BORDER = "#ff9ac1";
const KEYS = [
  ["\u2190 \u2192", "previous, next picture"], ["\u21e7\u2190 \u21e7\u2192", "previous, next tick"],
  ["c", "next CHANGED (\u21e7 back)"], ["p", "next problem (\u21e7 back)"],
  ["Home End", "first, last"], ["Space", "play"], ["s r w q n", "map"], ["o", "overlays"],
];

// The lowest and the highest QP of the whole stream, so that a colour means the same in all of it.
function qpRange(facts) {
  const all = facts.flatMap((fact) => fact[1] ?? []);
  return all.length ? [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))]
    : [0, 51];
}

class Viewer {
  constructor(data) {
    this.data = data;
    this.count = data.ticks.class.length;
    this.pictureOf = new Int32Array(this.count).fill(-1); // standing on each tick
    for (let p = 0; p < data.pictures.length; p++) {
      const end = p + 1 < data.pictures.length ? data.pictures[p + 1] : this.count;
      this.pictureOf.fill(p, data.pictures[p], end);
    }
    this.chunks = new Map();
    this.range = qpRange(data.maps.facts);
    this.tick = 0;
    this.mode = "slice";
    this.overlays = true;
    this.source = null;
    this.shownPicture = -1; // what stands on the canvas
    this.build();
  }

  // One byte a macroblock: kind, and reference times 16.
  async mapOf(picture) {
    const {maps, columns, rows} = this.data;
    const number = Math.floor(picture / maps.chunk);
    if (!(number in maps.chunks)) return null;
    if (!this.chunks.has(number)) {
      if (this.chunks.size > 8) this.chunks.delete(this.chunks.keys().next().value);
      this.chunks.set(number, inflate(maps.chunks[number]));
    }
    const size = columns * rows;
    const from = (picture % maps.chunk) * size;
    const bytes = await this.chunks.get(number);
    return from + size <= bytes.length ? bytes.subarray(from, from + size) : null;
  }

  // QP of every macroblock, or null where they are all that of the picture's facts.
  async qpsOf(picture) {
    const packed = this.data.maps.qps[picture];
    return packed === undefined ? null : inflate(packed);
  }

  // The QP of a macroblock of the picture on show; null where it was not read.
  qpAt(place) {
    const fact = this.data.maps.facts[this.pictureOf[this.tick]];
    if (!this.map || !(this.map[place] & 15) || !fact || !fact[1]) return null;
    return this.qps ? this.qps[place] : fact[1][0];
  }

  // The slice, from 0, that a macroblock of the picture on show belongs to.
  sliceAt(place) {
    const firsts = this.data.maps.slices[this.pictureOf[this.tick]] ?? [0];
    return firsts.findLastIndex((first) => first <= place);
  }

  build() {
    const d = this.data;
    const app = document.getElementById("app");
    this.screen = element("canvas", {width: d.width, height: d.height, className: "screen"});
    this.over = element("canvas", {className: "over", tabIndex: 0, role: "img",
      ariaLabel: "Picture with the map of its macroblocks"});
    this.pending = element("p", {className: "pending", hidden: true, role: "status"});
    this.stage = element("div", {className: "stage"}, this.screen, this.over, this.pending);
    this.stage.style.aspectRatio = `${d.width} / ${d.height}`;
    // As large as leaves room for what stands above and below.
    this.stage.style.width = `min(100%, calc(max(240px, 100vh - 215px) * ${d.width / d.height}))`;
    this.note = element("div", {className: "note", hidden: true});
    this.strip = element("canvas", {className: "strip", title: "Click to go to a tick", tabIndex: 0,
      role: "slider", ariaLabel: "Tick", ariaValueMin: "0", ariaValueMax: String(this.count - 1)});
    this.head = element("div", {className: "tick", ariaLive: "polite"});
    this.standing = element("p", {className: "standing faint"});
    this.back = element("a", {textContent: "\u2190 report", hidden: !LINKED,
      title: "this tick in the timeline of report.html, beside this page"});
    this.pill = element("span", {className: "pill"});
    this.facts = element("dl");
    this.mbFacts = element("p", {className: "mb faint"});
    this.warning = element("div", {className: "warning", hidden: true});
    this.legend = element("div", {className: "legend"});
    this.modes = element("div", {className: "modes"});
    for (const [mode, name, key] of MODES) {
      this.modes.append(element("button", {textContent: name, title: `key ${key}`,
        onclick: () => this.setMode(mode), value: mode}));
    }
    this.modes.append(element("button", {textContent: "overlays", value: "overlays",
      title: "key o", onclick: () => this.toggleOverlays()}));
    const keys = element("p", {className: "keys"});
    for (const [key, what] of KEYS) {
      keys.append(element("kbd", {textContent: key}), element("span", {textContent: what}));
    }
    const button = (text, title, act) => element("button", {textContent: text, title, onclick: act});
    const moves = element("div", {className: "moves"},
      button("first", "Home", () => this.go(0)),
      button("\u25c0 previous", "left", () => this.step(-1)),
      button("next \u25b6", "right", () => this.step(1)),
      button("last", "End", () => this.go(this.count - 1)),
      button("next CHANGED", "key c", () => this.nextChanged(1)),
      element("button", {textContent: "next problem", title: "key p",
        disabled: d.problems.length === 0, onclick: () => this.nextProblem(1)}));
    app.append(
      element("header", {}, element("h1", {textContent: d.title}),
        element("span", {className: "faint", textContent:
          `${d.width}\u00d7${d.height}, ${this.count} ticks at ${d.fps}/s, ` +
          `${d.pictures.length} pictures, ${d.problems.length} problems`}), this.back),
      element("main", {},
        element("section", {}, this.note, this.stage, this.strip,
          element("div", {className: "bar"}, moves, this.modes), this.legend),
        element("aside", {}, element("div", {className: "head"}, this.head, this.pill),
          this.standing, this.warning, this.facts, this.mbFacts, keys)));
    this.over.addEventListener("mousemove", (event) => this.point(event));
    this.over.addEventListener("mouseleave", () => { this.mbFacts.textContent = ""; });
    const jump = (event) => {
      const box = this.strip.getBoundingClientRect();
      const part = (event.clientX - box.left) / box.width;
      this.go(Math.floor(part * this.count));
    };
    this.strip.addEventListener("pointerdown", (event) => {
      this.strip.setPointerCapture(event.pointerId);
      jump(event);
    });
    this.strip.addEventListener("pointermove", (event) => { if (event.buttons & 1) jump(event); });
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("hashchange", () => this.fromHash());
    // A video presents nothing in a background tab.
    document.addEventListener("visibilitychange", () => document.hidden || this.show());
    window.addEventListener("resize", () => { this.drawStrip(); this.drawOver(); });
  }

  say(text, choose = false) {
    this.note.replaceChildren(text);
    this.note.hidden = false;
    if (choose) {
      const input = element("input", {type: "file", accept: "video/mp4"});
      input.addEventListener("change", async () => {
        const bytes = new Uint8Array(await input.files[0].arrayBuffer());
        const end = this.data.stream.offsets.at(-1) + this.data.stream.sizes.at(-1);
        if (bytes.length < end) {
          this.say(`That file is not this recording's ${this.data.stream.file}.`, true);
          return;
        }
        this.source = new DecodedPictures(this.data, bytes);
        this.screen.width = this.data.width; // forgets what the video drew, and its origin
        this.shownPicture = -1;
        this.note.hidden = true;
        this.show();
      });
      this.note.append(" ", input);
    }
  }

  async open() {
    this.fromHash();
    this.source = await openPictures(this.data, (text, choose) => this.say(text, choose));
    await this.show();
    document.body.dataset.ready = "1";
  }

  fromHash() {
    const match = /tick=(\d+)/.exec(location.hash);
    this.go(match ? Number(match[1]) : this.tick, false);
  }

  // Who moves stops what plays.
  go(tick, remember = true) {
    this.playing = null;
    const shown = this.stand(tick);
    if (remember) this.remember();
    return shown;
  }

  stand(tick) {
    this.tick = Math.max(0, Math.min(this.count - 1, tick));
    return this.show();
  }

  // Puts the tick into the address, ten times a second at most: of two hundred in ten seconds
  // Chrome ignores the rest, and a held key makes more.
  remember() {
    this.remembering ??= setTimeout(() => {
      this.remembering = undefined;
      try {
        history.replaceState(null, "", `#tick=${this.tick}`);
      } catch { /* pages without an address of their own have no history */ }
    }, 100);
  }

  // The next picture's tick; a tick without a picture shows the one that stands.
  step(direction) {
    const pictures = this.data.pictures;
    const here = this.pictureOf[this.tick];
    let to = here + direction;
    if (direction < 0 && here >= 0 && pictures[here] < this.tick) to = here;
    if (to >= 0 && to < pictures.length) return this.go(pictures[to]);
    return null;
  }

  nextChanged(direction) { return this.goIfAny(nextChanged(this.data, this.tick, direction)); }
  nextProblem(direction) { return this.goIfAny(nextProblem(this.data, this.tick, direction)); }
  goIfAny(tick) { return tick === null ? null : this.go(tick); }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target.closest("button, input, a")) return; // presses it
    const back = event.shiftKey ? -1 : 1;
    const acts = {
      ArrowLeft: () => event.shiftKey ? this.go(this.tick - 1) : this.step(-1),
      ArrowRight: () => event.shiftKey ? this.go(this.tick + 1) : this.step(1),
      Home: () => this.go(0), End: () => this.go(this.count - 1),
      c: () => this.nextChanged(back), p: () => this.nextProblem(back),
      o: () => this.toggleOverlays(), " ": () => this.play(),
    };
    for (const [mode, , key] of MODES) acts[key] = () => this.setMode(mode);
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key !== " ") this.playing = null;
    act();
  }

  async play() {
    const playing = this.playing = this.playing ? null : {};
    if (!playing) return;
    const began = performance.now();
    const from = this.tick;
    while (this.playing === playing && this.tick < this.count - 1) {
      const due = from + Math.floor((performance.now() - began) / 1000 * this.data.fps);
      if (due > this.tick) await this.stand(due);
      await new Promise((wake) => requestAnimationFrame(wake));
    }
    if (this.playing === playing) this.playing = null;
    this.remember();
  }

  setMode(mode) {
    this.mode = mode;
    this.drawOver();
  }

  toggleOverlays() {
    this.overlays = !this.overlays;
    this.drawOver();
  }

  async show() {
    const tick = this.tick;
    const picture = this.pictureOf[tick];
    this.awaiting(null);
    this.tell(tick, picture);
    this.drawStrip();
    const map = picture < 0 ? null : await this.mapOf(picture);
    const qps = picture < 0 ? null : await this.qpsOf(picture);
    if (tick !== this.tick) return;
    [this.map, this.qps] = [map, qps];
    this.drawOver();
    let problem = "";
    if (this.source && picture >= 0 && this.shownPicture !== picture) {
      this.awaiting(picture);
      try {
        const image = await this.source.get(picture);
        if (!image || tick !== this.tick) return;
        this.screen.getContext("2d").drawImage(image, 0, 0, this.data.width, this.data.height);
        this.shownPicture = picture;
      } catch (error) {
        if (tick !== this.tick) return; // what is on screen now is another picture
        problem = `The browser shows no picture ${picture}: ${error.message}`;
        this.shownPicture = -1;
        this.screen.getContext("2d").clearRect(0, 0, this.data.width, this.data.height);
      }
      this.awaiting(null);
    }
    if (problem) this.warn([problem, ...problemsAt(this.data, tick)]);
    Object.assign(document.body.dataset, {tick, picture, drawn: this.shownPicture,
      class: CLASSES[this.data.ticks.class[tick]]});
  }

  // Says so where a picture takes long: until it comes, another one is on screen. null: it came.
  awaiting(picture) {
    clearTimeout(this.slow);
    this.pending.hidden = true;
    if (picture === null) return;
    this.slow = setTimeout(() => {
      this.pending.textContent = `picture ${picture} is being decoded`;
      this.pending.hidden = false;
    }, 400);
  }

  warn(lines) {
    this.warning.hidden = lines.length === 0;
    this.warning.replaceChildren(...lines.map((text) => element("p", {textContent: text})));
  }

  tell(tick, picture) {
    const d = this.data;
    this.head.textContent = `tick ${tick}`;
    this.head.append(element("span", {className: "faint",
      textContent: `${(tick / d.fps).toFixed(2)} s`}));
    this.strip.ariaValueNow = String(tick);
    this.back.href = `report.html#tick=${tick}`;
    const stands = picture >= 0 && d.pictures[picture] < tick;
    this.standing.hidden = !stands;
    if (stands) {
      this.standing.textContent = `No picture was written: picture ${picture} of tick ` +
        `${d.pictures[picture]} stands, shown with its map.`;
    }
    const kind = d.ticks.class[tick];
    this.pill.textContent = CLASSES[kind];
    this.pill.style.background = COLOURS.class[kind];
    const facts = tickFacts(d, tick).filter(([name]) => name !== "class");
    const coded = picture < 0 ? null : d.maps.facts[picture];
    if (coded) {
      const [slices, qp, ltr0, ltr1, becomes, kinds] = coded;
      const named = (p) => p === null ? "none" : `picture ${p}, tick ${d.pictures[p]}`;
      const groups = [0, 0, 0, 0, 0];
      kinds.forEach((n, k) => { groups[GROUP[k]] += n; });
      const used = GROUPS.map(([name], g) => [name, groups[g]]).filter(([, n]) => n);
      const standing = d.pictures[picture] < tick ? ` (of tick ${d.pictures[picture]})` : "";
      facts.push(
        ["on screen", `picture ${picture}${standing}`],
        ["macroblocks", used.map(([name, n]) => `${n} ${name}`).join(", ")],
        ["QP, slices", `${qp === null ? "not read" : qp[0] === qp[1] ? qp[0] : qp.join(" to ")}, ${slices}`],
        ["LTR 0 is", named(ltr0)], ["LTR 1 is", named(ltr1)],
        ["becomes", becomes === null ? "no long-term reference" : `LTR ${becomes}`]);
    }
    this.facts.replaceChildren(...facts.flatMap(([name, text]) =>
      [element("dt", {textContent: name}), element("dd", {textContent: text})]));
    this.warn(problemsAt(d, tick));
  }

  regionsNow() {
    // The regions of the picture on screen.
    const picture = this.pictureOf[this.tick];
    if (picture < 0) return [];
    return this.data.regions[this.data.ticks.regions[this.data.pictures[picture]]];
  }

  ownerAt(x, y) {
    return this.regionsNow().findIndex(([rx, ry, w, h]) =>
      x * 16 >= rx && x * 16 < rx + w && y * 16 >= ry && y * 16 < ry + h);
  }

  point(event) {
    const d = this.data;
    const box = this.over.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * d.width / 16);
    const y = Math.floor((event.clientY - box.top) / box.height * d.height / 16);
    const value = this.map ? this.map[y * d.columns + x] : undefined;
    if (value === undefined) return;
    const owner = this.ownerAt(x, y);
    const place = y * d.columns + x;
    const qp = this.qpAt(place);
    this.mbFacts.textContent = `macroblock ${x}, ${y}: ${KINDS[value & 15]}, from ` +
      `${REFERENCES[value >> 4][0]}, ${qp === null ? "" : `QP ${qp}, `}` +
      `slice ${this.sliceAt(place) + 1}, ${owner < 0 ? "page" : `region ${owner + 1}`}`;
  }

  styles() {
    if (this.mode === "slice") return GROUPS;
    if (this.mode === "reference") return REFERENCES;
    if (this.mode === "owner") {
      return [["page", null, 0], ...this.regionsNow().map((_, n) =>
        [`region ${n + 1}`, COLOURS.region[n % COLOURS.region.length], 0.45])];
    }
    return [];
  }

  qpColour(qp) {
    const [low, high] = this.range;
    const at = (high > low ? (qp - low) / (high - low) : 0.5) * (RAMP.length - 1);
    const from = Math.min(Math.floor(at), RAMP.length - 2);
    const mixed = RAMP[from].map((v, n) => Math.round(v + (RAMP[from + 1][n] - v) * (at - from)));
    return `rgb(${mixed.join(" ")})`;
  }

  drawQps(c, sx, sy) {
    const d = this.data;
    const legible = 16 * sx >= 20;
    c.font = "11px system-ui, sans-serif";
    c.textAlign = "center";
    for (let y = 0; y < d.rows; y++) {
      for (let x = 0; x < d.columns; x++) {
        const qp = this.qpAt(y * d.columns + x);
        if (qp === null) continue;
        c.globalAlpha = 0.6;
        c.fillStyle = this.qpColour(qp);
        c.fillRect(x * 16 * sx, y * 16 * sy, 16 * sx - 0.6, 16 * sy - 0.6);
        if (!legible) continue;
        c.globalAlpha = 1;
        c.fillStyle = "#fff";
        c.fillText(qp, (x + 0.5) * 16 * sx, (y + 0.5) * 16 * sy + 4);
      }
    }
    c.textAlign = "start";
  }

  // Lines where a macroblock's neighbour, left or above, is in another slice.
  drawSlices(c, sx, sy) {
    const d = this.data;
    const firsts = d.maps.slices[this.pictureOf[this.tick]];
    if (!firsts) return;
    const mbs = d.columns * d.rows;
    const slice = new Uint16Array(mbs);
    firsts.forEach((first, n) => slice.fill(n, first, mbs));
    c.beginPath();
    for (let place = 0; place < mbs; place++) {
      const [x, y] = [place % d.columns * 16 * sx, Math.floor(place / d.columns) * 16 * sy];
      if (place % d.columns && slice[place - 1] !== slice[place]) {
        c.moveTo(x, y);
        c.lineTo(x, y + 16 * sy);
      }
      if (place >= d.columns && slice[place - d.columns] !== slice[place]) {
        c.moveTo(x, y);
        c.lineTo(x + 16 * sx, y);
      }
    }
    for (const [colour, width] of [["#000a", 3.4], [SLICE_BORDER, 1.6]]) {
      c.strokeStyle = colour;
      c.lineWidth = width;
      c.stroke();
    }
  }

  drawOver() {
    const d = this.data;
    const width = this.stage.clientWidth;
    const height = this.stage.clientHeight;
    const c = fit(this.over, width, height);
    c.clearRect(0, 0, width, height);
    const [sx, sy] = [width / d.width, height / d.height];
    const styles = this.styles();
    const hatches = {3: hatch(c, "#000a", 1, 6), 4: hatch(c, "#000c", -1, 4, 1.6)};
    if (this.mode === "qp") this.drawQps(c, sx, sy);
    if (this.map && styles.length) {
      for (let y = 0; y < d.rows; y++) {
        for (let x = 0; x < d.columns; x++) {
          const value = this.map[y * d.columns + x];
          const index = this.mode === "slice" ? GROUP[value & 15]
            : this.mode === "reference" ? value >> 4 : this.ownerAt(x, y) + 1;
          const [, colour, alpha] = styles[index];
          if (!colour) continue;
          // What is skipped predicts too, and would hide the picture.
          c.globalAlpha = this.mode === "reference" && (value & 15) === 1 ? alpha / 2.5 : alpha;
          c.fillStyle = colour;
          const at = [x * 16 * sx, y * 16 * sy, 16 * sx - 0.6, 16 * sy - 0.6];
          c.fillRect(...at);
          if (this.mode === "slice" && hatches[index]) {
            c.fillStyle = hatches[index];
            c.fillRect(...at);
          }
        }
      }
    }
    c.globalAlpha = 1;
    if (this.overlays) {
      this.drawSlices(c, sx, sy);
      this.regionsNow().forEach(([x, y, w, h], n) => {
        c.strokeStyle = COLOURS.region[n % COLOURS.region.length];
        c.lineWidth = 2;
        c.strokeRect(x * sx + 1, y * sy + 1, w * sx - 2, h * sy - 2);
        c.font = "600 12px system-ui, sans-serif";
        c.fillStyle = c.strokeStyle;
        c.fillRect(x * sx, y * sy, 64, 17);
        c.fillStyle = "#101418";
        c.fillText(`region ${n + 1}`, x * sx + 5, y * sy + 13);
      });
      const [x, y, w, h] = d.rects[d.ticks.dirty[this.tick]];
      if (w) {
        c.lineWidth = 3;
        c.strokeStyle = "#000b";
        c.strokeRect(x * sx + 1, y * sy + 1, w * sx - 2, h * sy - 2);
        c.setLineDash([7, 5]);
        c.lineWidth = 1.6;
        c.strokeStyle = COLOURS.dirty;
        c.strokeRect(x * sx + 1, y * sy + 1, w * sx - 2, h * sy - 2);
        c.setLineDash([]);
      }
    }
    for (const button of this.modes.children) {
      const on = button.value === "overlays" ? this.overlays : button.value === this.mode;
      button.ariaPressed = String(on);
    }
    this.drawLegend(styles);
    document.body.dataset.mode = this.mode;
  }

  drawLegend(styles) {
    const keys = styles.map(([name, colour], index) => {
      const swatch = element("i");
      if (colour) swatch.style.background = colour;
      if (this.mode === "slice" && index > 2) swatch.className = index === 3 ? "hatch" : "cross";
      return element("span", {}, swatch, name);
    });
    if (this.mode === "qp") keys.push(...this.qpKeys());
    if (this.overlays) {
      if (this.data.maps.slices[this.pictureOf[this.tick]]) {
        const swatch = element("i", {className: "border"});
        swatch.style.borderTopColor = SLICE_BORDER;
        keys.push(element("span", {}, swatch, "slice border"));
      }
      keys.push(element("span", {}, element("i", {className: "frame"}), "region with its guard"),
        element("span", {}, element("i", {className: "dashed"}), "changed since the last tick"));
    }
    this.legend.replaceChildren(...keys);
  }

  // Up to six QPs of the stream's range with their colours.
  qpKeys() {
    const [low, high] = this.range;
    const count = Math.min(high - low + 1, 6);
    return Array.from({length: count}, (_, n) => {
      const qp = count > 1 ? Math.round(low + n * (high - low) / (count - 1)) : low;
      const swatch = element("i");
      swatch.style.background = this.qpColour(qp);
      return element("span", {}, swatch, `QP ${qp}`);
    });
  }

  drawStrip() {
    const width = this.strip.clientWidth || this.stage.clientWidth;
    if (!this.stripImage || this.stripWidth !== width) {
      this.stripWidth = width;
      this.stripImage = document.createElement("canvas");
      this.paintStrip(fit(this.stripImage, width, 44), width);
    }
    const c = fit(this.strip, width, 44);
    c.drawImage(this.stripImage, 0, 0, width, 44);
    const x = (this.tick + 0.5) / this.count * width;
    c.fillStyle = "#000";
    c.fillRect(x - 2.5, 0, 5, 44);
    c.fillStyle = "#fff";
    c.fillRect(x - 1, 0, 2, 44);
  }

  paintStrip(c, width) {
    const d = this.data;
    c.fillStyle = COLOURS.back;
    c.fillRect(0, 0, width, 44);
    const columns = Math.ceil(width);
    for (let x = 0; x < columns; x++) {
      const first = Math.floor(x / columns * this.count);
      const end = Math.max(first + 1, Math.floor((x + 1) / columns * this.count));
      let kind = 0;
      for (let t = first; t < end; t++) kind = Math.max(kind, d.ticks.class[t]);
      const height = [8, 16, 26][kind];
      c.fillStyle = COLOURS.class[kind];
      c.fillRect(x, 44 - height - 2, 1, height);
    }
    c.fillStyle = COLOURS.problem;
    for (const [first] of d.problems) {
      const x = (first + 0.5) / this.count * width;
      c.beginPath();
      c.moveTo(x - 5, 1);
      c.lineTo(x + 5, 1);
      c.lineTo(x, 10);
      c.fill();
    }
    c.strokeStyle = COLOURS.faint;
    for (const [, first] of d.phases) {
      const x = Math.round(first / this.count * width) + 0.5;
      c.beginPath();
      c.moveTo(x, 12);
      c.lineTo(x, 44);
      c.stroke();
    }
  }
}

(async () => {
  window.viewer = new Viewer(await unpack("facts"));
  await window.viewer.open();
})();
