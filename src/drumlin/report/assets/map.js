// The map of feature space: layers, views and pictures, by pointer, touch and keyboard.
"use strict";
(() => {
  const { parsed, colour, make, onTheme } = drumlin;
  const { maps, sheets } = parsed("maps");
  const REACH = 14;  // pixels between pointer and point
  const pictures = sheets.sources.map((source) => Object.assign(new Image(), { src: source }));
  const percent = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.1 ? 1 : 0)}%`;

  class FeatureMap extends drumlin.canvas.MapCanvas {
    constructor(place, data) {
      super(data);
      this.build(place);
      this.reset();
      new ResizeObserver(() => this.resize()).observe(this.field);
      onTheme(() => { this.shade = null; this.swatches(); this.draw(); });
    }

    build(place) {
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", `${place.dataset.alt} Arrow keys move it, plus and minus zoom, 0 shows all.`);
      this.image = make("canvas", { width: 88, height: 88 });
      this.facts = make("dl");
      this.card = make("div", { className: "card", hidden: true }, this.image, this.facts);
      this.field.append(this.card);
      const group = (label, name) => { const box = make("div", { className: name }); box.setAttribute("role", "group"); box.setAttribute("aria-label", label); return box; };

      const views = group("View", "segments");
      for (const view of this.views) {
        const button = make("button", { type: "button" }, view.title);
        button.dataset.view = view.name;
        button.setAttribute("aria-pressed", String(view === this.view));
        button.addEventListener("click", () => {
          this.view = view;
          views.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
          this.reset();
        });
        views.append(button);
      }
      const paints = make("select", {}, ...[
        ["set", "by set"],
        ...(this.data.colours ? [["class", "by class"]] : []),
        ...(this.layers.some((layer) => layer.refused) ? [["refused", "by refusal"]] : []),
      ].map(([value, text]) => make("option", { value }, text)));
      paints.addEventListener("change", () => { this.paint = paints.value; this.swatches(); this.draw(); });
      const classes = make("select", {}, make("option", { value: "-1" }, "all"), ...this.data.classes.map((name, k) => make("option", { value: String(k) }, name)));
      classes.addEventListener("change", () => { this.chosen = Number(classes.value); this.draw(); });
      const zoom = group("Zoom", "segments push");
      for (const [text, label, action] of [["−", "Zoom out", () => this.zoom(1 / 1.5)], ["+", "Zoom in", () => this.zoom(1.5)], ["All", "Show all", () => this.reset()]]) {
        const button = make("button", { type: "button" }, text);
        button.setAttribute("aria-label", label);
        button.addEventListener("click", action);
        zoom.append(button);
      }
      const choice = (text, select) => { select.setAttribute("aria-label", text); return make("label", { className: "choice" }, text, select); };
      const controls = make("div", { className: "row" }, ...(this.views.length > 1 ? [views] : []), choice("Colour", paints), choice("Class", classes), zoom);

      const legend = group("Layers", "legend");
      for (const layer of this.layers) {
        layer.swatch = make("canvas", { width: 28, height: 28 });
        layer.swatch.style.cssText = "width:14px;height:14px";
        const button = make("button", { type: "button" }, layer.swatch, `${layer.name} (${layer.n.toLocaleString("en")})`);
        button.dataset.layer = layer.name;
        button.setAttribute("aria-pressed", String(layer.on));
        button.addEventListener("click", () => {
          layer.on = !layer.on;
          button.setAttribute("aria-pressed", String(layer.on));
          this.hide();
          this.draw();
        });
        legend.append(button);
      }
      if (this.views.some((view) => view.covariance)) {
        const button = make("button", { type: "button" }, "◎ 1σ, 2σ contours");
        button.setAttribute("aria-pressed", "true");
        button.addEventListener("click", () => {
          this.contours = !this.contours;
          button.setAttribute("aria-pressed", String(this.contours));
          this.draw();
        });
        legend.append(button);
      }
      place.append(controls, this.field, legend);
      if (sheets.note) place.parentElement.querySelector(".sheets").textContent = sheets.note;
      this.swatches();
      this.listen();
    }

    swatches() {
      for (const layer of this.layers) {
        const context = layer.swatch.getContext("2d");
        context.clearRect(0, 0, 28, 28);
        this.mark(context, layer, 14, 14, 9, this.paint === "set" ? colour(layer.colour) : colour("muted"));
      }
    }

    zoom(factor, x = this.width / 2, y = this.height / 2) {
      const before = this.scale;
      this.magnified = Math.min(400, Math.max(0.5, this.magnified * factor));
      const share = 1 / before - 1 / this.scale;  // what lies under the pointer stays there
      this.centre[0] += (x - this.width / 2) * share;
      this.centre[1] -= (y - this.height / 2) * share;
      this.canvas.style.touchAction = this.magnified > 1.01 ? "none" : "pan-y";
      this.hide();
      this.draw();
    }

    move(dx, dy) {
      this.centre[0] -= dx / this.scale;
      this.centre[1] += dy / this.scale;
      this.hide();
      this.draw();
    }

    reset() {
      super.reset();
      this.hide();
    }

    nearest(x, y) {
      let best = null;
      let least = REACH * REACH;
      for (const layer of this.layers) {
        if (!layer.on) continue;
        const xy = layer.xy[this.view.name];
        for (let i = 0; i < layer.n; i++) {
          const distance = (this.across(xy[2 * i]) - x) ** 2 + (this.down(xy[2 * i + 1]) - y) ** 2;
          if (distance <= least && !this.faded(layer, i)) { least = distance; best = { layer, i }; }
        }
      }
      return best;
    }

    hide() { this.card.hidden = true; }

    show(x, y) {
      const found = this.nearest(x, y);
      if (!found) { this.hide(); return; }
      const { layer, i } = found;
      const { classes } = this.data;
      const facts = [["set", layer.name]];
      facts.push(["class", layer.label[i] < 0 ? "none it knows" : classes[layer.label[i]]]);
      const wrong = layer.label[i] >= 0 && layer.label[i] !== layer.prediction[i];
      facts.push(["taken for", `${classes[layer.prediction[i]]} (${percent(layer.probability[i])})`, wrong ? "no" : ""]);
      if (!Number.isNaN(layer.p[i])) facts.push(["p-value", layer.p[i].toPrecision(2)]);
      // refusing what is known, or accepting what is unknown or misread
      const harm = layer.refused?.[i] ? layer.kind === "known" && !wrong : layer.kind === "unknown" || wrong;
      if (layer.refused !== null) facts.push(["it is", layer.refused[i] ? "refused" : "accepted", harm ? "no" : "yes"]);
      this.facts.replaceChildren(...facts.flatMap(([name, value, look = ""]) => [make("dt", {}, name), make("dd", { className: look }, value)]));
      this.thumbnail(layer.tile[i]);
      this.card.hidden = false;
      const xy = layer.xy[this.view.name];
      const [px, py] = [this.across(xy[2 * i]), this.down(xy[2 * i + 1])];
      const { offsetWidth: w, offsetHeight: h } = this.card;
      this.card.style.left = `${Math.max(4, Math.min(this.width - w - 4, px + 14 + w > this.width ? px - w - 14 : px + 14))}px`;
      this.card.style.top = `${Math.max(4, Math.min(this.height - h - 4, py - h / 2))}px`;
    }

    thumbnail(tile) {
      this.image.hidden = tile < 0;
      if (tile < 0) return;
      const sheet = Math.floor(tile / sheets.size);
      const [w, h] = sheets.tiles[sheet];
      const [column, row] = [tile % sheets.columns, Math.floor((tile % sheets.size) / sheets.columns)];
      this.image.width = w;
      this.image.height = h;
      const context = this.image.getContext("2d");
      context.drawImage(pictures[sheet], column * w, row * h, w, h, 0, 0, w, h);
    }

    listen() {
      const { canvas } = this;
      const held = new Map();  // pointers that are down
      const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
      const apart = () => { const [a, b] = [...held.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
      canvas.addEventListener("pointerdown", (event) => {
        held.set(event.pointerId, at(event));
        this.moved = 0;
        if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        const here = at(event);
        const before = held.get(event.pointerId);
        if (!before) { this.show(...here); return; }
        if (held.size === 2) {
          const spread = apart();
          held.set(event.pointerId, here);
          const [a, b] = [...held.values()];
          this.zoom(apart() / Math.max(spread, 1), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
          return;
        }
        this.moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
        held.set(event.pointerId, here);
        this.move(here[0] - before[0], here[1] - before[1]);
      });
      for (const kind of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(kind, (event) => {
          if (kind === "pointerup" && held.size === 1 && this.moved < 6) this.show(...at(event));
          held.delete(event.pointerId);
        });
      }
      canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.hide(); });
      canvas.addEventListener("wheel", (event) => {
        // the page scrolls on past the map, unless the reader has taken hold of it
        if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), ...at(event));
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => {
        const actions = {
          ArrowLeft: () => this.move(40, 0), ArrowRight: () => this.move(-40, 0), ArrowUp: () => this.move(0, 40), ArrowDown: () => this.move(0, -40),
          "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(1 / 1.4), 0: () => this.reset(), Escape: () => this.hide(),
        };
        if (event.ctrlKey || event.metaKey || !(event.key in actions)) return;
        event.preventDefault();
        actions[event.key]();
      });
    }
  }

  drumlin.maps = [...document.querySelectorAll("[data-map]")].map((place) => new FeatureMap(place, maps[Number(place.dataset.map)]));
})();
