// The timeline: one canvas for what is in view, one for the whole recording. Only the ticks in
// view are drawn, so that a long recording scrolls as a short one does.

const GUTTER = 108;
const LANES = {
  marks: [0, 18], problems: [18, 14], phases: [36, 24], classes: [66, 40], events: [110, 24],
  bytes: [142, 104], times: [256, 66], regions: [332, 72], axis: [406, 20],
};
const HEIGHT = 426;
const OVERVIEW = 40;

class Timeline {
  constructor(data, box) {
    this.data = data;
    this.count = data.ticks.class.length;
    this.first = 0;
    this.span = Math.max(1, this.count);
    this.tick = -1;
    this.rate = this.running(data.ticks.bytes, data.fps);
    this.most = {
      bytes: Math.max(1, ...this.largest(data.ticks.bytes)),
      rate: Math.max(1, ...this.largest(this.rate)),
      time: Math.max(1000 / data.fps * 0.5,
        ...this.largest(data.ticks.encode.map((e, i) => e + data.ticks.splice[i]))),
    };
    this.build(box);
    this.draw();
  }

  *largest(values) { // the largest of each thousand: arguments are limited
    for (let i = 0; i < values.length; i += 1000) yield Math.max(...values.slice(i, i + 1000));
  }

  // Bit/s over the second that ends with each tick.
  running(bytes, fps) {
    const out = new Float64Array(bytes.length);
    let sum = 0;
    for (let i = 0; i < bytes.length; i++) {
      sum += bytes[i] - (i >= fps ? bytes[i - fps] : 0);
      out[i] = sum * 8;
    }
    return out;
  }

  build(box) {
    this.detail = element("canvas", {className: "detail", tabIndex: 0, role: "slider",
      ariaLabel: "Timeline: class, bytes, times and regions of every tick",
      ariaValueMin: "0", ariaValueMax: String(this.count - 1), ariaValueNow: "0",
      ariaValueText: "no tick"});
    this.overview = element("canvas", {className: "overview"});
    this.facts = element("dl");
    this.screen = element("canvas");
    const button = (text, title, act) => element("button", {textContent: text, title, onclick: act});
    this.range = element("span", {className: "faint"});
    this.hint = element("span", {className: "faint"});
    const tools = element("div", {className: "tools"},
      button("all", "the whole recording (key 0)", () => this.view(0, this.count)),
      button("\u2212", "wider view (key -)", () => this.zoom(2)),
      button("+", "closer view (key +)", () => this.zoom(0.5)),
      button("next CHANGED", "key c, back \u21e7 c", () => this.show(nextChanged(this.data, this.tick, 1))),
      button("next problem", "key p, back \u21e7 p", () => this.show(nextProblem(this.data, this.tick, 1))),
      this.range, this.hint);
    this.hint.textContent = "drag to move, Ctrl and wheel to zoom; keys \u2190 \u2192 c p + \u2212 0" +
      (this.data.viewer ? "; click a tick, or Enter, for its picture" : "");
    box.replaceChildren(tools, element("div", {className: "timeline"}, this.detail, this.overview),
      element("div", {className: "tip"}, this.facts, this.screen));
    this.facts.append(element("dt", {textContent: "Point at a tick to see its facts."}));
    this.measure();
    this.listen();
    new ResizeObserver(() => {
      this.measure();
      this.draw();
    }).observe(this.detail.parentElement);
  }

  listen() {
    const canvas = this.detail;
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return; // the others have their menu
      from = {x: event.clientX, first: this.first, moved: false};
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from && event.buttons & 1) {
        const shift = event.clientX - from.x;
        from.moved = from.moved || Math.abs(shift) > 4;
        if (from.moved) this.view(from.first - shift / this.scale, this.span);
      }
      this.point(this.tickAt(event));
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from && !from.moved) this.openPicture(this.tickAt(event));
      from = null;
    });
    canvas.addEventListener("wheel", (event) => {
      const across = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.tickAt(event));
      else if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        this.view(this.first + across / this.scale, this.span);
      } else return; // the page scrolls
      event.preventDefault();
    }, {passive: false});
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const back = event.shiftKey ? -1 : 1;
      const acts = {
        ArrowLeft: () => this.walk(-1), ArrowRight: () => this.walk(1),
        Home: () => this.walk(-this.count), End: () => this.walk(this.count),
        c: () => this.show(nextChanged(this.data, this.tick, back)),
        p: () => this.show(nextProblem(this.data, this.tick, back)),
        "+": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.view(0, this.count),
        Enter: () => this.openPicture(this.tick),
      };
      const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    const jump = (event) => {
      const box = this.overview.getBoundingClientRect();
      const tick = (event.clientX - box.left - GUTTER) / (box.width - GUTTER) * this.count;
      this.view(tick - this.span / 2, this.span);
    };
    this.overview.addEventListener("pointerdown", (event) => {
      this.overview.setPointerCapture(event.pointerId);
      if (this.span >= this.count) this.span = Math.max(20, this.count / 8);
      jump(event);
    });
    this.overview.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) jump(event);
    });
  }

  // Asked for once: the browser lays out the page to answer.
  measure() { this.width = Math.max(50, this.detail.clientWidth - GUTTER); }
  get scale() { return this.width / this.span; } // pixels a tick
  x(tick) { return GUTTER + (tick - this.first) * this.scale; }

  tickAt(event) {
    const box = this.detail.getBoundingClientRect();
    const tick = Math.floor(this.first + (event.clientX - box.left - GUTTER) / this.scale);
    return event.clientX - box.left < GUTTER || tick >= this.count ? -1 : tick;
  }

  view(first, span) {
    this.span = Math.min(this.count || 1, Math.max(Math.min(20, this.count), span));
    this.first = Math.max(0, Math.min(this.count - this.span, first));
    this.draw();
  }

  zoom(factor, around = -1) {
    const at = around >= 0 ? around : this.first + this.span / 2;
    const span = Math.min(this.count, Math.max(20, this.span * factor));
    this.view(at - (at - this.first) * span / this.span, span);
  }

  walk(step) {
    const tick = Math.max(0, Math.min(this.count - 1, this.tick + step));
    if (tick < this.first || tick >= this.first + this.span) {
      this.view(tick - this.span / 2, this.span);
    }
    this.point(tick);
  }

  // Points at a tick and has it in view, close enough to see it; null: nothing to go to.
  show(tick) {
    if (tick === null) return;
    const span = Math.min(this.span, Math.max(this.data.fps * 8, 20));
    if (span < this.span || tick < this.first || tick >= this.first + this.span) {
      this.view(tick - span / 2, span);
    }
    this.point(Math.max(0, Math.min(this.count - 1, tick)));
  }

  openPicture(tick) {
    if (tick < 0 || !this.data.viewer) return;
    if (LINKED) window.open(`${this.data.viewer}#tick=${tick}`, "viewer");
    else this.hint.textContent = `see tick ${tick} in the stream viewer, attached beside this report`;
  }

  // Where in the lanes something at `x` is drawn so that an edge does not cut it.
  inside(x, half) {
    return Math.max(GUTTER + half, Math.min(GUTTER + this.width - half, x));
  }

  point(tick) {
    if (tick === this.tick) return;
    this.tick = tick;
    this.detail.dataset.tick = tick;
    this.draw();
    if (tick < 0) return;
    const d = this.data;
    this.detail.ariaValueNow = String(tick);
    this.detail.ariaValueText = `tick ${tick} at ${(tick / d.fps).toFixed(2)} s, ` +
      [CLASSES[d.ticks.class[tick]], ...problemsAt(d, tick)].join(", ");
    const pairs = [["tick", `${tick} at ${(tick / d.fps).toFixed(2)} s`],
      ["bitrate", `${(this.rate[tick] / 1e6).toFixed(2)} Mbit/s over 1 s`], ...tickFacts(d, tick)];
    const rows = pairs.flatMap(([name, text]) =>
      [element("dt", {textContent: name}), element("dd", {textContent: text})]);
    for (const text of problemsAt(d, tick).slice(0, 3)) {
      rows.push(element("dt", {textContent: "problem"}),
        element("dd", {textContent: text, className: "bad"}));
    }
    this.facts.replaceChildren(...rows);
    const height = Math.round(240 * d.height / d.width);
    const c = fit(this.screen, 240, height);
    const s = 240 / d.width;
    c.fillStyle = "#0b0e12";
    c.fillRect(0, 0, 240, height);
    d.regions[d.ticks.regions[tick]].forEach(([x, y, w, h], n) => {
      c.fillStyle = c.strokeStyle = COLOURS.region[n % 8];
      c.globalAlpha = 0.35;
      c.fillRect(x * s, y * s, w * s, h * s);
      c.globalAlpha = 1;
      c.strokeRect(x * s + 0.5, y * s + 0.5, w * s - 1, h * s - 1);
    });
    const [x, y, w, h] = d.rects[d.ticks.dirty[tick]];
    if (w) {
      c.setLineDash([4, 3]);
      c.strokeStyle = COLOURS.dirty;
      c.strokeRect(x * s + 0.5, y * s + 0.5, w * s - 1, h * s - 1);
      c.setLineDash([]);
    }
  }

  draw() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = 0;
      this.drawDetail();
      this.drawOverview();
      Object.assign(this.detail.dataset, {first: Math.round(this.first),
        span: Math.round(this.span), draws: Number(this.detail.dataset.draws || 0) + 1});
      this.range.textContent = `${(this.first / this.data.fps).toFixed(1)} to ` +
        `${((this.first + this.span) / this.data.fps).toFixed(1)} s`;
    });
  }

  label(c, lane, text, second = "") {
    const [top, height] = LANES[lane];
    c.fillStyle = COLOURS.faint;
    c.font = "12px system-ui, sans-serif";
    c.textAlign = "right";
    c.fillText(text, GUTTER - 10, top + Math.min(height / 2 + 4, 14));
    if (second) {
      c.font = "11px system-ui, sans-serif";
      c.fillText(second, GUTTER - 10, top + 28);
    }
    c.textAlign = "left";
  }

  // What is in view is kept, so that pointing at ticks draws the pointer's bar alone.
  drawDetail() {
    const whole = this.detail.clientWidth;
    const key = `${this.first} ${this.span} ${whole} ${window.devicePixelRatio}`;
    if (this.layerKey !== key) {
      this.layerKey = key;
      this.layer = this.layer || document.createElement("canvas");
      this.drawLayer(fit(this.layer, whole, HEIGHT), whole);
    }
    const c = fit(this.detail, whole, HEIGHT);
    c.drawImage(this.layer, 0, 0, whole, HEIGHT);
    if (this.tick >= 0 && this.x(this.tick + 1) > GUTTER) {
      c.fillStyle = "#fff3";
      c.fillRect(Math.max(GUTTER, this.x(this.tick)), 0, Math.max(1.5, this.scale), HEIGHT);
    }
  }

  drawLayer(c, whole) {
    c.fillStyle = COLOURS.back;
    c.fillRect(0, 0, whole, HEIGHT);
    this.label(c, "marks", "marks");
    if (this.data.problems.length) this.label(c, "problems", "problems");
    this.label(c, "phases", "phases");
    this.label(c, "classes", "class");
    this.label(c, "events", "presents");
    this.label(c, "bytes", "bytes", `to ${(this.most.bytes / 1000).toFixed(0)} kB`);
    this.label(c, "times", "encode, splice", `to ${this.most.time.toFixed(0)} ms`);
    this.label(c, "regions", "regions", "top to bottom");
    c.fillStyle = COLOURS.rate;
    c.font = "11px system-ui, sans-serif";
    c.textAlign = "right";
    c.fillText("bitrate", GUTTER - 10, LANES.bytes[0] + 50);
    c.fillText(`to ${(this.most.rate / 1e6).toFixed(1)} Mbit/s`, GUTTER - 10, LANES.bytes[0] + 64);
    c.textAlign = "left";
    c.save();
    c.beginPath();
    c.rect(GUTTER, 0, whole - GUTTER, HEIGHT);
    c.clip();
    this.drawAxis(c);
    this.drawPhases(c);
    const from = Math.max(0, Math.floor(this.first));
    const end = Math.min(this.count, Math.ceil(this.first + this.span));
    if (this.scale >= 1) this.drawTicks(c, from, end);
    else this.drawColumns(c, from, end);
    this.drawEvents(c, from, end);
    this.drawRate(c, from, end);
    this.drawRegions(c, from, end);
    this.drawMarks(c, from, end);
    c.restore();
  }

  // Lines at round seconds, with their times below; a minute and more as 1:05.
  drawAxis(c) {
    const [top] = LANES.axis;
    const second = this.scale * this.data.fps; // pixels
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]
      .find((s) => s * second >= 64) || 7200;
    const begin = Math.ceil(this.first / this.data.fps / step - 1e-9);
    const end = (this.first + this.span) / this.data.fps;
    c.font = "11px system-ui, sans-serif";
    c.textAlign = "center";
    for (let n = begin; n * step <= end + 1e-9; n++) {
      const time = n * step;
      const x = this.x(time * this.data.fps);
      c.fillStyle = COLOURS.line;
      c.fillRect(x, LANES.classes[0], 1, top - LANES.classes[0] + 4);
      const text = time < 60 ? `${time.toFixed(step < 1 ? 1 : 0)} s`
        : `${Math.floor(time / 60)}:${(time % 60).toFixed(step < 1 ? 1 : 0).padStart(step < 1 ? 4 : 2, "0")}`;
      c.fillStyle = COLOURS.faint;
      c.fillText(text, this.inside(x, c.measureText(text).width / 2 + 2), top + 15);
    }
    c.textAlign = "left";
  }

  drawPhases(c) {
    const [top, height] = LANES.phases;
    this.data.phases.forEach(([name, first, end], n) => {
      const [x, right] = [this.x(first), this.x(end)];
      if (right < GUTTER || x > GUTTER + this.width) return;
      c.fillStyle = n % 2 ? "#2a3541" : "#212a34";
      c.fillRect(x, top, right - x, height);
      c.fillStyle = n % 2 ? "#ffffff08" : "#0000";
      c.fillRect(x, top + height, right - x, HEIGHT);
      const left = Math.max(x, GUTTER);
      c.fillStyle = COLOURS.text;
      c.font = "12.5px system-ui, sans-serif";
      const room = Math.min(right, GUTTER + this.width) - left - 10;
      c.fillText(shortened(c, `${n + 1}  ${name}`, `${n + 1}`, room), left + 6, top + 16);
    });
    const [bytes, size] = LANES.bytes;
    c.fillStyle = COLOURS.line;
    for (const y of [bytes + size, LANES.times[0] + LANES.times[1], LANES.classes[0] + LANES.classes[1]]) {
      c.fillRect(GUTTER, y, this.width, 1);
    }
  }

  // Square roots, so that small access units are seen beside a keyframe.
  byteHeight(bytes) { return Math.sqrt(bytes / this.most.bytes) * LANES.bytes[1]; }

  // Bars of the two lower lanes; `of(i)` gives x, width, bytes, encode, splice of one of them.
  // Colour by colour, since changing it costs more than a bar.
  drawBars(c, count, of) {
    const [byteTop, byteSize] = LANES.bytes;
    const [timeTop, timeSize] = LANES.times;
    const high = timeSize / this.most.time;
    const bars = Array.from({length: count}, (_, i) => of(i));
    c.fillStyle = COLOURS.encode;
    for (const [x, width, bytes, encode] of bars) {
      if (bytes) {
        const h = Math.max(1, this.byteHeight(bytes));
        c.fillRect(x, byteTop + byteSize - h, width, h);
      }
      if (encode) c.fillRect(x, timeTop + timeSize - encode * high, width, encode * high);
    }
    c.fillStyle = COLOURS.splice;
    for (const [x, width, , encode, splice] of bars) {
      if (splice) {
        c.fillRect(x, timeTop + timeSize - (encode + splice) * high, width, splice * high);
      }
    }
  }

  drawTicks(c, from, end) {
    const t = this.data.ticks;
    const [top, height] = LANES.classes;
    const width = Math.max(1, this.scale - (this.scale > 4 ? 1 : 0));
    const styles = COLOURS.class.map((colour) => [colour]);
    if (this.scale > 3) styles[1].push(hatch(c, "#0006", 1, 5));
    styles.forEach((fills, kind) => {
      const h = height * [0.3, 0.62, 0.96][kind];
      for (const fill of fills) {
        c.fillStyle = fill;
        for (let i = from; i < end; i++) {
          if (t.class[i] === kind) c.fillRect(this.x(i), top + height - h, width, h);
        }
      }
    });
    this.drawBars(c, end - from, (n) => {
      const i = from + n;
      return [this.x(i), width, t.bytes[i], t.encode[i], t.splice[i]];
    });
  }

  // More ticks than pixels: shares of the classes, and the largest of the others.
  drawColumns(c, from, end) {
    const t = this.data.ticks;
    const [top, height] = LANES.classes;
    const pixels = Math.ceil(this.width);
    const ticksOf = (p) => {
      const a = Math.max(from, Math.floor(this.first + p / this.scale));
      return [a, Math.min(end, Math.max(a + 1, Math.floor(this.first + (p + 1) / this.scale)))];
    };
    const shares = [0, 1, 2].map(() => new Float32Array(pixels));
    for (let p = 0; p < pixels; p++) {
      const [a, b] = ticksOf(p);
      for (let i = a; i < b; i++) shares[t.class[i]][p] += 1 / (b - a);
    }
    shares.forEach((share, kind) => { // a lane each, so that grey tells them apart as well
      c.fillStyle = COLOURS.class[kind];
      for (let p = 0; p < pixels; p++) {
        const h = share[p] * (height / 3 - 1);
        if (h) c.fillRect(GUTTER + p, top + height * (1 - kind / 3) - h, 1, h);
      }
    });
    this.drawBars(c, pixels, (p) => {
      const [a, b] = ticksOf(p);
      let [bytes, encode, splice] = [0, 0, 0];
      for (let i = a; i < b; i++) {
        bytes = Math.max(bytes, t.bytes[i]);
        if (t.encode[i] + t.splice[i] > encode + splice) [encode, splice] = [t.encode[i], t.splice[i]];
      }
      return [GUTTER + p, 1, bytes, encode, splice];
    });
  }

  drawEvents(c, from, end) {
    const t = this.data.ticks;
    const [top] = LANES.events;
    let busy = -9; // where the last present was drawn, so that dots do not pile up
    c.fillStyle = COLOURS.faint;
    for (let i = from; i < end; i++) {
      const x = this.x(i) + this.scale / 2;
      if (t.presents[i] && x - busy >= 2) {
        busy = x;
        const h = Math.min(8, 3 * t.presents[i]);
        c.fillRect(x - 0.75, top + 23 - h, 1.5, h);
      }
    }
    for (let i = from; i < end; i++) {
      const flags = t.flags[i];
      if (!flags && !t.dropped[i]) continue;
      const x = this.inside(this.x(i) + this.scale / 2, 6);
      if (flags & (FLAG.keyframe | FLAG.regionStart)) {
        const r = 5;
        c.beginPath();
        c.moveTo(x, top + 6 - r);
        c.lineTo(x + r, top + 6);
        c.lineTo(x, top + 6 + r);
        c.lineTo(x - r, top + 6);
        c.closePath();
        c.lineWidth = 1.6;
        c.fillStyle = c.strokeStyle = flags & FLAG.keyframe ? "#ffffff" : COLOURS.region[1];
        if (flags & FLAG.keyframe) c.fill();
        else c.stroke();
      }
      if (t.dropped[i]) {
        c.strokeStyle = COLOURS.problem;
        c.lineWidth = 2.4;
        c.beginPath();
        c.moveTo(x - 5, top + 1);
        c.lineTo(x + 5, top + 11);
        c.moveTo(x + 5, top + 1);
        c.lineTo(x - 5, top + 11);
        c.stroke();
      }
    }
  }

  drawRate(c, from, end) {
    const [top, height] = LANES.bytes;
    c.lineJoin = "round";
    for (const [colour, width] of [["#0b0e12", 4], [COLOURS.rate, 1.7]]) {
      c.strokeStyle = colour;
      c.lineWidth = width;
      c.beginPath();
      const step = Math.max(1, Math.floor(1 / this.scale));
      for (let i = from; i < end; i += step) {
        c.lineTo(this.x(i) + this.scale / 2, top + height * (1 - this.rate[i] / this.most.rate * 0.96));
      }
      c.stroke();
    }
    const budget = 1000 / this.data.fps;
    const [timeTop, timeSize] = LANES.times;
    if (budget < this.most.time) {
      const y = timeTop + timeSize * (1 - budget / this.most.time);
      c.setLineDash([6, 5]);
      c.strokeStyle = COLOURS.problem;
      c.lineWidth = 1;
      c.beginPath();
      c.moveTo(GUTTER, y);
      c.lineTo(GUTTER + this.width, y);
      c.stroke();
      c.setLineDash([]);
      const text = `one tick: ${budget.toFixed(1)} ms`;
      c.font = "11px system-ui, sans-serif";
      c.fillStyle = "#0b0e12cc";
      const wide = c.measureText(text).width;
      c.fillRect(GUTTER + this.width - wide - 8, y - 15, wide + 8, 13);
      c.fillStyle = COLOURS.problem;
      c.fillText(text, GUTTER + this.width - wide - 4, y - 5);
    }
  }

  drawRegions(c, from, end) {
    const d = this.data;
    const [top, height] = LANES.regions;
    c.fillStyle = "#0b0e12";
    c.fillRect(GUTTER, top, this.width, height);
    const s = height / d.height;
    // One box for each run of pictures with the same regions; a tick without a picture keeps
    // what stands.
    const flush = (number, a, b) => {
      d.regions[number].forEach(([, y, , h], n) => {
        c.fillStyle = c.strokeStyle = COLOURS.region[n % 8];
        const box = [this.x(a), top + y * s, Math.max(1, this.x(b) - this.x(a)), Math.max(2, h * s)];
        c.globalAlpha = 0.4;
        c.fillRect(...box);
        c.globalAlpha = 1;
        c.lineWidth = 1;
        if (box[2] > 3) c.strokeRect(box[0] + 0.5, box[1] + 0.5, box[2] - 1, box[3] - 1);
      });
    };
    let begin = from;
    let number = null;
    for (let i = from; i < end; i++) {
      if (d.ticks.picture[i] === 0) continue;
      if (number !== null && d.ticks.regions[i] !== number) {
        flush(number, begin, i);
        begin = i;
      }
      if (number === null) begin = i;
      number = d.ticks.regions[i];
    }
    if (number !== null) flush(number, begin, end);
  }

  drawMarks(c, from, end) {
    const d = this.data;
    const [phases, size] = LANES.phases;
    const [top] = LANES.problems;
    let busy = -1;
    c.font = "12px system-ui, sans-serif";
    for (const [name, time] of d.marks) {
      const x = this.x(time * d.fps);
      c.fillStyle = COLOURS.region[1];
      c.fillRect(x, 2, 1, phases - 2); // not through the phases' names
      c.fillRect(x, phases + size, 1, LANES.axis[0] - phases - size);
      if (x > busy) {
        c.fillText(name, x + 4, 13);
        busy = x + 8 + c.measureText(name).width;
      }
    }
    for (const [first, last] of d.problems) {
      if (last < from || first > end) continue;
      const x = this.inside(Math.max(this.x(first) + this.scale / 2, GUTTER), 6);
      c.fillStyle = COLOURS.problem;
      if (last - first > 1) c.fillRect(this.x(first), phases - 4, this.x(last) - this.x(first), 3);
      c.beginPath();
      c.moveTo(x - 5, top);
      c.lineTo(x + 5, top);
      c.lineTo(x, top + 11);
      c.fill();
    }
  }

  drawOverview() {
    const whole = this.overview.clientWidth;
    const c = fit(this.overview, whole, OVERVIEW);
    if (!this.small || this.smallWidth !== whole) {
      this.smallWidth = whole;
      this.small = document.createElement("canvas");
      const s = fit(this.small, whole, OVERVIEW);
      s.fillStyle = "#0f1419";
      s.fillRect(0, 0, whole, OVERVIEW);
      for (let p = 0; p < this.width; p++) {
        const a = Math.floor(p / this.width * this.count);
        const b = Math.max(a + 1, Math.floor((p + 1) / this.width * this.count));
        let [kind, bytes] = [0, 0];
        for (let i = a; i < Math.min(b, this.count); i++) {
          kind = Math.max(kind, this.data.ticks.class[i]);
          bytes = Math.max(bytes, this.data.ticks.bytes[i]);
        }
        s.fillStyle = COLOURS.class[kind];
        s.fillRect(GUTTER + p, OVERVIEW - [5, 9, 12][kind], 1, 12);
        s.fillStyle = "#5f7184";
        const h = Math.sqrt(bytes / this.most.bytes) * (OVERVIEW - 16);
        s.fillRect(GUTTER + p, OVERVIEW - 14 - h, 1, h);
      }
      s.fillStyle = COLOURS.faint;
      s.font = "12px system-ui, sans-serif";
      s.textAlign = "right";
      s.fillText("whole", GUTTER - 10, 24);
    }
    c.drawImage(this.small, 0, 0, whole, OVERVIEW);
    const a = GUTTER + this.first / (this.count || 1) * this.width;
    const b = GUTTER + (this.first + this.span) / (this.count || 1) * this.width;
    c.fillStyle = "#000a";
    c.fillRect(GUTTER, 0, a - GUTTER, OVERVIEW);
    c.fillRect(b, 0, GUTTER + this.width - b, OVERVIEW);
    c.strokeStyle = "#fff";
    c.strokeRect(a + 0.5, 0.5, Math.max(3, b - a - 1), OVERVIEW - 1);
  }
}

// Text that fits into `room` pixels: whole, or its beginning, or `least`, or nothing.
function shortened(c, text, least, room) {
  if (c.measureText(text).width <= room) return text;
  let length = text.length - 1;
  while (length > least.length + 2 && c.measureText(`${text.slice(0, length)}\u2026`).width > room) length--;
  if (length > least.length + 2) return `${text.slice(0, length).trimEnd()}\u2026`;
  return c.measureText(least).width <= room ? least : "";
}

// In a frame a link would leave it: headings are scrolled to, ticks are shown in the timeline.
function linkInFrame(timeline) {
  for (const link of document.querySelectorAll("a[href]")) {
    const tick = /tick=(\d+)/.exec(link.getAttribute("href"));
    const place = link.getAttribute("href").startsWith("#") && link.getAttribute("href").slice(1);
    link.removeAttribute("target");
    if (!place && (!tick || !timeline)) {
      link.removeAttribute("href");
      continue;
    }
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (tick) timeline.show(Number(tick[1]));
      document.getElementById(place || "section-timeline").scrollIntoView();
    });
  }
}

(async () => {
  const box = document.getElementById("timeline");
  const data = await unpack("facts");
  if (box && data.ticks.class.length) window.timeline = new Timeline(data, box);
  const asked = /^#tick=(\d+)$/.exec(location.hash); // from the viewer
  if (asked && window.timeline) {
    window.timeline.show(Number(asked[1]));
    document.getElementById("section-timeline").scrollIntoView();
  }
  if (!LINKED) linkInFrame(window.timeline);
  document.body.dataset.ready = "1";
})();
