// Walking a graph by keyboard. One thing at a time can be reached by Tab; the arrows move on from there:
// along an edge where one leads that way, else to what lies nearest that way.
"use strict";

mg.GraphKeys = class {
  constructor(view) {
    this.view = view;
    view.svg.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const action = this.actions()[event.key];
      if (!action) return;
      event.preventDefault();
      event.stopPropagation();
      action();
    });
    view.svg.addEventListener("focusin", (event) => {
      const key = view.keyAt(event.target);
      if (key !== null) this.arrive(key);
    });
  }

  actions() {
    const { view } = this;
    const at = view.current;
    const activate = () => at !== null && view.activate(at);
    return {
      ArrowLeft: () => this.go(-1, 0),
      ArrowRight: () => this.go(1, 0),
      ArrowUp: () => this.go(0, -1),
      ArrowDown: () => this.go(0, 1),
      Home: () => this.moveTo(view.seen.boxes[0].key, true),
      End: () => this.moveTo(view.seen.boxes.at(-1).key, true),
      Enter: activate,
      " ": activate,
      Escape: () => view.select(null),
      "+": () => view.camera.zoom(1.4),
      "=": () => view.camera.zoom(1.4),
      "-": () => view.camera.zoom(1 / 1.4),
      0: () => view.fit(true),
    };
  }

  // What can be walked to: boxes, and the titles of open frames.
  target(key) {
    const { view } = this;
    return view.elements.get(key) ?? view.handles.get(key);
  }

  moveTo(key, takeFocus) {
    const target = this.target(key);
    if (!target) return;
    this.target(this.view.current)?.setAttribute("tabindex", -1);
    target.setAttribute("tabindex", 0);
    this.view.current = key;
    target.classList.remove("away"); // what is not displayed takes no focus
    target.classList.remove("away"); // what is not displayed can't be focused
    if (takeFocus) target.focus({ preventScroll: true });
  }

  arrive(key) {
    const { view } = this;
    this.moveTo(key, false);
    if (!view.svg.classList.contains("moving") && this.target(key).matches(":focus-visible")) {
      view.camera.show(this.placeOf(key));
    }
    view.tell("hover", key);
  }

  // After a new drawing: the keyboard stays where it was if that is still there.
  renew(takeFocus) {
    const { view } = this;
    const candidates = [view.current, view.current && view.shown(view.current), view.seen.boxes[0]?.key];
    const key = candidates.find((candidate) => candidate && this.target(candidate));
    view.current = null;
    if (key) this.moveTo(key, takeFocus);
  }

  placeOf(key) {
    const { view } = this;
    const place = view.placeOf(key);
    if (!view.frames.has(key)) return place;
    const [left, top] = [place.x - place.width / 2, place.y - place.height / 2];
    return { x: left + 40, y: top + 11, width: 80, height: 22 };
  }

  go(dx, dy) {
    const { view } = this;
    const from = this.placeOf(view.current);
    const joined = new Set();
    for (const { tail, head } of view.seen.edges) {
      if (tail === view.current) joined.add(head);
      if (head === view.current) joined.add(tail);
    }
    let [best, least] = [null, Infinity];
    for (const key of [...view.elements.keys(), ...view.frames.keys()]) {
      const { x, y } = this.placeOf(key);
      const ahead = (x - from.x) * dx + (y - from.y) * dy;
      const aside = Math.abs((x - from.x) * dy) + Math.abs((y - from.y) * dx);
      if (key === view.current || ahead < 4 || (aside > 3 * ahead && !joined.has(key))) continue;
      const far = (ahead + 2 * aside) * (joined.has(key) ? 0.3 : 1);
      if (far < least) [best, least] = [key, far];
    }
    if (best !== null) this.moveTo(best, true);
  }
};
