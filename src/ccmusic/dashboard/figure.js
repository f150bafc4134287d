// Pictures of sounds, and curves, on canvases: signal_figures.py and verdict_figures.py say as JSON
// what is in each <div class="figure" data-figure="…">, and how its axes run. What this script
// knows of a figure the other scripts find as its property: `figure` of the element.
//
// Two switches of the page are for figures alone: all is drawn here as soon as one is touched.
const GAP = 6, LINE = 15; // pixels from an axis to its labels, and of a line of text
const FONT = 12;
const STEPS = 2; // of levels to a dB
const MAGNIFIED = 2; // pixels of a saved picture to one of the page
const DIM = 0.75; // of what does not support the genre
const MODES = ["zoom", "pan"];
const chosen = { as_networks: false, one_scale: false }; // the switches, by their keys
const ICONS = {
  zoom: "M7 3a4 4 0 1 0 0 8a4 4 0 1 0 0-8M10 10l4 4M5 7h4M7 5v4",
  pan: "M8 2v12M2 8h12M6 4l2-2 2 2M6 12l2 2 2-2M4 6L2 8l2 2M12 6l2 2-2 2",
  reset: "M3 8a5 5 0 1 0 2-4M5 1v3.5h3.5",
  fullscreen: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  download: "M8 2v8M5 7l3 3 3-3M3 13h10",
};

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const figures = () => [...document.querySelectorAll(".figure")].map((each) => each.figure).filter(Boolean);
const size = (canvas, width, height) => Object.assign(canvas, { width, height });
// Of each of `many` cells, `whole` of which lie along `count` coarse ones: the two coarse ones whose
// middles are at its sides, and how far it is from the first of them.
const between = (many, whole, count) =>
  Array.from({ length: many }, (_, i) => {
    const place = Math.min(count - 1, Math.max(0, ((i + 0.5) / whole) * count - 0.5)), first = Math.floor(place);
    return [first, Math.min(count - 1, first + 1), place - first];
  });
const fixed = (number, digits) => number.toFixed(digits).replace("-", "−");

// An axis from left to right or from top to bottom, `from` and `to` in its own unit.
class Axis {
  constructor(given) {
    Object.assign(this, given, { whole: [given.from, given.to], length: 1 });
  }
  pixel(value) {
    return ((value - this.from) / (this.to - this.from)) * this.length;
  }
  value(pixel) {
    return this.from + (pixel / this.length) * (this.to - this.from);
  }
  show([from, to]) {
    Object.assign(this, { from, to });
  }
  // Where in the whole axis what is shown begins, and how much of it that is; as shares.
  get part() {
    const [first, last] = this.whole;
    return [(this.from - first) / (last - first), (this.to - this.from) / (last - first)];
  }
  // Place among `count` cells along the whole axis.
  cell(pixel, count) {
    const [begin, share] = this.part;
    return Math.min(count - 1, Math.max(0, Math.floor((begin + (pixel / this.length) * share) * count)));
  }
  middle(cell, count) {
    const [first, last] = this.whole;
    return first + ((cell + 0.5) / count) * (last - first);
  }
  nearest(pixel) {
    return Math.min(this.names.length - 1, Math.max(0, Math.round(this.value(pixel))));
  }
  hertz(pixel) {
    return parseFloat(this.names[this.nearest(pixel)]);
  }
  marks(room) {
    const low = Math.min(this.from, this.to), high = Math.max(this.from, this.to);
    if (this.ticks) return this.ticks.filter(([place]) => place >= low && place <= high);
    const least = ((high - low) * room) / this.length;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = power * [1, 2, 5, 10].find((times) => times * power >= least);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => {
      const place = (first + i) * step;
      return [place, fixed(place, digits) + (this.unit ?? "")];
    });
  }
}

class Figure {
  constructor(root, data) {
    const spec = JSON.parse(root.dataset.figure);
    Object.assign(this, { root, spec, data, marks: {} });
    this.turn();
    this.base = this.layer("");
    if (spec.weights) this.over = this.layer("overlay");
    this.area = root.appendChild(document.createElement("div"));
    this.area.className = "area";
    root.append(this.buttons());
    if (spec.levels) {
      const codes = bytes(spec.levels);
      this.level = (i) => spec.loudest - codes[i] / STEPS;
      this.picture = this.cells((i, out, at) => {
        const colour = 3 * Math.round(255 * Math.min(1, Math.max(0, 1 + this.level(i) / spec.range)));
        for (let k = 0; k < 3; k++) out[at + k] = data.colours[colour + k];
        out[at + 3] = 255;
      });
    }
    if (spec.weights) {
      const { weights, size: [width, height], columns } = spec;
      this.rows = between(height, height, weights.length);
      this.columns = between(width, columns, weights[0].length);
      this.dim();
    }
    root.onmousemove = (event) => this.follow(event);
    root.onmouseleave = () => this.leave();
    new ResizeObserver(() => this.draw()).observe(root);
  }

  // Out of the flow even before the style sheet has come: each drawing would ask for a higher one.
  layer(className) {
    const canvas = this.root.appendChild(document.createElement("canvas"));
    canvas.style.position = "absolute";
    return Object.assign(canvas, { className });
  }

  // Time and pitch change places, the lowest note being at the left then.
  turn() {
    const { spec } = this, turned = Boolean(spec.levels) && (spec.turned ?? chosen.as_networks);
    const [x, y] = turned ? [{ ...spec.y, from: spec.y.to, to: spec.y.from }, spec.x] : [spec.x, spec.y];
    Object.assign(this, { turned, along: turned ? "y" : spec.time, x: new Axis(x), y: new Axis(y) });
  }
  weight(i) {
    const { weights, size: [width] } = this.spec;
    const [top, bottom, down] = this.rows[Math.floor(i / width)], [left, right, along] = this.columns[i % width];
    const above = weights[top][left] + along * (weights[top][right] - weights[top][left]);
    const below = weights[bottom][left] + along * (weights[bottom][right] - weights[bottom][left]);
    return above + down * (below - above);
  }
  dim() {
    const top = this.spec.strongest[Number(chosen.one_scale)];
    this.dimming = this.cells((i, out, at) => {
      out[at + 3] = 255 * DIM * (1 - Math.min(1, Math.max(0, this.weight(i) / top)));
    });
  }
  // As the switches say now.
  switched() {
    this.turn();
    if (this.spec.weights) this.dim();
    this.mark("region", null); // of other places
    this.draw();
  }

  get time() {
    return this.along && this[this.along];
  }
  get pitch() {
    return this.along === "x" ? this.y : this.x;
  }

  cells(paint) {
    const [width, height] = this.spec.size;
    const canvas = size(document.createElement("canvas"), width, height);
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) paint(i, image.data, 4 * i);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  // ---- drawing
  draw() {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (!width || !height) return; // folded away
    const style = getComputedStyle(this.root);
    Object.assign(this, { width, height, ink: style.color, font: `${FONT}px ${style.fontFamily}` });
    this.fit(this.base.getContext("2d"));
    const scale = window.devicePixelRatio;
    for (const [canvas, paint] of [[this.base, this.paint], [this.over, this.paintOver]]) {
      if (!canvas) continue;
      const pen = size(canvas, width * scale, height * scale).getContext("2d");
      pen.scale(scale, scale);
      paint.call(this, pen);
    }
    const { left, top } = this;
    this.leave();
    Object.assign(this.area.style, {
      left: `${left}px`, top: `${top}px`, width: `${this.x.length}px`, height: `${this.y.length}px`,
    });
    this.root.dispatchEvent(new CustomEvent("ccmusic-drawn", { bubbles: true }));
  }

  // Room for labels and titles around the picture.
  fit(pen) {
    const { spec, x, y, width, height } = this;
    pen.font = this.font;
    const wide = (text) => pen.measureText(text).width;
    const title = (axis) => (axis.title ? LINE + GAP : 0);
    const lines = Math.max(1, ...(x.ticks ?? []).map(([, label]) => label.split("\n").length));
    [this.left, this.top, this.right, this.bottom] = spec.margins ?? [0, 0, 0, 0];
    if (!spec.margins) {
      y.length = height;
      const labels = y.marks(3 * LINE).map(([, label]) => wide(label.replace("\n", " ")));
      this.left = Math.max(...labels, 0) + GAP + title(y);
      this.right = 12;
      this.bottom = lines * LINE + GAP + title(x);
      this.top = spec.levels ? 2 * LINE : GAP;
    }
    x.length = Math.max(1, width - this.left - this.right);
    this.legend = this.entries(wide);
    if (this.legend.length) this.top = this.legend.at(-1).line * LINE * 1.3 + 2 * LINE;
    y.length = Math.max(1, height - this.top - this.bottom);
  }

  entries(wide) {
    let line = 0, at = this.left;
    return (this.spec.curves ?? []).map((curve) => {
      const room = wide(curve.name) + 44;
      if (at + room > this.width && at > this.left) [line, at] = [line + 1, this.left];
      at += room;
      return { curve, line, at: at - room };
    });
  }

  paint(pen) {
    const { spec, left, top, x, y } = this;
    Object.assign(pen, { font: this.font, fillStyle: this.ink, strokeStyle: this.ink, lineWidth: 1 });
    this.labels(pen);
    if (spec.levels) this.scale(pen);
    pen.save();
    pen.translate(left, top);
    pen.beginPath();
    if (!spec.curves) pen.rect(0, 0, x.length, y.length), pen.clip();
    if (spec.levels) this.lay(pen, this.picture);
    if (spec.wave) this.wave(pen);
    if (spec.curves) this.curves(pen);
    pen.restore();
  }

  paintOver(pen) {
    const { spec, left, top, x, y } = this;
    pen.translate(left, top);
    pen.beginPath();
    pen.rect(0, 0, x.length, y.length);
    pen.clip();
    this.lay(pen, this.dimming);
    if (!spec.frame) return;
    const ends = (axis, values) =>
      values.map((value) => Math.min(axis.length - 1, Math.max(1, axis.pixel(value)))); // an edge is seen whole
    const { time, pitch } = spec.frame, [across, down] = this.turned ? [pitch, time] : [time, pitch];
    const [[x0, x1], [y0, y1]] = [ends(x, across), ends(y, down)];
    Object.assign(pen, { strokeStyle: "white", lineWidth: 2 });
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }

  lay(pen, picture) {
    const { time, pitch, turned } = this, [left, across] = time.part, [first, down] = pitch.part;
    const { width, height } = picture, top = turned ? 1 - first - down : first;
    pen.save();
    if (turned) pen.transform(0, 1, -1, 0, pitch.length, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, left * width, top * height, across * width, down * height, 0, 0, time.length, pitch.length);
    pen.restore();
  }

  labels(pen) {
    const { left, top, x, y, width, height, spec } = this, bottom = top + y.length;
    let end = -Infinity;
    pen.textBaseline = "middle";
    for (const [place, label] of x.marks(70)) {
      const at = left + x.pixel(place), lines = label.split("\n");
      const half = Math.max(...lines.map((line) => pen.measureText(line).width)) / 2;
      // None over another one, nor beyond the edge.
      if (at - half < Math.max(end, -1) || at + half > width + 1) continue;
      end = at + half + 2;
      pen.textAlign = "center";
      lines.forEach((line, i) => pen.fillText(line, at, bottom + GAP + LINE * (i + 0.5)));
    }
    if (x.title) {
      pen.textAlign = "center";
      pen.fillText(x.title, left + x.length / 2, height - LINE / 2 - 1);
    }
    pen.textAlign = "right";
    for (const [place, label] of spec.y.hidden ? [] : y.marks(3 * LINE)) {
      const at = top + y.pixel(place);
      pen.fillText(label.replace("\n", " "), left - GAP, at);
      if (spec.curves) this.line(pen, [[left, at], [left + x.length, at]], 0.15);
    }
    if (!y.title) return;
    pen.save();
    pen.translate(LINE / 2 + 1, top + y.length / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(y.title, 0, 0);
    pen.restore();
  }

  line(pen, points, alpha = 1) {
    pen.globalAlpha = alpha;
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(x, y);
    pen.stroke();
    pen.globalAlpha = 1;
  }

  // What the colours of levels mean.
  scale(pen) {
    const { left, top, x, spec, data } = this;
    if (top < 2 * LINE) return;
    const width = 0.6 * x.length, begin = left + x.length - width, high = 8;
    const at = top - high - 4;
    for (let i = 0; i < 256; i++) {
      pen.fillStyle = `rgb(${data.colours.slice(3 * i, 3 * i + 3).join()})`;
      pen.fillRect(begin + (i * width) / 256, at, width / 256 + 0.5, high);
    }
    pen.fillStyle = this.ink;
    pen.textAlign = "left";
    pen.fillText(`−${spec.range} dB`, begin, at - LINE / 2);
    pen.textAlign = "right";
    pen.fillText("0 dB", begin + width, at - LINE / 2);
  }

  wave(pen) {
    const { spec, x, y } = this, { lowest, highest, marked, colours } = spec.wave;
    const [inside, outside] = colours, low = bytes(lowest), high = bytes(highest);
    if (marked) {
      const [from, to] = marked.map((value) => x.pixel(value));
      Object.assign(pen, { fillStyle: inside, globalAlpha: 0.12 });
      pen.fillRect(from, 0, to - from, y.length);
      pen.globalAlpha = 1;
    }
    const share = y.length / 255, wide = x.length / low.length;
    for (let i = 0; i < low.length; i++) {
      const second = x.middle(i, low.length);
      pen.fillStyle = !marked || (second >= marked[0] && second <= marked[1]) ? inside : outside;
      pen.fillRect(i * wide, high[i] * share, Math.max(wide, 0.5), Math.max(1, (low[i] - high[i]) * share));
    }
  }

  curves(pen) {
    const { spec, x, y, left, top } = this;
    if (spec.now !== undefined) {
      pen.setLineDash([2, 3]);
      this.line(pen, [[x.pixel(spec.now), 0], [x.pixel(spec.now), y.length]], 0.6);
    }
    for (const { curve, line, at } of this.legend) {
      Object.assign(pen, { strokeStyle: curve.colour, fillStyle: curve.colour, lineWidth: 2 });
      pen.setLineDash([]);
      const place = [at - left, line * LINE * 1.3 + LINE - top];
      const points = curve.values.flatMap((value, i) => (value === null ? [] : [[x.pixel(spec.places[i]), y.pixel(value)]]));
      this.line(pen, points);
      this.line(pen, [place, [place[0] + 24, place[1]]]);
      for (const [across, up] of [...points, [place[0] + 12, place[1]]]) {
        pen.beginPath();
        pen.arc(across, up, 4, 0, 2 * Math.PI);
        pen.fill();
      }
      Object.assign(pen, { fillStyle: this.ink, textAlign: "left" });
      pen.fillText(curve.name, place[0] + 30, place[1]);
    }
  }

  // ---- pointing
  follow(event) {
    const box = this.area.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (event.target !== this.area) return this.leave();
    this.point(x, y);
    if (!this.spec.seek) return;
    // The same second and pitch in the pictures beside it, each from its own start.
    const [along, across] = this.along === "x" ? [x, y] : [y, x];
    const second = this.time.value(along) - this.spec.start, tone = this.pitch.hertz(across);
    for (const other of this.beside()) other.pointTo(second + other.spec.start, tone);
  }
  beside() {
    const group = this.root.closest(".st-key-spectrograms, .st-key-comparison");
    return group ? figures().filter((other) => other !== this && other.spec.seek && group.contains(other.root)) : [];
  }
  pointTo(second, tone) {
    const far = this.pitch.names.map((name) => Math.abs(Math.log(parseFloat(name) / tone)));
    const along = this.time.pixel(second), across = this.pitch.pixel(far.indexOf(Math.min(...far)));
    const inside = along >= 0 && along <= this.time.length && across >= 0 && across <= this.pitch.length;
    if (!inside) this.hide();
    else if (this.along === "x") this.point(along, across);
    else this.point(across, along);
  }

  // Lines through a place, and what is there; read out by keyboard.js.
  point(x, y) {
    const { lines, at } = this.read(x, y);
    if (!this.spec.wave) this.mark("spike upright", [at ?? x, 0, 1, this.y.length]);
    if (this.spec.levels) this.mark("spike level", [0, y, this.x.length, 1]);
    const label = this.mark("hover", []);
    label.replaceChildren(...lines.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
    // Beside the pointer, on the side where there is room.
    const { offsetWidth: wide, offsetHeight: high } = label;
    const right = x + 12 + wide < this.x.length + this.right;
    const below = y + 12 + high < this.y.length + this.bottom;
    this.mark("hover", [right ? x + 12 : x - 12 - wide, below ? y + 12 : Math.max(-this.top, y - 12 - high)]);
  }
  read(x, y) {
    const { spec, data } = this;
    if (spec.curves) {
      const far = spec.places.map((place) => Math.abs(this.x.pixel(place) - x));
      const i = far.indexOf(Math.min(...far)), place = spec.places[i];
      const name = this.x.ticks?.find(([at]) => at === place)?.[1] ?? fixed(place, 1) + data.seconds;
      const shares = spec.curves.filter(({ values }) => values[i] !== null)
        .map((curve) => `${curve.name} ${Math.round(100 * curve.values[i])}%`);
      return { lines: [name, ...shares], at: this.x.pixel(place) };
    }
    if (spec.wave) return { lines: [fixed(this.x.value(x), 1) + data.seconds] };
    const { time, pitch, turned } = this, [frames, bins] = spec.size, [along, across] = turned ? [y, x] : [x, y];
    const frame = time.cell(along, frames), row = pitch.cell(across, bins);
    const i = (turned ? bins - 1 - row : row) * frames + frame;
    const lines = [
      pitch.names[pitch.nearest(across)],
      fixed(time.middle(frame, frames), 2) + data.seconds,
      `${fixed(this.level(i), 1)} dB`,
    ];
    if (this.spec.weights) lines.push(`${data.weight} ${fixed(this.weight(i), 2)}`);
    return { lines };
  }
  hide() {
    for (const name of ["spike upright", "spike level", "hover"]) this.mark(name, null);
  }
  // An element of these classes over the picture, at left, top, width and height in pixels, as far
  // as they are given, and there too when the picture gets another size; null takes it away.
  mark(name, box) {
    if (!box) {
      this.marks[name]?.remove();
      return delete this.marks[name];
    }
    const element = (this.marks[name] ??= this.area.appendChild(document.createElement("div")));
    element.className = name;
    ["left", "top", "width", "height"].forEach((side, i) => {
      if (box[i] !== undefined) element.style[side] = `${(100 * box[i]) / this[i % 2 ? "y" : "x"].length}%`;
    });
    return element;
  }
  leave() {
    this.hide();
    if (this.spec.seek) for (const other of this.beside()) other.hide();
  }

  // ---- buttons; region.js zooms and pans
  buttons() {
    const bar = document.createElement("div");
    bar.className = "buttons";
    const zooming = this.spec.zoom ? [...MODES, "reset"] : [];
    for (const name of [...zooming, "fullscreen", "download"]) {
      const button = bar.appendChild(document.createElement("button"));
      button.name = name;
      button.title = button.ariaLabel = this.data[name];
      button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
      if (MODES.includes(name)) button.ariaPressed = "false";
      button.onclick = () => (MODES.includes(name) ? this.press(name) : this[name]());
    }
    return bar;
  }
  press(name) {
    this.mode = this.mode === name ? null : name;
    for (const button of this.root.querySelectorAll("[aria-pressed]")) button.ariaPressed = button.name === this.mode;
  }
  reset() {
    this.show(this.x.whole, this.y.whole);
  }
  show(x, y) {
    this.x.show(x);
    this.y.show(y);
    this.mark("region", null); // of other places
    this.draw();
  }
  move(across, down) {
    const moved = (axis, by) => [0, axis.length].map((end) => axis.value(end + by));
    this.show(moved(this.x, across), moved(this.y, down));
  }
  fullscreen() {
    document.documentElement.style.setProperty("--paper", this.paper());
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }
  paper() {
    return getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
  }
  download() {
    const { width, height } = this;
    const canvas = size(document.createElement("canvas"), width * MAGNIFIED, height * MAGNIFIED);
    const pen = canvas.getContext("2d");
    pen.scale(MAGNIFIED, MAGNIFIED);
    pen.fillStyle = this.paper();
    pen.fillRect(0, 0, width, height);
    this.paint(pen);
    if (this.over) {
      pen.globalAlpha = getComputedStyle(this.over).opacity;
      this.paintOver(pen);
    }
    const link = document.createElement("a");
    link.download = `${this.spec.file}.png`;
    link.href = canvas.toDataURL();
    link.click();
  }
}

export default component(({ data }) => {
  const known = { ...data, colours: bytes(data.colours) };
  const look = () => {
    const before = JSON.stringify(chosen);
    for (const key in chosen) chosen[key] = document.querySelector(`.st-key-${key} input:checked`) !== null;
    // For the style sheet: `:has` would look through the page at every change.
    const { classList } = document.documentElement;
    classList.toggle("as-networks", chosen.as_networks);
    classList.toggle("with-edited", document.querySelector(".st-key-edited") !== null);
    if (JSON.stringify(chosen) !== before) figures().forEach((each) => each.spec.levels && each.switched());
    for (const root of document.querySelectorAll(".figure[data-figure]")) root.figure ??= new Figure(root, known);
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true, attributeFilter: ["data-selected"] });
  // Streamlit tells that light or dark was chosen by other classes.
  const themed = new MutationObserver(() => figures().forEach((each) => each.draw()));
  const app = document.querySelector("[data-testid=stApp]");
  if (app) themed.observe(app, { attributeFilter: ["class"] });
  look();
  return () => {
    observer.disconnect();
    themed.disconnect();
  };
});
