// The map's drawing: points, means, contours and density on a canvas, in feature units.
"use strict";
drumlin.canvas = (() => {
  const { colour, make } = drumlin;
  const NAMED = 24;  // so many classes have their names written beside their means
  const OUTLINED = 200;  // and so many their contours

  function unpacked(text, Kind) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  const shapes = {
    dot: (c, x, y, r) => c.rect(x - r * 0.45, y - r * 0.45, r * 0.9, r * 0.9),
    circle: (c, x, y, r) => { c.moveTo(x + r * 0.85, y); c.arc(x, y, r * 0.85, 0, 7); },
    square: (c, x, y, r) => c.rect(x - r * 0.78, y - r * 0.78, r * 1.56, r * 1.56),
    triangle: (c, x, y, r) => { c.moveTo(x, y - r); c.lineTo(x + r, y + r * 0.8); c.lineTo(x - r, y + r * 0.8); c.closePath(); },
    down: (c, x, y, r) => { c.moveTo(x, y + r); c.lineTo(x + r, y - r * 0.8); c.lineTo(x - r, y - r * 0.8); c.closePath(); },
    diamond: (c, x, y, r) => { c.moveTo(x, y - r); c.lineTo(x + r, y); c.lineTo(x, y + r); c.lineTo(x - r, y); c.closePath(); },
    star: (c, x, y, r) => { for (let i = 0; i < 5; i++) { const a = i * 2.5133 - 1.5708; c[i ? "lineTo" : "moveTo"](x + r * 1.15 * Math.cos(a), y + r * 1.15 * Math.sin(a)); } c.closePath(); },
    cross: (c, x, y, r) => { c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x + r, y - r); c.lineTo(x - r, y + r); },
  };

  /** What is drawn, and where: a view of layers with a centre and a magnification. */
  class MapCanvas {
    constructor(data) {
      this.data = data;
      this.layers = data.layers.map((layer) => ({
        ...layer,
        on: true,
        label: unpacked(layer.label, Int32Array),
        prediction: unpacked(layer.prediction, Int32Array),
        probability: unpacked(layer.probability, Float32Array),
        p: unpacked(layer.p, Float32Array),
        refused: layer.refused === null ? null : unpacked(layer.refused, Uint8Array),
        tile: unpacked(layer.tile, Int32Array),
        xy: Object.fromEntries(Object.entries(layer.xy).map(([view, text]) => [view, unpacked(text, Float32Array)])),
      }));
      this.views = data.views.map((view) => ({
        ...view,
        means: unpacked(view.means, Float32Array),
        covariance: view.covariance === null ? null : unpacked(view.covariance, Float32Array),
      }));
      this.view = this.views[0];
      this.paint = "set";
      this.chosen = -1;
      this.contours = true;
      this.canvas = make("canvas", { className: "points", tabIndex: 0 });
      this.field = make("div", { className: "field" }, this.canvas);
    }

    /** Show everything but the outermost five in a thousand, in equal units along both axes. */
    reset() {
      const bounds = [0, 1].map((axis) => {
        const values = this.layers.flatMap((layer) => {
          const xy = layer.xy[this.view.name];
          return Array.from({ length: layer.n }, (_, i) => xy[2 * i + axis]);
        });
        for (let k = axis; k < this.view.means.length; k += 2) values.push(this.view.means[k]);
        values.sort((a, b) => a - b);
        const at = (share) => values[Math.round(share * (values.length - 1))];
        return values.length ? [at(0.0025), at(0.9975)] : [-1, 1];
      });
      this.centre = bounds.map(([low, high]) => (low + high) / 2);
      this.extent = bounds.map(([low, high]) => (high - low) * 1.12 || 1);
      this.magnified = 1;
      this.resize();
    }

    resize() {
      const width = this.field.clientWidth;
      if (!width) return;
      const height = Math.round(Math.min(width * (width < 500 ? 1 : 0.68), 620));
      const dense = Math.min(devicePixelRatio || 1, 2);
      this.width = width;
      this.height = height;
      this.dense = dense;
      this.canvas.width = width * dense;
      this.canvas.height = height * dense;
      this.canvas.style.height = `${height}px`;
      this.draw();
    }

    get scale() { return this.magnified * Math.min(this.width / this.extent[0], this.height / this.extent[1]); }
    across(x) { return this.width / 2 + (x - this.centre[0]) * this.scale; }
    down(y) { return this.height / 2 - (y - this.centre[1]) * this.scale; }

    draw() {
      if (this.pending) return;
      this.pending = requestAnimationFrame(() => { this.pending = 0; this.render(); });
    }

    render() {
      const context = this.canvas.getContext("2d");
      context.setTransform(this.dense, 0, 0, this.dense, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      this.density(context);
      this.axes(context);
      for (const layer of this.layers) if (layer.on) this.points(context, layer);
      this.hills(context);
      this.titles(context);
    }

    density(context) {
      const grid = this.data.density;
      if (!grid) return;
      if (!this.shade) {
        this.shade = make("canvas", { width: grid.width, height: grid.height });
        const pixels = new ImageData(grid.width, grid.height);
        const shade = unpacked(grid.shade, Uint8Array);
        const probe = this.shade.getContext("2d");
        probe.fillStyle = colour("training");
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        for (let row = 0; row < grid.height; row++) {
          for (let column = 0; column < grid.width; column++) {
            pixels.data.set([r, g, b, shade[(grid.height - 1 - row) * grid.width + column] * 0.62], 4 * (row * grid.width + column));
          }
        }
        probe.putImageData(pixels, 0, 0);
      }
      const half = (ends, n) => (ends[1] - ends[0]) / (n - 1) / 2;  // a value is that of its cell's centre
      const [hx, hy] = [half(grid.x, grid.width), half(grid.y, grid.height)];
      const [left, top] = [this.across(grid.x[0] - hx), this.down(grid.y[1] + hy)];
      context.drawImage(this.shade, left, top, this.across(grid.x[1] + hx) - left, this.down(grid.y[0] - hy) - top);
    }

    axes(context) {
      context.strokeStyle = colour("rule");
      context.lineWidth = 1;
      const rough = 90 / this.scale;
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
      const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      context.globalAlpha = 0.7;
      const places = (centre, length) => {
        const [first, last] = [Math.ceil((centre - length / 2 / this.scale) / step), Math.floor((centre + length / 2 / this.scale) / step)];
        return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
      };
      const [xs, ys] = [places(this.centre[0], this.width), places(this.centre[1], this.height)];
      this.ticks = [xs, ys, digits];
      context.beginPath();
      xs.forEach((x) => { context.moveTo(this.across(x), 0); context.lineTo(this.across(x), this.height); });
      ys.forEach((y) => { context.moveTo(0, this.down(y)); context.lineTo(this.width, this.down(y)); });
      context.stroke();
      context.globalAlpha = 1;
    }

    /** Ticks and titles, over the points and with a rim, so that they can be read. */
    titles(context) {
      const [xs, ys, digits] = this.ticks;
      const [across, up] = this.view.axes;
      context.font = "11px system-ui, sans-serif";
      context.fillStyle = colour("muted");
      context.strokeStyle = colour("paper");
      context.lineWidth = 3;
      context.lineJoin = "round";
      const write = (text, x, y, align) => {
        context.textAlign = align;
        context.strokeText(text, x, y);
        context.fillText(text, x, y);
      };
      write(`${across} →`, this.width - 8, this.height - 20, "right");
      write(`↑ ${up}`, 8, 14, "left");
      for (const x of xs) if (this.across(x) > 12 && this.across(x) < this.width - 12) write(x.toFixed(digits), this.across(x), this.height - 5, "center");
      for (const y of ys) if (this.down(y) > 28 && this.down(y) < this.height - 34) write(y.toFixed(digits), 5, this.down(y) - 3, "left");
    }

    style(layer, i) {
      if (this.paint === "class") {
        const k = layer.label[i] < 0 ? layer.prediction[i] : layer.label[i];
        return this.data.colours[k];
      }
      if (this.paint === "refused") return layer.refused === null ? colour("training") : colour(layer.refused[i] ? "low" : "high");
      return colour(layer.colour);
    }

    /** A point belongs to the chosen class if it is of it or is taken for it. */
    faded(layer, i) {
      return this.chosen >= 0 && layer.label[i] !== this.chosen && layer.prediction[i] !== this.chosen;
    }

    points(context, layer) {
      const xy = layer.xy[this.view.name];
      const crowd = this.layers.reduce((sum, each) => sum + (each.on ? each.n : 0), 0);
      const small = Math.min(1, Math.max(0.55, (3000 / crowd) ** 0.3)) * (this.width < 500 ? 0.8 : 1);
      const radius = (layer.kind === "training" ? 2.6 : 3.2) * small * Math.min(1.8, Math.max(1, this.magnified ** 0.25));
      const batches = new Map();  // one path a colour: twenty thousand points in a few strokes
      for (let i = 0; i < layer.n; i++) {
        const [x, y] = [this.across(xy[2 * i]), this.down(xy[2 * i + 1])];
        if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
        const faded = this.faded(layer, i);
        const key = faded ? "" : this.paint === "set" ? "set" : this.style(layer, i);
        if (!batches.has(key)) batches.set(key, { path: new Path2D(), style: faded ? colour("training") : this.style(layer, i), faded });
        shapes[layer.mark](batches.get(key).path, x, y, radius);
      }
      for (const { path, style, faded } of [...batches.values()].sort((a, b) => b.faded - a.faded)) {
        context.globalAlpha = faded ? 0.12 : layer.kind === "training" ? 0.55 : 0.72;
        context.lineWidth = 1.3 * small;
        context.fillStyle = context.strokeStyle = style;
        if (layer.mark === "cross") context.stroke(path); else context.fill(path);
      }
      context.globalAlpha = 1;
    }

    /** Class means, their contours of one and two sigma, and their names. */
    hills(context) {
      const { means, covariance } = this.view;
      const ink = colour("ink");
      const [paper, count] = [colour("paper"), means.length / 2];
      const inside = [];
      for (let k = 0; k < count; k++) {
        const [x, y] = [this.across(means[2 * k]), this.down(means[2 * k + 1])];
        if (x >= 0 && y >= 0 && x <= this.width && y <= this.height) inside.push(k);
        if (this.contours && covariance !== null && (count <= OUTLINED || k === this.chosen)) {
          const [a, b, , d] = covariance.slice(4 * k, 4 * k + 4);
          const root = Math.hypot((a - d) / 2, b);
          const [major, minor] = [Math.sqrt(Math.max(0, (a + d) / 2 + root)), Math.sqrt(Math.max(0, (a + d) / 2 - root))];
          context.strokeStyle = ink;
          for (const sigma of [1, 2]) {
            context.globalAlpha = (this.chosen < 0 ? (count > 20 ? 0.2 : 0.42) : k === this.chosen ? 0.9 : 0.1) / sigma;
            context.lineWidth = k === this.chosen ? 1.8 : 1.1;
            context.beginPath();
            context.ellipse(x, y, sigma * major * this.scale, sigma * minor * this.scale, -0.5 * Math.atan2(2 * b, a - d), 0, 7);
            context.stroke();
          }
        }
        context.globalAlpha = this.chosen < 0 || k === this.chosen ? 1 : 0.3;
        const arm = count > 40 ? 3 : 5;
        for (const [style, width] of [[paper, 4], [ink, 1.8]]) {
          context.strokeStyle = style;
          context.lineWidth = width;
          context.beginPath();
          context.moveTo(x - arm, y); context.lineTo(x + arm, y); context.moveTo(x, y - arm); context.lineTo(x, y + arm);
          context.stroke();
        }
      }
      context.globalAlpha = 1;
      context.font = "600 13px system-ui, sans-serif";
      context.textAlign = "left";
      context.lineJoin = "round";
      const labelled = this.chosen >= 0 ? inside.filter((k) => k === this.chosen) : inside.length <= NAMED ? inside : [];
      for (const k of labelled) {
        const name = this.data.classes[k].length > 18 ? `${this.data.classes[k].slice(0, 17)}…` : this.data.classes[k];
        const [x, y] = [this.across(means[2 * k]) + 7, this.down(means[2 * k + 1]) - 7];
        context.strokeStyle = paper;
        context.lineWidth = 4;
        context.strokeText(name, x, y);
        context.fillStyle = ink;
        context.fillText(name, x, y);
      }
    }

    mark(context, layer, x, y, r, style) {
      context.beginPath();
      shapes[layer.mark](context, x, y, r);
      context.lineWidth = r / 3;
      context[layer.mark === "cross" ? "strokeStyle" : "fillStyle"] = style;
      context[layer.mark === "cross" ? "stroke" : "fill"]();
    }
  }

  return { MapCanvas };
})();
