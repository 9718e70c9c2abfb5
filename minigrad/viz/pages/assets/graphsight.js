// Of a large graph only what is near the part in sight is laid out by the browser: the rest has the class "away".
"use strict";

mg.Sight = class {
  static LEAST = 300; // boxes of a graph that is worth the care

  constructor(view) {
    this.view = view;
    this.covered = null; // the part of the graph, a rectangle, of which everything is there
  }

  // After a new drawing nothing is away.
  renew() {
    this.covered = null;
    this.update();
  }

  // After the camera moved.
  update() {
    const { view } = this;
    if (!view.places || view.places.boxes.size < mg.Sight.LEAST) return;
    const { x, y, k } = view.camera;
    const { width, height } = view.camera.size();
    const seen = { left: -x / k, top: -y / k, right: (width - x) / k, bottom: (height - y) / k };
    const c = this.covered;
    if (c && c.k >= k / 2 && c.left <= seen.left && c.top <= seen.top && c.right >= seen.right && c.bottom >= seen.bottom) return;
    const [wide, high] = [width / k / 2, height / k / 2];
    const near = { left: seen.left - wide, top: seen.top - high, right: seen.right + wide, bottom: seen.bottom + high, k };
    this.covered = near;
    const meets = (left, top, right, bottom) =>
      left < near.right && right > near.left && top < near.bottom && bottom > near.top;
    for (const [key, element] of view.elements) {
      const place = view.places.boxes.get(key);
      const [w, h] = [place.width / 2, place.height / 2];
      element.classList.toggle("away", !meets(place.x - w, place.y - h, place.x + w, place.y + h));
    }
    for (const [key, element] of view.edgeElements) {
      const { points } = view.places.edges.get(key);
      const [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
      element.classList.toggle("away", !meets(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)));
    }
  }
};
