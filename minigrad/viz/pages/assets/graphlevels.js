// What stands in each frame, and which pieces of edges run in it: what graphlayout.js lays out.
//
// An edge is laid out in pieces. From a box to the frame's border it leads to a port; the ports of one value are one,
// so that a value goes into a module once, however often it is used there:
//
//     x ──▶ │ ──┬──▶ (q)        at this level: x to frame      inside: port to q, port to k
//           │   └──▶ (k)
"use strict";

mg.WEIGHTS = { data: 1e6, side: 1 }; // of an edge that carries data; of a parameter's or a constant's

// {levels: Map key of a frame ("" is the whole) → {title, boxes, groups, links, ports}, pieces: Map key of an edge →
// [[level, name of the link], ...]}.
//   links  Map name → {source, from, to, name, weight, back}, from and to: keys of boxes, groups or ports
//   ports  Map key of a port → whether it is where lines come in
mg.graphLevels = (seen, sizes, tree) => {
  const levels = new Map();
  for (const { key, title } of [{ key: "", title: "" }, ...seen.groups]) {
    levels.set(key, { title, boxes: [], groups: [], links: new Map(), ports: new Map() });
  }
  for (const group of seen.groups) levels.get(group.parent || "").groups.push(group.key);

  const around = new Map(seen.boxes.map((box) => [box.key, box.group || ""]));
  const order = new Map();
  for (const box of seen.boxes) {
    levels.get(around.get(box.key)).boxes.push({ key: box.key, ...sizes.get(box.key) });
    for (const key of [box.key, ...tree.above(box.group)]) if (!order.has(key)) order.set(key, order.size);
  }

  const data = dataEdges(seen);
  const lifted = seen.edges.filter(({ tail, head }) => tail !== head).map((edge) => lift(edge, data.has(edge.key)));
  turnBack(lifted, order);
  return { levels, pieces: new Map(lifted.map((edge) => [edge.key, link(edge, levels)])) };

  // An edge with the frames that it leaves and enters, innermost first, up to what it joins in the frame around both.
  function lift({ key, tail, head, loop = false }, isData) {
    const leaves = [tail, ...tree.above(around.get(tail))];
    const enters = [head, ...tree.above(around.get(head))];
    while (leaves.length > 1 && enters.length > 1 && leaves.at(-1) === enters.at(-1)) {
      leaves.pop();
      enters.pop();
    }
    const level = (leaves.length === 1 ? around.get(tail) : tree.around(leaves.at(-1))) || "";
    return { key, source: tail, leaves, enters, level, weight: mg.WEIGHTS[isData ? "data" : "side"], back: loop };
  }
};

// A port's name among the keys of boxes.
mg.portKey = (way, source) => `\u0001${way} ${source}`;

// The edges along which the data go: results, and the first operand of what takes no result.
function dataEdges(seen) {
  const kinds = new Map(seen.boxes.map((box) => [box.key, box.kind]));
  const isSource = ({ tail }) => kinds.get(tail) === "leaf" || kinds.get(tail) === "constant";
  const results = seen.edges.filter((edge) => !isSource(edge));
  const fed = new Set(results.map((edge) => edge.head));
  const found = new Set(results.map((edge) => edge.key));
  for (const edge of seen.edges) {
    if (fed.has(edge.head)) continue;
    fed.add(edge.head);
    found.add(edge.key);
  }
  return found;
}

// Marks the edges that close a cycle. Frames make cycles where boxes have none: if a value leaves a module and what
// came of it goes in again.
function turnBack(edges, order) {
  const next = new Map();
  for (const edge of edges) {
    if (edge.back) continue;
    const [from, to] = [edge.leaves.at(-1), edge.enters.at(-1)];
    if (!next.has(from)) next.set(from, new Map());
    next.get(from).set(to, [...(next.get(from).get(to) ?? []), edge]);
  }
  const state = new Map();
  const visit = (key) => {
    state.set(key, "open");
    return [key, (next.get(key) ?? new Map()).entries()];
  };
  for (const start of [...next.keys()].sort((a, b) => order.get(a) - order.get(b))) {
    const path = state.has(start) ? [] : [visit(start)];
    while (path.length) {
      const [at, ways] = path.at(-1);
      const way = ways.next();
      if (way.done) {
        state.set(at, "done");
        path.pop();
        continue;
      }
      const [to, along] = way.value;
      if (state.get(to) === "open") for (const edge of along) edge.back = true;
      else if (!state.has(to)) path.push(visit(to));
    }
  }
}

// Adds the pieces of an edge to the frames that it runs through, and returns where they are.
function link({ source, leaves, enters, level: middle, weight, back }, levels) {
  const pieces = [];
  const add = (level, from, to, isBack = false) => {
    const name = JSON.stringify([source, from, to]);
    const { links } = levels.get(level);
    if (links.has(name)) links.get(name).weight += weight;
    else links.set(name, { source, from, to, name, weight, back: isBack });
    pieces.push([level, name]);
  };
  const port = (level, way) => {
    const key = mg.portKey(way, source);
    levels.get(level).ports.set(key, way === "in");
    return key;
  };
  for (let i = 1; i < leaves.length; i++) add(leaves[i], leaves[i - 1], port(leaves[i], "out"));
  add(middle, leaves.at(-1), enters.at(-1), back);
  for (let i = enters.length - 1; i > 0; i--) add(enters[i], port(enters[i], "in"), enters[i - 1]);
  return pieces;
}
