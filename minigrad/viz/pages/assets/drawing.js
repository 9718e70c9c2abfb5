// The page of a drawing: graph, search field, panel, buttons for modules and colours.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const { el, t, data } = mg;
  const $ = (id) => document.getElementById(id);

  const view = new mg.GraphView($("graph"), data, { label: t("graphLabel", { boxes: data.boxes.length }) });
  new mg.Search(view);
  new mg.Panel(view, $("panel"));
  new mg.HoverCard(view, (key) => card(view, key));

  view.on("select", (key) => {
    if (key === null) return;
    if (narrow.matches || view.camera.framed) showPanel(true);
    if (view.frames.has(key)) return;
    const { before, after } = view.related(key);
    const { title } = view.elements.get(view.shown(key)).spec;
    mg.say(t("selected", { what: title, before: before.size - 1, after: after.size - 1 }));
    view.camera.show(view.placeOf(view.shown(key)), true);
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) view.select(null);
  });

  // ---- modules

  const depths = Math.min(view.tree.deepest(), 6);
  if (depths) {
    const button = (n) =>
      el("button", { type: "button", "data-depth": n, onclick: () => view.setClosed(closedBelow(n)) }, String(n));
    $("depths").append(...Array.from({ length: depths + 1 }, (_, n) => button(n)));
    $("depths").hidden = false;
    view.on("toggle", showDepth);
    mg.onLanguage(showDepth);
    showDepth();
  }

  function closedBelow(depth) {
    return [...view.tree.depths].filter(([, at]) => at > depth && depth < depths).map(([key]) => key);
  }

  function showDepth() {
    for (const button of $("depths").children) {
      const n = Number(button.dataset.depth);
      const closed = closedBelow(n);
      const isNow = closed.length === view.closed.size && closed.every((key) => view.closed.has(key));
      const word = n === 0 ? t("closeAll") : n === depths ? t("openAll") : t("openTo", { n });
      if (n === 0 || n === depths) button.textContent = word;
      button.setAttribute("aria-label", word);
      button.title = word;
      button.setAttribute("aria-pressed", isNow);
    }
  }

  // ---- colours of gradients

  if (view.range) {
    $("colours").hidden = false;
    $("colours").addEventListener("click", () => {
      view.setColoured(!view.coloured);
      $("colours").setAttribute("aria-pressed", view.coloured);
    });
  }

  // ---- the panel: beside the graph; over its lower part on a phone

  const narrow = matchMedia("(max-width: 760px)");
  const showPanel = (on) => {
    $("panel").hidden = !on;
    $("side").setAttribute("aria-pressed", on);
    view.resized();
  };
  showPanel(!narrow.matches && !(view.camera.framed && innerWidth < 1000)); // in a notebook the graph needs the room
  narrow.addEventListener("change", () => showPanel(!narrow.matches));
  $("side").addEventListener("click", () => showPanel($("panel").hidden));

  // ---- the direction: a wide graph is turned where there is no room for it

  const turn = (direction) => {
    view.setDirection(direction);
    view.render();
    view.begin(true);
  };
  const turnButton = el("button", {
    type: "button",
    id: "turn",
    "data-t-label": "turn",
    "data-t-title": "turn",
    onclick: () => turn(view.direction === "LR" ? "TB" : "LR"),
  }, "⇄");
  $("graph").querySelector(".graph-buttons").prepend(turnButton);
  mg.translate($("graph"));
  if (narrow.matches && view.direction === "LR" && view.wholeScale() < 0.6) turn("TB");

  if (data.note) {
    $("note").textContent = data.note;
    $("note").hidden = false;
  }

  const failed = data.boxes.find((box) => box.kind === "failed");
  if (failed) view.select(failed.key); // what failed is what is looked for

  mg.view = view; // for the console, and for tests
});

// What the card beside a box, a module or an edge says.
function card(view, key) {
  const { el, t, number } = mg;
  const edge = view.edgeElements.has(key) && view.seen.edges.find((one) => one.key === key);
  if (edge) {
    const rows = [];
    if (edge.tip) rows.push(el("p", {}, edge.tip));
    if (edge.strength !== undefined) {
      const text = typeof edge.strength === "number" ? number(edge.strength) : edge.strength;
      rows.push(el("p", { class: "grad" }, `${t("gradient")} ${text}`));
    }
    return rows.length ? el("div", {}, ...rows) : null;
  }
  const group = view.tree.groups.get(key);
  const box = group ? { ...group.closed, kind: "module", title: group.title } : view.graph.boxes[view.index.get(key)];
  const pairs = mg.factsOf(box).filter(([, text]) => text !== box.tip);
  if (box.kind === "fold" && mg.data.note) pairs.push(["", mg.data.note]);
  const line = ([label, text]) => el("p", {}, el("span", { class: "soft" }, `${mg.factLabel(label)} `), String(text));
  return el("div", {}, el("strong", {}, box.tip || box.title), ...pairs.slice(0, 9).map(line));
}
