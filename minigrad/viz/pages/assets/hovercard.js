// A card beside what the pointer or the keyboard rests on.
"use strict";

mg.HoverCard = class {
  // describe(key) → an element, or null for no card
  constructor(view, describe) {
    Object.assign(this, { view, describe, key: null });
    this.card = mg.el("div", { class: "hovercard", hidden: true, "aria-hidden": "true" }); // its words are in aria-labels
    view.container.append(this.card);
    view.on("hover", (key) => this.show(key));
    view.on("toggle", () => this.show(null));
    view.svg.addEventListener("pointerdown", () => this.show(null));
    view.svg.addEventListener("wheel", () => this.show(null), { passive: true });
    view.svg.addEventListener("focusout", () => this.show(null));
  }

  show(key) {
    const content = key === null ? null : this.describe(key);
    this.card.hidden = !content;
    if (!content) return;
    this.card.replaceChildren(content);
    const around = this.view.container.getBoundingClientRect();
    const place = this.anchor(key).getBoundingClientRect();
    const { offsetWidth: wide, offsetHeight: high } = this.card;
    const middle = (place.left + place.right) / 2 - around.left - wide / 2;
    const below = place.bottom - around.top + 10;
    const above = place.top - around.top - high - 10;
    const left = Math.max(8, Math.min(around.width - wide - 8, middle));
    const top = below + high <= around.height || above < 0 ? below : above;
    this.card.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(8, Math.min(around.height - high - 8, top)))}px)`;
  }

  anchor(key) {
    const { view } = this;
    return view.elements.get(key) ?? view.handles.get(key) ?? view.edgeElements.get(key);
  }
};
