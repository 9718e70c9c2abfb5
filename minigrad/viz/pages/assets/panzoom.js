// Moving and scaling what is drawn: drag, wheel, pinch, and the same asked for by buttons and keys.
"use strict";

mg.PanZoom = class {
  // svg: takes the pointer; stage: the <g> that moves; onTap(event): a press that did not move.
  constructor(svg, stage, { onTap, onChange }) {
    Object.assign(this, { svg, stage, onTap, onChange, x: 0, y: 0, k: 1, pointers: new Map(), moved: 0, touched: false });
    this.framed = window.self !== window.top;
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.up(event, true));
    svg.addEventListener("pointercancel", (event) => this.up(event, false));
  }

  // Asked of the browser once: to ask after each change would make it lay the whole page out each time.
  size() {
    this.room ??= { width: this.svg.clientWidth || 1, height: this.svg.clientHeight || 1 };
    return this.room;
  }

  measure() {
    this.room = null;
  }

  set(x, y, k) {
    Object.assign(this, { x, y, k });
    this.stage.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${k.toFixed(4)})`);
    this.onChange?.();
  }

  stop() {
    cancelAnimationFrame(this.gliding);
  }

  // Moves there over a moment; at once for who asked for less motion.
  glide(x, y, k) {
    this.stop();
    if (mg.reduced.matches) return this.set(x, y, k);
    const from = { x: this.x, y: this.y, k: this.k };
    const start = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - start) / 220);
      const eased = 1 - (1 - part) ** 3;
      const mix = (a, b) => a + (b - a) * eased;
      this.set(mix(from.x, x), mix(from.y, y), mix(from.k, k));
      if (part < 1) this.gliding = requestAnimationFrame(step);
    };
    this.gliding = requestAnimationFrame(step);
  }

  limited(k) {
    return Math.min(4, Math.max(0.02, k));
  }

  // Scale around a point of the svg; what lies there stays.
  zoomAt(px, py, factor, slowly) {
    const k = this.limited(this.k * factor);
    const x = px - ((px - this.x) * k) / this.k;
    const y = py - ((py - this.y) * k) / this.k;
    if (slowly) this.glide(x, y, k);
    else this.set(x, y, k);
  }

  zoom(factor) {
    const { width, height } = this.size();
    this.touched = true;
    this.zoomAt(width / 2, height / 2, factor, true);
  }

  // Brings a place into sight, at a scale that can be read unless the scale is to be kept.
  show(place, keepScale = false) {
    const { width, height } = this.size();
    const k = keepScale || this.k > 0.55 ? this.k : Math.min(0.9, width / (place.width + 40));
    const [left, top] = [this.x + (place.x - place.width / 2) * this.k, this.y + (place.y - place.height / 2) * this.k];
    const [right, bottom] = [left + place.width * this.k, top + place.height * this.k];
    const edge = 24;
    if (k === this.k && left > edge && top > edge && right < width - edge && bottom < height - edge) return;
    this.touched = true;
    this.glide(width / 2 - place.x * k, height / 2 - place.y * k, k);
  }

  point(event) {
    const { left, top } = this.svg.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  // In a notebook's frame the wheel belongs to the notebook until the graph has been clicked.
  wheel(event) {
    if (this.framed && !event.ctrlKey && !this.svg.contains(document.activeElement)) return;
    event.preventDefault();
    this.touched = true;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const { x, y } = this.point(event);
    const turn = Math.max(-120, Math.min(120, event.deltaY * lines));
    this.zoomAt(x, y, Math.exp(-turn * (event.ctrlKey ? 0.01 : 0.002)));
  }

  down(event) {
    if (event.button !== 0) return;
    this.stop();
    if (this.pointers.size === 0) this.moved = 0;
    this.pointers.set(event.pointerId, this.point(event));
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.point(event);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (this.moved < 5) return;
    if (!this.svg.hasPointerCapture(event.pointerId)) {
      this.svg.setPointerCapture(event.pointerId); // only once it moves: a tap must reach what was tapped
      this.svg.classList.add("moving");
      this.touched = true;
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (!other) return this.set(this.x + now.x - before.x, this.y + now.y - before.y, this.k);
    const apart = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    this.set(this.x + (now.x - before.x) / 2, this.y + (now.y - before.y) / 2, this.k);
    this.zoomAt((now.x + other.x) / 2, (now.y + other.y) / 2, apart(now) / apart(before));
  }

  up(event, isTap) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.pointers.size === 0) this.svg.classList.remove("moving");
    if (isTap && this.moved < 5) this.onTap(event);
  }
};
