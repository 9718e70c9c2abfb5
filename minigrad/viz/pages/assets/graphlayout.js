// Where things stand: how large a box is, found from its text, and dagre's places for boxes, frames and edges.
// Sizes are those of viz/graph/style.py.
"use strict";

mg.FORM = {
  title: 13,
  row: 11.5,
  sign: 17,
  opRow: 10.5,
  titleLine: 17,
  rowLine: 15,
  signLine: 20,
  padX: 11,
  padY: 7,
  gap: 7,
  round: 34,
  stack: 5,
  frameTitle: 12,
  frameRoom: 14,
};

mg.textWidth = (() => {
  const pen = document.createElement("canvas").getContext("2d");
  const known = new Map();
  const family = getComputedStyle(document.documentElement).getPropertyValue("--sans").trim() || "sans-serif";
  return (text, size, bold) => {
    const name = `${size}${bold ? "b" : ""} ${text}`;
    if (!known.has(name)) {
      pen.font = `${bold ? "600 " : ""}${size}px ${family}`;
      known.set(name, pen.measureText(text).width);
    }
    return known.get(name);
  };
})();

// What a box's text needs: {width, height, round, column, block}. `column` is the width of the labels of its rows,
// `block` that of labels and texts together.
mg.measure = (box) => {
  const F = mg.FORM;
  const width = mg.textWidth;
  const isOp = box.kind === "op";
  const isSign = isOp && [...box.title].length === 1;
  const titleWidth = width(box.title, isSign ? F.sign : F.title, true);
  const rows = box.rows ?? [];
  if (isOp && rows.length === 0 && titleWidth < F.round - 8) {
    return { width: F.round, height: F.round, round: true, column: 0, block: 0 };
  }
  const labels = rows.filter(([label]) => label.trim()).map(([label]) => width(label, F.row));
  const column = Math.max(0, ...labels);
  const block = Math.max(0, ...rows.filter(([label]) => label).map((row) => column + F.gap + width(row[1], F.row, true)));
  const free = rows.filter(([label]) => !label).map((row) => width(row[1], isOp ? F.opRow : F.row));
  const button = box.kind === "module" ? 22 : 0;
  const wide = Math.max(titleWidth + button, block, ...free);
  const line = isOp ? F.signLine : box.title ? F.titleLine : 0;
  const stack = box.kind === "fold" || box.kind === "module" ? F.stack : 0;
  return {
    width: Math.ceil(wide + 2 * F.padX + stack),
    height: Math.ceil(line + F.rowLine * rows.length + 2 * F.padY + stack - (isOp ? 4 : 0)),
    round: false,
    column,
    block,
  };
};

// Places for what is seen: {boxes: Map key → {x, y, width, height} (x, y: the middle), groups: the same,
// edges: Map key → [{x, y}, ...], width, height}. Edges run between boxes only and a frame without a box is not given:
// dagre can't place either.
mg.layout = (seen, sizes, direction) => {
  const g = new dagre.graphlib.Graph({ compound: true, multigraph: true });
  const framed = seen.groups.length > 0;
  g.setGraph({
    rankdir: direction,
    nodesep: framed ? 26 : direction === "LR" ? 16 : 24,
    ranksep: direction === "LR" ? 36 : 32,
    edgesep: framed && direction === "LR" ? 22 : 10, // from left to right this is the room for frames' titles
    marginx: 16,
    marginy: 16,
    ranker: seen.boxes.length > 250 ? "tight-tree" : "network-simplex",
  });
  for (const group of seen.groups) g.setNode(group.key, {});
  for (const box of seen.boxes) {
    const { width, height } = sizes.get(box.key);
    g.setNode(box.key, { width, height });
  }
  for (const { key, parent } of seen.groups) if (parent && g.hasNode(parent)) g.setParent(key, parent);
  for (const { key, group } of seen.boxes) if (group && g.hasNode(group)) g.setParent(key, group);
  for (const edge of seen.edges) g.setEdge(edge.tail, edge.head, { weight: edge.faint ? 1 : 2 }, edge.key);
  dagre.layout(g);
  if (framed && direction === "TB") makeRoom(g, seen);

  const place = (key) => {
    const { x, y, width, height } = g.node(key);
    return { x, y, width, height };
  };
  return {
    boxes: new Map(seen.boxes.map(({ key }) => [key, place(key)])),
    groups: new Map(seen.groups.map(({ key }) => [key, place(key)])),
    edges: new Map(seen.edges.map(({ key, tail, head }) => [key, g.edge(tail, head, key).points])),
    width: g.graph().width,
    height: g.graph().height,
  };
};

// From top to bottom dagre leaves no room for the titles of frames: all that is lower than a frame's top moves down.
function makeRoom(g, seen) {
  const topOf = (key) => Math.round(g.node(key).y - g.node(key).height / 2);
  const tops = [...new Set(seen.groups.map((group) => topOf(group.key)))].sort((a, b) => a - b);
  const lower = (y) => y + mg.FORM.frameRoom * tops.filter((top) => top < y).length;
  for (const { key } of seen.groups) {
    const node = g.node(key);
    const top = lower(topOf(key));
    const bottom = lower(node.y + node.height / 2);
    node.y = (top + bottom) / 2;
    node.height = bottom - top;
  }
  for (const { key } of seen.boxes) g.node(key).y = lower(g.node(key).y);
  for (const { v, w, name } of g.edges()) for (const point of g.edge(v, w, name).points) point.y = lower(point.y);
  g.graph().height = lower(g.graph().height);
}
