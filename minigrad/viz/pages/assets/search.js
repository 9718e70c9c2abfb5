// Finding boxes and modules by their name, operation, shape, module or any other fact.
"use strict";

mg.Search = class {
  constructor(view) {
    this.view = view;
    this.hits = [];
    this.at = -1;
    this.query = document.getElementById("query");
    this.texts = this.textsOf(view);
    this.query.addEventListener("input", () => this.find());
    this.query.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        this.go(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape" && this.query.value) {
        event.preventDefault();
        this.query.value = "";
        this.find();
      }
    });
    document.getElementById("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.go(1);
    });
    document.getElementById("previous").addEventListener("click", () => this.go(-1));
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest?.("input, select")) return;
      event.preventDefault();
      this.query.focus();
      this.query.select();
    });
    mg.onLanguage(() => this.tell());
  }

  // What can be found of each box and group, in the order of the drawing. A shape [3, 4] is found as 3x4 too.
  textsOf(view) {
    const { tree, graph } = view;
    const texts = new Map();
    const title = (key) => `${tree.groups.get(key).title} ${tree.groups.get(key).path ?? ""}`;
    const add = (key, words) => {
      const text = plainText(words.join(" \n"));
      const shapes = [...text.matchAll(/\[(\d+(?:, \d+)*)\]/g)].map((match) => match[1].replaceAll(", ", "x"));
      texts.set(key, [text, ...shapes].join(" \n"));
    };
    for (const group of graph.groups) add(group.key, [title(group.key), group.tip ?? ""]);
    for (const box of graph.boxes) {
      const pairs = [...(box.rows ?? []), ...(box.facts ?? [])].map((pair) => pair.join(" "));
      add(box.key, [box.title, box.kind, box.tip ?? "", ...pairs, ...tree.above(box.group).map(title)]);
    }
    return texts;
  }

  find() {
    const phrase = plainText(this.query.value.trim()).replaceAll("×", "x");
    const words = phrase.split(" ").filter(Boolean);
    const fits = (text) => text.includes(phrase) || words.every((word) => text.includes(word));
    for (const key of this.hits) this.view.mark(key, "hit", false);
    this.hits = phrase ? [...this.texts].filter(([, text]) => fits(text)).map(([key]) => key) : [];
    for (const key of this.hits) this.view.mark(key, "hit", true);
    this.at = -1;
    this.tell();
  }

  go(step) {
    if (!this.hits.length) return;
    const count = this.hits.length;
    this.at = this.at < 0 ? (step > 0 ? 0 : count - 1) : (this.at + step + count) % count;
    const key = this.hits[this.at];
    this.view.reveal(key);
    this.view.select(key);
    this.view.focus(key);
    this.tell();
  }

  tell() {
    const none = this.query.value.trim() ? mg.t("none") : "";
    const found = this.hits.length ? mg.t("hits", { at: this.at + 1, all: this.hits.length }) : none;
    document.getElementById("hits").textContent = found;
    for (const id of ["previous", "next"]) document.getElementById(id).disabled = !this.hits.length;
  }
};

function plainText(text) {
  return text.normalize("NFC").toLowerCase().replace(/\s+/g, " ");
}
