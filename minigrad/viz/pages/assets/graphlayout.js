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
    for (const edge of seen.edges) {
      const isLoop = edge.tail === edge.head;
      places.edges.set(edge.key, isLoop ? this.loop(places.boxes.get(edge.tail)) : this.route(edge, levels));
    }
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
      const { width, height, round } = sizes.get(box.key);
      levels.get(box.group || "").boxes.push({ key: box.key, width, height, round });
      for (const key of [box.key, ...this.tree.above(box.group)]) if (!order.has(key)) order.set(key, order.size);
    }
    this.groupOf = new Map(seen.boxes.map((box) => [box.key, box.group || ""]));
    this.pieces = new Map(); // of each edge: [frame, name of the link]
    const data = this.dataEdges(seen);
    const lifted = seen.edges.filter((edge) => edge.tail !== edge.head).map((edge) => this.lift(edge, data.has(edge.key)));
    this.turnBack(lifted, order);
    for (const edge of lifted) this.link(edge, levels);
    return levels;
  }

  // The edges along which the data go: results, and the first operand of what takes no result.
  dataEdges(seen) {
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

  // An edge with the frames that it leaves and enters, and what it joins in the frame around both.
  lift({ key, tail, head }, isData) {
    const leaves = [tail, ...this.tree.above(this.groupOf.get(tail))];
    const enters = [head, ...this.tree.above(this.groupOf.get(head))];
    while (leaves.length > 1 && leaves.at(-1) === enters.at(-1) && enters.length > 1) {
      leaves.pop();
      enters.pop();
    }
    const outermost = leaves.at(-1);
    const level = (outermost === tail ? this.groupOf.get(tail) : this.tree.around(outermost)) || "";
    return { key, source: tail, leaves, enters, level, weight: mg.WEIGHTS[isData ? "data" : "side"], back: false };
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
      else links.set(name, { source, from, to, name, weight, back });
      pieces.push([level, name]);
    };
    const port = (level, way) => {
      const key = portKey(way, back, source);
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
      level.layout = { key, name, number: this.known.size + (old?.number ?? 0) + 1, inner, ...this.arrange(level, nodes, links, inner) };
      this.known.set(key, level.layout);
    }
    return level.layout;
  }

  arrange(level, nodes, links, inner) {
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
    return this.trim(this.straight(g, links, inner), nodes, level);
  }

  // dagre's result made straight: {nodes: Map key → {along, across, half, deep}, routes: Map name → [{along, across}]}.
  // `half` is half of a node's size across, `deep` half of it along. A route leads from a node's side to another's
  // side; where it passes a row, it passes straight.
  straight(g, links, inner) {
    const isLR = this.direction === "LR";
    const turned = ({ x, y }) => (isLR ? { along: x, across: y } : { along: y, across: x });
    const nodes = new Map();
    const depth = new Map(); // half of the size of the greatest of each row
    for (const key of g.nodes()) {
      const { x, y, width, height, round } = g.node(key);
      const [half, deep] = isLR ? [height / 2, width / 2] : [width / 2, height / 2];
      const place = turned({ x, y });
      const row = Math.round(place.along);
      nodes.set(key, { ...place, row, half, deep, round });
      depth.set(row, Math.max(depth.get(row) ?? 0, deep));
    }
    const door = (frame, way, { back, source }) => {
      const at = frame?.doors.get(portKey(way, back, source));
      return at ? (isLR ? at.y - frame.height / 2 : at.x - frame.width / 2) : null;
    };
    const lines = links.map((link) => {
      const { from, to, name, weight, back } = link;
      const ends = [
        { key: from, door: door(inner.get(from), "out", link) },
        { key: to, door: door(inner.get(to), "in", link) },
      ];
      const [tail, head] = back ? ends.reverse() : ends;
      const points = g.edge(tail.key, head.key, name).points.slice(1, -1).map(turned);
      const passed = points.map((point) => ({ ...point, row: Math.round(point.along) }));
      const bends = passed.filter(({ row }) => depth.has(row));
      return { from: tail.key, to: head.key, name, back, weight, bends, fromDoor: tail.door, toDoor: head.door };
    });
    mg.straighten(nodes, lines, isLR ? { box: 16, bend: 12 } : { box: 24, bend: 12 });
    for (const node of nodes.values()) {
      const spare = depth.get(node.row) - node.deep; // beside something long: what begins or ends stands at its side
      if (!node.before.length && node.after.length) node.along += spare;
      if (node.before.length && !node.after.length) node.along -= spare;
    }

    const routes = new Map();
    for (const { from, to, name, back, bends, fromDoor, toDoor } of lines) {
      const [tail, head] = [nodes.get(from), nodes.get(to)];
      const deep = (item) => depth.get(item.row);
      const [start, end] = ends(tail, fromDoor, head, toDoor, bends);
      const points = [start];
      const pass = (along, across) => along - points.at(-1).along > 1 && points.push({ along, across });
      pass(tail.row + deep(tail), start.across);
      for (const bend of bends) {
        pass(bend.row - deep(bend), bend.across);
        pass(bend.row + deep(bend), bend.across);
      }
      if (end.along - (head.row - deep(head)) > 1) pass(head.row - deep(head), end.across);
      points.push(end);
      routes.set(name, back ? points.reverse() : points);
    }
    return { nodes, routes };
  }

  // The order in which dagre begins: what enters a frame between its parameters, so that it leads straight on.
  inOrder(nodes, links, ports) {
    const taking = new Set(links.map(({ from, to, back }) => (back ? from : to)));
    const boxes = nodes.map(({ key, width, height, round = false }) => [key, { width, height, round }]);
    const doors = [...ports.keys()].map((port) => [port, { width: 4, height: 4 }]);
    const sources = boxes.filter(([key]) => !taking.has(key));
    const half = Math.ceil(sources.length / 2);
    return [...sources.slice(0, half), ...doors, ...sources.slice(half), ...boxes.filter(([key]) => taking.has(key))];
  }

  // The frame around what was laid out, with room for its title; ports come to lie on its border.
  trim({ nodes: laid, routes }, nodes, level) {
    const isLR = this.direction === "LR";
    const low = { along: Infinity, across: Infinity };
    const high = { along: -Infinity, across: -Infinity };
    const reach = (axis, at, half) => {
      low[axis] = Math.min(low[axis], at - half);
      high[axis] = Math.max(high[axis], at + half);
    };
    for (const { key } of nodes) {
      const { along, across, deep, half } = laid.get(key);
      reach("along", along, deep);
      reach("across", across, half);
    }
    for (const points of routes.values()) for (const { across } of points) reach("across", across, 2);
    const flip = ({ along, across }) => (isLR ? { x: along, y: across } : { x: across, y: along });
    const [least, greatest] = [flip(low), flip(high)];

    const isFrame = level.title !== "";
    const pad = isFrame ? { x: 14, top: 32, bottom: 14 } : { x: 16, top: 16, bottom: 16 };
    const needed = isFrame ? mg.textWidth(level.title, mg.FORM.frameTitle, true) + 44 : 0;
    const spare = Math.max(0, needed - (greatest.x - least.x + 2 * pad.x)) / 2;
    const [dx, dy] = [pad.x + spare - least.x, pad.top - least.y];
    const width = greatest.x - least.x + 2 * (pad.x + spare);
    const height = greatest.y - least.y + pad.top + pad.bottom;

    const [axis, end] = isLR ? ["x", width] : ["y", height];
    const place = (point) => {
      const { x, y } = flip(point);
      const at = { x: x + dx, y: y + dy };
      at[axis] = Math.max(0, Math.min(end, at[axis])); // ports, and lines to them, are drawn in to the border
      return at;
    };
    const doors = new Map(); // port → where it is on the border
    for (const [port, isFirst] of level.ports) doors.set(port, { ...place(laid.get(port)), [axis]: isFirst ? 0 : end });
    return {
      width,
      height,
      doors,
      places: new Map(nodes.map(({ key }) => [key, place(laid.get(key))])),
      routes: new Map([...routes].map(([name, points]) => [name, points.map((point) => place(point))])),
    };
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
  route(edge, levels) {
    const points = [];
    for (const [key, name] of this.pieces.get(edge.key)) {
      const { layout, links } = levels.get(key);
      const { from, to } = links.get(name);
      const piece = [...layout.routes.get(name)];
      if (layout.doors.has(from)) piece[0] = layout.doors.get(from);
      if (layout.doors.has(to)) piece[piece.length - 1] = layout.doors.get(to);
      for (const { x, y } of piece) points.push({ x: layout.left + x, y: layout.top + y });
    }
    return points;
  }

  // From a box back to itself: around the side of it where data do not go.
  loop({ x, y, width, height }) {
    const isLR = this.direction === "LR";
    const [half, deep] = isLR ? [height / 2, width / 2] : [width / 2, height / 2];
    const ways = [[deep, half * 0.5], [deep + 12, half * 0.5], [deep + 12, half + 12], [-deep - 12, half + 12], [-deep - 12, half * 0.5], [-deep, half * 0.5]];
    return ways.map(([along, across]) => (isLR ? { x: x + along, y: y + across } : { x: x + across, y: y + along }));
  }
};

// A port's name among the keys of boxes.
function portKey(way, back, source) {
  return `\u0001${way} ${back} ${source}`;
}

// Where a line leaves one node and reaches another: at the doors of frames, else where it can go straight.
function ends(tail, fromDoor, head, toDoor, bends) {
  const [a, b] = [range(tail, fromDoor), range(head, toDoor)];
  const within = ({ low, high }, at) => Math.max(low, Math.min(high, at));
  if (bends.length) return [side(tail, 1, within(a, bends[0].across)), side(head, -1, within(b, bends.at(-1).across))];
  const both = { low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) };
  const middle = (tail.across + head.across) / 2;
  if (both.low <= both.high) return [side(tail, 1, within(both, middle)), side(head, -1, within(both, middle))];
  return [side(tail, 1, within(a, b.low)), side(head, -1, within(b, a.low))];
}

function range({ across, half, round }, door) {
  if (door !== null) return { low: across + door, high: across + door };
  const room = Math.max(0, round ? half * 0.5 : Math.min(half - 8, half * 0.7));
  return { low: across - room, high: across + room };
}

function side({ along, across: middle, deep, round }, sign, across) {
  const reach = round ? Math.sqrt(deep ** 2 - (across - middle) ** 2) : deep;
  return { along: along + sign * reach, across };
}
