// Places for boxes, frames and edges. Every frame is laid out by itself by dagre, with the frames inside it as boxes:
// so frames stay compact, what is inside one does not move when another opens, and a large graph is many small ones.
//
// An edge is drawn in pieces. From a box to the frame's border it leads to a port; ports of one value are one, so that
// a value goes into a module once, however often it is used there:
//
//     x ──▶ │ ──┬──▶ (q)        at this level: x to frame      inside: port to q, port to k
//           │   └──▶ (k)
"use strict";

mg.GraphLayout = class {
  constructor(tree, direction) {
    Object.assign(this, { tree, direction, known: new Map() }); // known: layouts of frames as they were
  }

  // {boxes: Map key → {x, y, width, height} (x, y: the middle), groups: the same, edges: Map key → [{x, y}, ...],
  // width, height}
  place(seen, sizes) {
    const levels = this.levels(seen, sizes);
    const whole = this.level("", levels);
    const places = { boxes: new Map(), groups: new Map(), edges: new Map(), width: whole.width, height: whole.height };
    this.collect(whole, 0, 0, places, sizes);
    for (const edge of seen.edges) places.edges.set(edge.key, this.route(edge, levels, sizes, places));
    return places;
  }

  // ---- what stands and what leads where, frame by frame

  levels(seen, sizes) {
    const levels = new Map();
    for (const key of ["", ...seen.groups.map((group) => group.key)]) {
      levels.set(key, { boxes: [], groups: [], links: new Map(), ports: new Map(), title: "" });
    }
    for (const group of seen.groups) {
      levels.get(group.key).title = group.title;
      levels.get(group.parent || "").groups.push(group.key);
    }
    const order = new Map();
    for (const box of seen.boxes) {
      const { width, height } = sizes.get(box.key);
      levels.get(box.group || "").boxes.push({ key: box.key, width, height });
      for (const key of [box.key, ...this.tree.above(box.group)]) if (!order.has(key)) order.set(key, order.size);
    }
    this.groupOf = new Map(seen.boxes.map((box) => [box.key, box.group || ""]));
    this.pieces = new Map(); // of each edge: [frame, name of the link]
    const lifted = seen.edges.map((edge) => this.lift(edge));
    this.turnBack(lifted, order);
    for (const edge of lifted) this.link(edge, levels);
    return levels;
  }

  // An edge with the frames that it leaves and enters, and what it joins in the frame around both.
  lift({ key, tail, head, faint }) {
    const leaves = [tail, ...this.tree.above(this.groupOf.get(tail))];
    const enters = [head, ...this.tree.above(this.groupOf.get(head))];
    while (leaves.length > 1 && leaves.at(-1) === enters.at(-1) && enters.length > 1) {
      leaves.pop();
      enters.pop();
    }
    const outermost = leaves.at(-1);
    const level = (outermost === tail ? this.groupOf.get(tail) : this.tree.around(outermost)) || "";
    return { key, source: tail, leaves, enters, level, weight: faint ? 1 : 2, back: false };
  }

  // Marks the edges that close a cycle: they are laid out the other way round. Frames make cycles where there are
  // none of boxes, if a value leaves a module and what came of it goes in again.
  turnBack(edges, order) {
    const next = new Map();
    for (const edge of edges) {
      const [from, to] = [edge.leaves.at(-1), edge.enters.at(-1)];
      if (!next.has(from)) next.set(from, new Map());
      if (!next.get(from).has(to)) next.get(from).set(to, []);
      next.get(from).get(to).push(edge);
    }
    const state = new Map();
    for (const start of [...next.keys()].sort((a, b) => order.get(a) - order.get(b))) {
      if (state.has(start)) continue;
      state.set(start, "open");
      const path = [[start, next.get(start).entries()]];
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
        if (state.has(to)) continue;
        state.set(to, "open");
        path.push([to, (next.get(to) ?? new Map()).entries()]);
      }
    }
  }

  // Adds the pieces of an edge to the frames that it runs through, and remembers them for its route.
  link(edge, levels) {
    const { source, leaves, enters, weight, back } = edge;
    const pieces = [];
    const add = (level, from, to) => {
      const name = JSON.stringify([source, from, to]);
      const links = levels.get(level).links;
      if (links.has(name)) links.get(name).weight += weight;
      else links.set(name, { from, to, name, weight, back });
      pieces.push([level, name]);
    };
    const port = (level, way) => {
      const key = `\u0001${way} ${back} ${source}`;
      levels.get(level).ports.set(key, (way === "in") !== back);
      return key;
    };
    for (let i = 1; i < leaves.length; i++) add(leaves[i], leaves[i - 1], port(leaves[i], "out"));
    add(edge.level, leaves.at(-1), enters.at(-1));
    for (let i = enters.length - 1; i > 0; i--) add(enters[i], port(enters[i], "in"), enters[i - 1]);
    this.pieces.set(edge.key, pieces);
  }

  // ---- one frame

  level(key, levels) {
    const level = levels.get(key);
    const inner = new Map(level.groups.map((group) => [group, this.level(group, levels)]));
    const links = [...level.links.values()];
    const nodes = [...level.boxes, ...[...inner].map(([group, { width, height }]) => ({ key: group, width, height }))];
    const name = JSON.stringify([nodes, links, level.title, [...inner.values()].map((one) => one.number)]);
    const old = this.known.get(key);
    if (old?.name === name) level.layout = old;
    else {
      level.layout = { key, name, number: this.known.size + (old?.number ?? 0) + 1, inner, ...this.dagre(level, nodes, links) };
      this.known.set(key, level.layout);
    }
    return level.layout;
  }

  dagre(level, nodes, links) {
    const g = new dagre.graphlib.Graph({ multigraph: true });
    const isLR = this.direction === "LR";
    const ports = level.ports;
    const first = new Set([...ports].filter(([, isFirst]) => isFirst).map(([port]) => port));
    const last = new Set([...ports].filter(([, isFirst]) => !isFirst).map(([port]) => port));
    g.setGraph({
      rankdir: this.direction,
      nodesep: isLR ? 16 : 24,
      ranksep: isLR ? 36 : 32,
      edgesep: 12,
      ranker: (graph) => mg.rank(graph, first, last),
    });
    for (const [key, size] of this.inOrder(nodes, links, ports)) g.setNode(key, size);
    for (const { from, to, name, weight, back } of links) {
      if (back) g.setEdge(to, from, { weight }, name);
      else g.setEdge(from, to, { weight }, name);
    }
    dagre.layout(g);

    const routes = new Map(
      links.map(({ from, to, name, back }) => {
        const points = back ? g.edge(to, from, name).points.reverse() : g.edge(from, to, name).points;
        return [name, points.map(({ x, y }) => ({ x, y }))];
      }),
    );
    return this.trim(g, nodes, routes, level);
  }

  // The order in which dagre begins: what enters a frame between its parameters, so that it leads straight on.
  inOrder(nodes, links, ports) {
    const taking = new Set(links.map(({ from, to, back }) => (back ? from : to)));
    const boxes = nodes.map(({ key, width, height }) => [key, { width, height }]);
    const doors = [...ports.keys()].map((port) => [port, { width: 4, height: 4 }]);
    const sources = boxes.filter(([key]) => !taking.has(key));
    const half = Math.ceil(sources.length / 2);
    return [...sources.slice(0, half), ...doors, ...sources.slice(half), ...boxes.filter(([key]) => taking.has(key))];
  }

  // The frame around what was laid out, with room for its title; ports come to lie on its border.
  trim(g, nodes, routes, level) {
    const isLR = this.direction === "LR";
    const [along, across] = isLR ? ["x", "y"] : ["y", "x"];
    const low = { x: Infinity, y: Infinity };
    const high = { x: -Infinity, y: -Infinity };
    const reach = (axis, at, half) => {
      low[axis] = Math.min(low[axis], at - half);
      high[axis] = Math.max(high[axis], at + half);
    };
    for (const { key, width, height } of nodes) {
      reach("x", g.node(key).x, width / 2);
      reach("y", g.node(key).y, height / 2);
    }
    for (const points of routes.values()) for (const point of points) reach(across, point[across], 2);
    const isFrame = level.title !== "";
    const pad = isFrame ? { x: 14, top: 32, bottom: 14 } : { x: 16, top: 16, bottom: 16 };
    const least = isFrame ? mg.textWidth(level.title, mg.FORM.frameTitle, true) + 44 : 0;
    const spare = Math.max(0, least - (high.x - low.x + 2 * pad.x)) / 2;
    const [dx, dy] = [pad.x + spare - low.x, pad.top - low.y];
    const width = high.x - low.x + 2 * (pad.x + spare);
    const height = high.y - low.y + pad.top + pad.bottom;

    const places = new Map(nodes.map(({ key }) => [key, { x: g.node(key).x + dx, y: g.node(key).y + dy }]));
    const end = isLR ? width : height;
    for (const points of routes.values()) {
      for (const point of points) {
        point.x += dx;
        point.y += dy;
        point[along] = Math.max(0, Math.min(end, point[along]));
      }
    }
    const doors = new Map(); // port → where it is on the border
    for (const [port, isFirst] of level.ports) {
      const at = { x: g.node(port).x + dx, y: g.node(port).y + dy };
      at[along] = isFirst ? 0 : end;
      doors.set(port, at);
    }
    return { width, height, places, routes, doors };
  }

  // ---- all together

  collect(layout, left, top, places, sizes) {
    layout.left = left;
    layout.top = top;
    for (const [key, { x, y }] of layout.places) {
      const inner = layout.inner.get(key);
      if (!inner) {
        const { width, height } = sizes.get(key);
        places.boxes.set(key, { x: left + x, y: top + y, width, height });
        continue;
      }
      const { width, height } = inner;
      places.groups.set(key, { x: left + x, y: top + y, width, height });
      this.collect(inner, left + x - width / 2, top + y - height / 2, places, sizes);
    }
  }

  // The whole way of an edge: its pieces, joined at the ports.
  route(edge, levels, sizes, places) {
    const points = [];
    for (const [key, name] of this.pieces.get(edge.key)) {
      const { layout, links } = levels.get(key);
      const { from, to } = links.get(name);
      let piece = [...layout.routes.get(name)];
      if (piece.length === 3 && (layout.inner.has(from) || layout.inner.has(to))) piece = [piece[0], piece[2]];
      if (layout.doors.has(from)) piece[0] = layout.doors.get(from);
      if (layout.doors.has(to)) piece[piece.length - 1] = layout.doors.get(to);
      if (layout.inner.has(from)) piece.shift();
      if (layout.inner.has(to)) piece.pop();
      for (const { x, y } of piece) points.push({ x: layout.left + x, y: layout.top + y });
    }
    if (sizes.get(edge.tail).round) points[0] = onCircle(places.boxes.get(edge.tail), points[1]);
    if (sizes.get(edge.head).round) points[points.length - 1] = onCircle(places.boxes.get(edge.head), points.at(-2));
    return points;
  }
};

function onCircle({ x, y, width }, towards) {
  const length = Math.hypot(towards.x - x, towards.y - y) || 1;
  return { x: x + ((towards.x - x) / length) * (width / 2), y: y + ((towards.y - y) / length) * (width / 2) };
}
