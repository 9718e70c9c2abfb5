// Which boxes, edges and frames are seen while some groups are closed: the page's form of viz/graph/close.py.
"use strict";

// The groups of a graph as a tree, with what stands in each.
mg.GroupTree = class {
  constructor(graph) {
    this.groups = new Map(graph.groups.map((group) => [group.key, group]));
    this.groupOf = new Map(graph.boxes.map((box) => [box.key, box.group || ""]));
    this.members = new Map(graph.groups.map((group) => [group.key, []])); // all boxes inside, however deep
    this.depths = new Map();
    for (const box of graph.boxes) for (const key of this.above(box.group)) this.members.get(key).push(box.key);
    for (const group of graph.groups) this.depths.set(group.key, this.above(group.key).length);
  }

  // The group and those around it, innermost first.
  above(key) {
    const chain = [];
    for (let at = key; this.groups.has(at); at = this.groups.get(at).parent) chain.push(at);
    return chain;
  }

  // The group around a box or group, or "".
  around(key) {
    return (this.groups.has(key) ? this.groups.get(key).parent : this.groupOf.get(key)) || "";
  }

  // What stands for a box or group: itself, or the outermost closed group around it.
  shown(key, closed) {
    const chain = this.above(this.groups.has(key) ? key : this.groupOf.get(key));
    return chain.findLast((group) => closed.has(group)) ?? key;
  }

  deepest() {
    return Math.max(0, ...this.depths.values());
  }
};

// {boxes, edges, groups} as they are seen. A closed group is one box of kind "module"; edges inside it are gone but for
// those that go back from step to step, and edges between the same two things that way are one, as strong as the
// strongest of them. `of`: the keys of the edges that such an edge stands for.
mg.closeGraph = (graph, tree, closed) => {
  const shown = new Map(graph.boxes.map((box) => [box.key, tree.shown(box.key, closed)]));
  const boxes = new Map();
  for (const box of graph.boxes) {
    const key = shown.get(box.key);
    if (key === box.key) boxes.set(key, box);
    else if (!boxes.has(key)) boxes.set(key, closedBox(tree.groups.get(key)));
  }

  const edges = [];
  const merged = new Map();
  for (const edge of graph.edges) {
    const [tail, head] = [shown.get(edge.tail), shown.get(edge.head)];
    const name = JSON.stringify([tail, head, edge.loop]);
    if (tail === edge.tail && head === edge.head) edges.push(edge);
    else if (tail === head && !edge.loop) continue;
    else if (merged.has(name)) merge(merged.get(name), edge);
    else {
      const first = { ...edge, tail, head, tip: "", of: [edge.key] };
      merged.set(name, first);
      edges.push(first);
    }
  }

  const framed = new Set();
  for (const box of boxes.values()) for (const key of tree.above(box.group)) framed.add(key);
  const groups = [...tree.groups.values()].filter((group) => framed.has(group.key));
  return { boxes: [...boxes.values()], edges, groups };
};

function merge(into, edge) {
  into.of.push(edge.key);
  into.faint = into.faint && edge.faint;
  into.strength = strongest(into.strength, edge.strength);
}

// "nan" and "inf" are stronger than any number: they should be seen.
function strongest(a, b) {
  if (a === undefined || b === undefined) return a ?? b;
  if (typeof a === "string" || typeof b === "string") return typeof a === "string" ? a : b;
  return Math.max(a, b);
}

function closedBox(group) {
  const { rows = [], tip = group.tip, facts = [], marks = [] } = group.closed ?? {};
  return { key: group.key, kind: "module", title: group.title, rows, group: group.parent, tip, facts, marks };
}
