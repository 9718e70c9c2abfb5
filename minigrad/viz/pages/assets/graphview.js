// mg.GraphView: a graph on the page, to be moved, scaled, opened, closed, walked by keyboard and marked by other scripts.
//
//   const view = new mg.GraphView(container, {direction, boxes, edges, groups}, {label: "what it shows"});
//   boxes   {key, kind, title, rows: [[label, text], ...], group, tip, facts, faint, inplace, room}
//           `room`: rows it may get later by setRows; its size is made for them from the start
//   edges   {key, tail, head, tip, faint, count, strength}        key: "e0", "e1", ... where none is given
//   groups  {key, title, parent, path, tip, facts, open, closed: {rows, tip, facts}}     one after the one around it
//
//   view.fit()  view.focus(key)  view.select(key | null)  view.toggle(groupKey)  view.setClosed(iterable of group keys)
//   view.setRows(key, rows)  view.mark(key, className, on)  view.markEdge(key, className, on)  view.element(key)
//   view.related(key) → {before, after, edges}: sets of keys      view.shown(key): what stands for it now
//   view.on("select" | "hover", (key | null) => ...)      view.on("toggle", (group key | null if many, open) => ...)
//   view.on("resize", () => ...)      view.destroy()
"use strict";

const READABLE = 0.4; // the least scale of a first sight

mg.GraphView = class {
  constructor(container, graph, options = {}) {
    const { svg } = mg;
    this.container = container;
    this.options = options;
    this.graph = { ...graph, edges: graph.edges.map((edge, i) => ({ key: `e${i}`, count: 1, ...edge })) };
    this.tree = new mg.GroupTree(this.graph);
    this.setDirection(graph.direction === "TB" ? "TB" : "LR");
    this.closed = new Set(graph.groups.filter((group) => group.open === false).map((group) => group.key));
    this.index = new Map(graph.boxes.map((box, i) => [box.key, i]));
    this.graph.boxes = [...graph.boxes];
    this.range = mg.strengthRange(graph);
    this.marks = new Map();
    this.edgeMarks = new Map();
    this.listeners = { select: [], hover: [], toggle: [], resize: [] };
    this.coloured = options.coloured ?? true; // edges by the strength of their gradients, where known
    this.selected = null;
    this.current = null; // where the keyboard is

    this.layers = Object.fromEntries(["frames", "edges", "handles", "boxes"].map((name) => [name, svg("g", { class: name })]));
    this.stage = svg("g", {}, ...Object.values(this.layers));
    this.svg = svg("svg", { class: "graph", role: "group", "aria-label": options.label ?? "" }, this.stage);
    container.classList.add("graph-holder");
    container.append(this.svg, this.buttons());
    this.camera = new mg.PanZoom(this.svg, this.stage, {
      onTap: (event) => this.tap(event),
      onChange: () => {
        this.svg.classList.toggle("far", this.camera.k < 0.35);
        this.sight.update();
      },
    });
    this.sight = new mg.Sight(this);
    this.keys = new mg.GraphKeys(this);
    this.svg.addEventListener("pointerover", (event) => {
      if (event.pointerType !== "touch") this.tell("hover", this.keyAt(event.target));
    });
    this.svg.addEventListener("pointerleave", () => this.tell("hover", null));
    this.render();
    this.begin();
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.svg);
    this.forgetLanguage = mg.onLanguage(() => this.relabel());
  }

  // Takes the graph off the page: nothing holds it any more.
  destroy() {
    this.forgetLanguage();
    this.observer.disconnect();
    cancelAnimationFrame(this.waiting);
    this.camera.stop();
    this.container.replaceChildren();
  }

  buttons() {
    const button = (key, text, action) =>
      mg.el("button", { type: "button", "data-t-label": key, "data-t-title": key, onclick: action }, text);
    return mg.el(
      "div",
      { class: "graph-buttons" },
      button("zoomIn", "+", () => this.camera.zoom(1.4)),
      button("zoomOut", "−", () => this.camera.zoom(1 / 1.4)),
      button("zoomFit", "⤢", () => this.fit(true)),
    );
  }

  // ---- what others ask for

  on(event, listener) {
    this.listeners[event].push(listener);
    return this;
  }

  tell(event, key, ...more) {
    if (event === "hover" && this.hovered === key) return;
    if (event === "hover") this.hovered = key;
    for (const listener of this.listeners[event]) listener(key, ...more);
  }

  // Shows all of it; a small graph is not blown up.
  fit(slowly = false) {
    this.again = () => this.fit();
    this.look(this.camera.limited(this.wholeScale()), slowly);
  }

  // The first sight: all of it if that can be read, else its beginning, as wide as there is room.
  begin(slowly = false) {
    this.again = () => this.begin();
    const whole = this.wholeScale();
    const { width, height } = this.camera.size();
    const across = this.direction === "LR" ? height / this.bounds.height : width / this.bounds.width;
    this.look(whole >= READABLE ? whole : Math.max(READABLE, Math.min(0.85, across)), slowly);
  }

  wholeScale() {
    const { width, height } = this.camera.size();
    return Math.min(this.options.largest ?? 1.25, width / this.bounds.width, height / this.bounds.height);
  }

  look(k, slowly) {
    const { left, top, width, height } = this.bounds;
    const camera = this.camera;
    const view = camera.size();
    const x = this.direction === "LR" ? Math.max(0, (view.width - width * k) / 2) : (view.width - width * k) / 2;
    const y = this.direction === "TB" ? Math.max(0, (view.height - height * k) / 2) : (view.height - height * k) / 2;
    if (slowly) camera.glide(x - left * k, y - top * k, k);
    else camera.set(x - left * k, y - top * k, k);
    camera.touched = false;
  }

  // Brings it into sight (opening what hides it is up to the caller) and puts the keyboard there.
  focus(key) {
    const shown = this.shown(key);
    this.camera.show(this.placeOf(shown));
    this.keys.moveTo(shown, document.activeElement === this.svg || this.svg.contains(document.activeElement));
  }

  shown(key) {
    return this.tree.shown(key, this.closed);
  }

  element(key) {
    return this.elements.get(this.shown(key)) ?? this.frames.get(key);
  }

  placeOf(key) {
    return this.places.boxes.get(key) ?? this.places.groups.get(key);
  }

  toggle(groupKey) {
    const closed = new Set(this.closed);
    if (!closed.delete(groupKey)) closed.add(groupKey);
    this.setClosed(closed, groupKey);
  }

  // Opens every group around a box or group, so that it can be seen.
  reveal(key) {
    const above = this.tree.above(this.tree.around(key)).filter((group) => this.closed.has(group));
    if (above.length) this.setClosed([...this.closed].filter((group) => !above.includes(group)), above.at(-1));
  }

  // `anchor` is the group that stays where it is on the screen; without one the whole graph is shown.
  setClosed(keys, anchor = null) {
    const before = anchor && this.cornerOf(anchor);
    this.closed = new Set(keys);
    this.render(anchor, before);
    if (!anchor || this.isLost()) this.begin(true);
    this.tell("toggle", anchor, anchor !== null && !this.closed.has(anchor));
  }

  // Whether so little is left in sight that it is better to look anew.
  isLost() {
    const { left, top, width, height } = this.bounds;
    const { x, y, k } = this.camera;
    const view = this.camera.size();
    const seen = (from, size, room) => Math.min(from + size, room) - Math.max(from, 0);
    const [wide, high] = [seen(x + left * k, width * k, view.width), seen(y + top * k, height * k, view.height)];
    return wide < 60 || high < 60 || (wide < view.width / 2 && high < view.height / 2 && k < 0.8);
  }

  setColoured(on) {
    this.coloured = on;
    this.render();
  }

  // "LR", from left to right, or "TB", from top to bottom; seen at the next `render`.
  setDirection(direction) {
    this.direction = direction;
    this.layout = new mg.GraphLayout(this.tree, direction);
  }

  setRows(key, rows) {
    const i = this.index.get(key);
    const spec = (this.graph.boxes[i] = { ...this.graph.boxes[i], rows });
    if (this.shown(key) !== key) return;
    const size = this.sizeOf(spec);
    this.sizes.set(key, size);
    const place = this.places.boxes.get(key);
    if (size.width > place.width || size.height > place.height) this.renderSoon(key);
    else this.drawBox(spec, place);
  }

  mark(key, className, on = true) {
    setMark(this.marks, key, className, on);
    const shown = this.shown(key);
    const inside = this.closed.has(shown) ? this.tree.members.get(shown) : [shown];
    const any = inside.some((member) => this.marks.get(member)?.has(className));
    (this.elements.get(shown) ?? this.frames.get(shown))?.classList.toggle(className, any);
  }

  markEdge(key, className, on = true) {
    setMark(this.edgeMarks, key, className, on);
    const edge = this.edgeOf.get(key);
    if (!edge) return;
    const any = (edge.of ?? [edge.key]).some((one) => this.edgeMarks.get(one)?.has(className));
    this.edgeElements.get(edge.key).classList.toggle(className, any);
  }

  // What led to a box or group, and what came of it.
  related(key) {
    const start = this.tree.groups.has(key) && !this.closed.has(key) ? this.tree.members.get(key) : [key];
    const shown = [...new Set(start.map((one) => this.shown(one)))];
    const edges = new Set();
    const reach = (from, to) => {
      const next = new Map();
      for (const edge of this.seen.edges) next.set(edge[from], [...(next.get(edge[from]) ?? []), edge]);
      const found = new Set(shown);
      for (const at of found) {
        for (const edge of next.get(at) ?? []) {
          edges.add(edge.key);
          found.add(edge[to]);
        }
      }
      return found;
    };
    return { before: reach("head", "tail"), after: reach("tail", "head"), edges };
  }

  select(key) {
    this.selected = key;
    this.showSelection();
    this.tell("select", key);
  }

  // ---- drawing

  render(anchor = null, before = null) {
    const hadFocus = this.svg.contains(document.activeElement);
    this.seen = mg.closeGraph(this.graph, this.tree, this.closed);
    this.sizes = new Map(this.seen.boxes.map((box) => [box.key, this.sizeOf(box)]));
    this.places = this.layout.place(this.seen, this.sizes);
    this.bounds = { left: 0, top: 0, width: this.places.width, height: this.places.height };
    const after = before && this.cornerOf(anchor);
    if (after) this.shift(before, after);
    this.svg.classList.toggle("many", this.seen.boxes.length > 300);
    this.draw();
    this.applyMarks();
    this.showSelection();
    this.keys.renew(hadFocus);
    this.sight.renew();
  }

  renderSoon(anchor) {
    if (!this.waiting) {
      const before = this.cornerOf(anchor);
      this.waiting = requestAnimationFrame(() => {
        this.waiting = null;
        this.render(anchor, before);
        if (!this.camera.touched) this.again();
      });
    }
  }

  sizeOf(box) {
    const size = mg.measure(box);
    if (!box.room) return size;
    const room = mg.measure({ ...box, rows: box.room });
    return { ...size, width: Math.max(size.width, room.width), height: Math.max(size.height, room.height), round: false };
  }

  cornerOf(key) {
    const place = this.placeOf(key) ?? this.placeOf(this.shown(key));
    return place ? { x: place.x - place.width / 2, y: place.y - place.height / 2 } : null; // none of an empty group
  }

  // Moves the new places so that what was clicked stays where it was.
  shift(before, after) {
    const [dx, dy] = [before.x - after.x, before.y - after.y];
    const move = (point) => {
      point.x += dx;
      point.y += dy;
    };
    this.places.boxes.forEach(move);
    this.places.groups.forEach(move);
    for (const { points } of this.places.edges.values()) points.forEach(move);
    this.bounds.left = dx;
    this.bounds.top = dy;
  }

  draw() {
    const { frames, edges, handles, boxes } = this.layers;
    this.frames = new Map();
    this.handles = new Map();
    for (const group of this.seen.groups) {
      const { frame, handle } = mg.drawing.frame(group, this.places.groups.get(group.key));
      this.frames.set(group.key, frame);
      this.handles.set(group.key, handle);
    }
    frames.replaceChildren(...this.frames.values());
    handles.replaceChildren(...this.handles.values());

    this.edgeElements = new Map();
    this.edgeOf = new Map();
    const inOrder = [...this.seen.edges].sort((a, b) => Boolean(b.faint) - Boolean(a.faint)); // the faint ones beneath
    edges.replaceChildren(
      ...inOrder.map((edge) => {
        const element = mg.drawing.edge(edge, this.places.edges.get(edge.key), this.levelOf(edge), this.direction);
        this.edgeElements.set(edge.key, element);
        for (const key of edge.of ?? [edge.key]) this.edgeOf.set(key, edge);
        return element;
      }),
    );

    const old = this.elements ?? new Map();
    this.elements = new Map();
    for (const box of this.seen.boxes) this.drawBox(box, this.places.boxes.get(box.key), old.get(box.key));
    boxes.replaceChildren(...this.elements.values());
  }

  levelOf(edge) {
    return this.range && this.coloured ? mg.strengthLevel(edge.strength, this.range) : null;
  }

  // An element that is still right moves to its place; any other is drawn anew, in the place of the old one.
  drawBox(box, place, old = this.elements.get(box.key)) {
    let element = old;
    if (!old || old.spec !== box || old.wide !== place.width || old.high !== place.height) {
      element = mg.drawing.box(box, this.sizes.get(box.key), place);
      Object.assign(element, { spec: box, wide: place.width, high: place.height });
      if (old?.isConnected && this.elements.get(box.key) === old) {
        element.setAttribute("class", old.getAttribute("class"));
        element.setAttribute("tabindex", old.getAttribute("tabindex"));
        const hadFocus = document.activeElement === old;
        old.replaceWith(element);
        if (hadFocus) element.focus({ preventScroll: true });
      }
    }
    element.style.transform = `translate(${place.x.toFixed(2)}px, ${place.y.toFixed(2)}px)`;
    this.elements.set(box.key, element);
  }

  applyMarks() {
    for (const [key, names] of this.marks) for (const name of names) this.mark(key, name, true);
    for (const [key, names] of this.edgeMarks) for (const name of names) this.markEdge(key, name, true);
  }

  showSelection() {
    const key = this.selected;
    const isOpenGroup = this.frames.has(key);
    const dims = key !== null && !isOpenGroup && this.elements.has(this.shown(key));
    this.svg.classList.toggle("dimmed", dims);
    const { before, after, edges } = dims ? this.related(key) : { before: new Set(), after: new Set(), edges: new Set() };
    for (const [name, element] of this.elements) {
      element.classList.toggle("lit", before.has(name) || after.has(name));
      element.classList.toggle("selected", dims && name === this.shown(key));
      if (!this.closed.has(name)) element.setAttribute("aria-pressed", dims && name === this.shown(key));
    }
    for (const [name, element] of this.edgeElements) element.classList.toggle("lit", edges.has(name));
    for (const [name, element] of this.frames) element.classList.toggle("selected", name === key);
  }

  relabel() {
    for (const element of this.elements.values()) element.setAttribute("aria-label", mg.drawing.spoken(element.spec));
  }

  resized() {
    this.camera.measure();
    if (!this.camera.touched) this.again(); // what was asked for last, in the new room
    this.tell("resize");
  }

  // ---- the pointer

  keyAt(target) {
    const found = target.closest("[data-key]") ?? target.closest("[data-edge]");
    return found ? (found.dataset.key ?? found.dataset.edge) : null;
  }

  tap(event) {
    const key = event.target.closest("[data-key]")?.dataset.key ?? null;
    if (key !== null) this.keys.moveTo(key, true);
    this.activate(key);
  }

  // A click or Enter: a module opens or closes, anything else is selected; the same again lets it go.
  activate(key) {
    if (this.tree.groups.has(key)) {
      this.toggle(key);
      this.select(key);
    } else this.select(key === this.selected ? null : key);
  }
};

function setMark(marks, key, className, on) {
  if (!marks.has(key)) marks.set(key, new Set());
  if (on) marks.get(key).add(className);
  else marks.get(key).delete(className);
}
