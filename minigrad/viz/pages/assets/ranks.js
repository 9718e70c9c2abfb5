// The ranks (columns from left to right, rows from top to bottom) of a graph without cycles: dagre's `ranker`.
// Each node comes as early as it can, then moves to where its edges are shortest: a parameter stands beside the
// operation that uses it. Nodes in `first` stand before all others, nodes in `last` behind: where lines enter and
// leave a frame.
"use strict";

mg.rank = (g, first, last) => {
  const rank = new Map();
  const order = sorted(g);
  const earliest = (v) => Math.max(0, ...g.inEdges(v).map((e) => rank.get(e.v) + g.edge(e).minlen));
  const latest = (v) => Math.min(...g.outEdges(v).map((e) => rank.get(e.w) - g.edge(e).minlen));
  const weight = (edges) => edges.reduce((sum, e) => sum + g.edge(e).weight, 0);
  for (const v of order) rank.set(v, earliest(v));

  const reversed = [...order].reverse();
  for (const pass of [reversed, order, reversed]) {
    for (const v of pass) {
      const [ins, outs] = [g.inEdges(v), g.outEdges(v)];
      if (!outs.length || first.has(v)) continue;
      if (weight(outs) > weight(ins)) rank.set(v, latest(v));
      else if (ins.length) rank.set(v, earliest(v));
    }
  }

  const isRoot = (v) => g.node(v).dummy === "root"; // dagre's own, before all; it takes it out again
  const inner = order.filter((v) => !first.has(v) && !last.has(v) && !isRoot(v)).map((v) => rank.get(v));
  const [top, bottom] = [Math.min(...inner), Math.max(...inner)];
  for (const v of order) {
    const at = first.has(v) ? top - 2 : last.has(v) ? bottom + 2 : rank.get(v);
    g.node(v).rank = isRoot(v) ? 0 : at - top + 3;
  }
};

// The nodes, each after those that lead to it.
function sorted(g) {
  const waiting = new Map(g.nodes().map((v) => [v, new Set(g.inEdges(v).map((e) => e.v)).size]));
  const found = g.nodes().filter((v) => waiting.get(v) === 0);
  for (const v of found) {
    for (const w of new Set(g.outEdges(v).map((e) => e.w))) {
      waiting.set(w, waiting.get(w) - 1);
      if (waiting.get(w) === 0) found.push(w);
    }
  }
  return found;
}
