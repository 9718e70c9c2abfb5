// The side panel: all facts of what is selected, or an overview with the legends.
"use strict";

mg.Panel = class {
  constructor(view, element) {
    Object.assign(this, { view, element });
    view.on("select", () => this.show());
    view.on("toggle", () => this.show());
    mg.onLanguage(() => this.show());
    this.show();
  }

  show() {
    const { view } = this;
    const key = view.selected;
    this.element.replaceChildren(...(key === null ? this.overview() : this.facts(key)));
    this.element.scrollTop = 0;
  }

  // ---- one box or module

  facts(key) {
    const { view } = this;
    const { el, t } = mg;
    const group = view.tree.groups.get(key);
    const box = group ?? view.graph.boxes[view.index.get(key)];
    const kind = group ? "module" : box.kind;
    const parts = [
      el("button", { type: "button", class: "plain back", onclick: () => view.select(null) }, `‹ ${t("clear")}`),
      el("p", { class: "kind" }, el("span", { class: `swatch kind-${kind}` }), t(`kind-${kind}`)),
      el("h2", {}, box.title || box.tip || t(`kind-${kind}`)),
    ];
    if (box.tip && box.tip !== box.title) parts.push(el("p", { class: "tip" }, box.tip));
    const pairs = mg.factsOf(group ? { ...group.closed, kind } : box);
    if (pairs.length) parts.push(table(pairs));
    if (kind === "fold" && mg.data.note) parts.push(el("p", { class: "tip" }, mg.data.note)); // it says how to open it
    if (group) parts.push(this.toggleButton(group));
    const inside = view.tree.above(view.tree.around(key)).reverse();
    if (inside.length) parts.push(el("h3", {}, t("inside")), this.links(inside.map((at) => [at, ""])));
    parts.push(...this.neighbours(key));
    return parts;
  }

  toggleButton(group) {
    const word = this.view.closed.has(group.key) ? "open" : "close";
    const action = () => this.view.toggle(group.key);
    return mg.el("button", { type: "button", class: "main wide", onclick: action }, mg.t(word));
  }

  neighbours(key) {
    const { view } = this;
    const inside = new Set(view.tree.groups.has(key) && !view.closed.has(key) ? view.tree.members.get(key) : [key]);
    const isIn = (end) => inside.has(end) || view.tree.above(view.tree.around(end)).includes(key);
    const [from, to] = [new Map(), new Map()];
    for (const edge of view.seen.edges) {
      if (isIn(edge.head) && !isIn(edge.tail)) from.set(edge.tail, edge.tip ?? "");
      if (isIn(edge.tail) && !isIn(edge.head)) to.set(edge.head, edge.tip ?? "");
    }
    const parts = [];
    if (from.size) parts.push(mg.el("h3", {}, mg.t("inputs")), this.links([...from]));
    if (to.size) parts.push(mg.el("h3", {}, mg.t("outputs")), this.links([...to]));
    return parts;
  }

  // Buttons that lead to other boxes, with what they are used as.
  links(pairs) {
    const { el } = mg;
    const item = ([key, note]) => {
      const { kind, title, tip } = this.spec(key);
      const go = () => {
        this.view.select(key);
        this.view.focus(key);
      };
      const name = el("span", { class: "name" }, title || tip || mg.t(`kind-${kind}`));
      const slot = note ? el("span", { class: "slot" }, note) : null;
      const mark = el("span", { class: `swatch kind-${kind}` });
      return el("li", {}, el("button", { type: "button", class: "plain link", onclick: go }, mark, name, slot));
    };
    return el("ul", { class: "links" }, ...pairs.map(item));
  }

  spec(key) {
    const { view } = this;
    const group = view.tree.groups.get(key);
    if (group) return { kind: "module", title: group.title, tip: group.tip };
    const box = view.graph.boxes[view.index.get(key)];
    const rows = box.rows ?? [];
    return { kind: box.kind, title: box.title || rows.at(-1)?.[1], tip: box.tip };
  }

  // ---- the overview

  overview() {
    const { view } = this;
    const { el, t } = mg;
    const { boxes, edges, groups } = view.graph;
    const count = (kind) => boxes.filter((box) => box.kind === kind).length;
    const counts = [
      [t("operations"), count("op")],
      [t("leaves"), count("leaf")],
      [t("modules"), groups.filter(({ kind = "module" }) => kind === "module").length],
      [t("boxes"), boxes.length],
      [t("edges"), edges.length],
    ];
    const shown = counts.filter(([, n]) => n > 0).map(([word, n]) => [word, n.toLocaleString("en")]);
    const parts = [el("h2", {}, t("counts")), table(shown)];
    if (view.range) parts.push(el("h3", {}, t("strength")), this.strengthLegend());
    const present = new Set(boxes.map((box) => box.kind));
    if (groups.some((group) => (group.kind ?? "module") === "module")) present.add("module");
    const kinds = ["leaf", "constant", "value", "op", "output", "fold", "module", "failed"].filter((k) => present.has(k));
    const marks = new Set(boxes.flatMap((box) => [...(box.marks ?? []), ...(box.inplace ? ["inplace"] : [])]));
    const looks = { view: "kind-op is-view", inplace: "kind-op inplace", backward: "kind-op is-backward", stopped: "kind-constant is-stopped" };
    const entry = (look, word) => el("li", {}, el("span", { class: `swatch ${look}` }), t(word));
    const marked = Object.keys(looks).filter((mark) => marks.has(mark));
    const entries = [
      ...kinds.map((kind) => entry(`kind-${kind}`, `kind-${kind}`)),
      ...marked.map((mark) => entry(looks[mark], `mark-${mark}`)),
    ];
    parts.push(el("h3", {}, t("kinds")), el("ul", { class: "legend" }, ...entries));
    const keys = [
      ["← ↑ ↓ →", "keysArrows"],
      ["Enter", "keysEnter"],
      ["+ − 0", "keysScale"],
      ["/", "keysSearch"],
      ["Esc", "keysEscape"],
    ];
    const rows = keys.flatMap(([key, word]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, t(word))]);
    parts.push(el("h3", {}, t("keys")), el("dl", { class: "keys" }, ...rows));
    return parts;
  }

  strengthLegend() {
    const { el, t, number } = mg;
    const { least, greatest } = this.view.range;
    const steps = Array.from({ length: mg.LEVELS }, (_, i) => el("span", { class: `level-${i}` }));
    const levels = this.view.graph.edges.map((edge) => mg.strengthLevel(edge.strength, this.view.range));
    const extra = ["zero", "bad"].filter((level) => levels.includes(level));
    return el(
      "div",
      { class: "strength" },
      el("div", { class: "steps" }, ...steps),
      el("div", { class: "ends" }, el("span", {}, `${t("weak")} ${number(least)}`), el("span", {}, `${number(greatest)} ${t("strong")}`)),
      ...extra.map((level) => el("div", { class: "extra" }, el("span", { class: `stroke level-${level}` }), t(level))),
    );
  }
};

// All (label, text) pairs that are known of a box: its facts say what its rows do, where it has any. What failed has no
// result: its rows say what it got, and the error.
mg.factsOf = ({ kind, rows = [], facts = [] }) => {
  if (kind === "failed") {
    const message = rows.filter(([label]) => !label).map(([, text]) => text);
    const origin = facts.filter(([label]) => ["module", "line", "code"].includes(label));
    return [...rows.filter(([label]) => label), ["", message.join(" ")], ...origin];
  }
  const isOwn = facts.length && !["fold", "module"].includes(kind);
  return [...(isOwn ? [] : rows), ...facts].map(([label, text]) => {
    const [, name, value] = (label === "attribute" && /^(\w+)=(.*)$/s.exec(text)) || [null, label, text];
    return [name, value];
  });
};

// A label in the page's language; names of attributes are the same in all.
mg.factLabel = (label) => {
  const key = `fact-${label}`;
  const word = mg.t(key);
  return word === key ? label.trim() : word;
};

function table(pairs) {
  const { el } = mg;
  const row = ([label, text]) => {
    const value = String(text);
    if (!label || label === "code") return el("tr", {}, el("td", { colspan: 2, class: label || "whole" }, value));
    const name = label === "line" ? "line" : /grad|‖/.test(label) ? "grad" : "";
    return el("tr", {}, el("th", { scope: "row" }, mg.factLabel(label)), el("td", { class: name }, value));
  };
  return el("table", { class: "facts" }, el("tbody", {}, ...pairs.map(row)));
}
