// Places for boxes, frames and edges. Every frame is laid out by itself by dagre, with the frames inside it as boxes:
// so frames stay compact, what is inside one does not move when another opens, and a large graph is many small ones.
//
// Inside, "along" is the axis that the graph runs along (x from left to right) and "across" the other.
"use strict";

const GAPS = { LR: { box: 16, bend: 12, rank: 36 }, TB: { box: 24, bend: 12, rank: 32 } };
const ARC = 14; // how far from boxes a line that goes back runs
const APART = 12; // between edges that lead from one box to one other, if there is room

mg.GraphLayout = class {
  constructor(tree, direction) {
    Object.assign(this, { tree, direction, isLR: direction === "LR", known: new Map() }); // layouts of frames as they were
  }

  // {boxes: Map key → {x, y, width, height} (x, y: the middle), groups: the same, edges: Map key → {points: [{x, y}, ...],
  // goesBack}, width, height}
  place(seen, sizes) {
    const { levels, pieces } = mg.graphLevels(seen, sizes, this.tree);
    const whole = this.level("", levels);
    const places = { boxes: new Map(), groups: new Map(), edges: new Map(), width: whole.width, height: whole.height };
    this.collect(whole, 0, 0, places, sizes);
    const twins = new Map();
    for (const edge of seen.edges) {
      const isLoop = edge.tail === edge.head;
      const route = isLoop ? this.loop(places.boxes.get(edge.tail)) : this.route(pieces.get(edge.key), levels);
      places.edges.set(edge.key, route);
      const ends = JSON.stringify([edge.tail, edge.head]);
      twins.set(ends, [...(twins.get(ends) ?? []), route]);
    }
    for (const [ends, routes] of twins) if (routes.length > 1) this.apart(routes, JSON.parse(ends), places, sizes);
    return places;
  }

  // ---- one frame

  level(key, levels) {
    const level = levels.get(key);
    const inner = new Map(level.groups.map((group) => [group, this.level(group, levels)]));
    const frames = [...inner].map(([group, { width, height }]) => ({ key: group, width, height }));
    const nodes = [...level.boxes, ...frames];
    const links = [...level.links.values()];
    const name = JSON.stringify([nodes, links, level.title, [...inner.values()].map((one) => one.version)]);
    const old = this.known.get(key);
    if (old?.name === name) level.layout = old;
    else {
      level.layout = { name, version: (old?.version ?? 0) + 1, inner, ...this.arrange(level, nodes, links, inner) };
      this.known.set(key, level.layout);
    }
    return level.layout;
  }

  arrange(level, nodes, links, inner) {
    const { ports } = level;
    const gaps = GAPS[this.direction];
    const first = new Set([...ports.keys()].filter((port) => ports.get(port)));
    const last = new Set([...ports.keys()].filter((port) => !ports.get(port)));
    const g = new dagre.graphlib.Graph({ multigraph: true });
    g.setGraph({
      rankdir: this.direction,
      nodesep: gaps.box,
      ranksep: gaps.rank,
      edgesep: gaps.bend,
      ranker: (graph) => mg.rank(graph, first, last),
    });
    for (const { key, width, height, round = false } of nodes) g.setNode(key, { width, height, round });
    for (const port of ports.keys()) g.setNode(port, { width: 4, height: 4 });
    for (const { from, to, name, weight, back } of links) if (!back) g.setEdge(from, to, { weight }, name);
    dagre.layout(g);
    return this.trim(this.straight(g, links, inner), nodes, level);
  }

  // dagre's result made straight: {nodes: Map key → {along, across, half, deep}, routes: Map name → {points: [{along,
  // across}, ...], goesBack}}. `half` is half of a node's size across, `deep` half of it along, `row` where its row is.
  straight(g, links, inner) {
    const turned = ({ x, y }) => (this.isLR ? { along: x, across: y } : { along: y, across: x });
    const nodes = new Map();
    const depth = new Map(); // row → half of the size of the greatest of it
    for (const key of g.nodes()) {
      const { x, y, width, height, round } = g.node(key);
      const [half, deep] = this.isLR ? [height / 2, width / 2] : [width / 2, height / 2];
      const place = turned({ x, y });
      const row = Math.round(place.along);
      nodes.set(key, { ...place, row, half, deep, round });
      depth.set(row, Math.max(depth.get(row) ?? 0, deep));
    }
    const door = (key, way, source) => {
      const frame = inner.get(key);
      const at = frame?.doors.get(mg.portKey(way, source));
      return at ? (this.isLR ? at.y - frame.height / 2 : at.x - frame.width / 2) : null;
    };
    const lines = links.map(({ from, to, name, weight, source, back }) => {
      const points = back ? [] : g.edge(from, to, name).points.slice(1, -1).map(turned);
      const passed = points.map((point) => ({ ...point, row: Math.round(point.along) }));
      const bends = passed.filter(({ row }) => depth.has(row));
      return { from, to, name, weight, back, bends, fromDoor: door(from, "out", source), toDoor: door(to, "in", source) };
    });
    const forward = lines.filter(({ back }) => !back);
    mg.straighten(nodes, forward, GAPS[this.direction]);
    for (const node of nodes.values()) {
      const spare = depth.get(node.row) - node.deep; // beside something long: what begins or ends stands at its side
      if (!node.before.length && node.after.length) node.along += spare;
      if (node.before.length && !node.after.length) node.along -= spare;
    }
    const routes = new Map(forward.map((line) => [line.name, { points: ahead(line, nodes, depth), goesBack: false }]));
    for (const line of lines) {
      if (line.back) routes.set(line.name, { points: arc(line, nodes, depth, routes), goesBack: true });
    }
    return { nodes, routes };
  }

  // The frame around what was laid out, with room for its title; ports come to lie on its border.
  trim({ nodes: laid, routes }, nodes, level) {
    const { isLR } = this;
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
    for (const { points, goesBack } of routes.values()) {
      for (const { along, across } of points) {
        reach("across", across, 2);
        if (goesBack) reach("along", along, 2);
      }
    }
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
    const placed = ({ points, goesBack }) => ({ points: points.map(place), goesBack });
    return {
      width,
      height,
      doors,
      places: new Map(nodes.map(({ key }) => [key, place(laid.get(key))])),
      routes: new Map([...routes].map(([name, route]) => [name, placed(route)])),
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
  route(pieces, levels) {
    const points = [];
    let goesBack = false;
    for (const [key, name] of pieces) {
      const { layout, links } = levels.get(key);
      const { from, to } = links.get(name);
      const piece = layout.routes.get(name);
      const way = [...piece.points];
      if (layout.doors.has(from)) way[0] = layout.doors.get(from);
      if (layout.doors.has(to)) way[way.length - 1] = layout.doors.get(to);
      for (const { x, y } of way) points.push({ x: layout.left + x, y: layout.top + y });
      goesBack ||= piece.goesBack;
    }
    return { points, goesBack };
  }

  // From a box back to itself, around its side.
  loop({ x, y, width, height }) {
    const [half, deep] = this.isLR ? [height / 2, width / 2] : [width / 2, height / 2];
    const [near, far, out] = [half * 0.4, half + ARC, deep + ARC];
    const way = [[deep, near], [out, near], [out, far], [-out, far], [-out, near], [-deep, near]];
    const place = ([along, across]) => (this.isLR ? { x: x + along, y: y + across } : { x: x + across, y: y + along });
    return { points: way.map(place), goesBack: true };
  }

  // Several edges between the same two boxes lie side by side, as far apart as the sides of both let them. They all have
  // one way: at each end it moves aside until there is room for them, and from one to the other on its longest piece.
  apart(routes, ends, places, sizes) {
    const [along, across, size] = this.isLR ? ["x", "y", "height"] : ["y", "x", "width"];
    const { points } = routes[0];
    const sides = ends.map((key) => (sizes.get(key).round ? 0.25 * places.boxes.get(key)[size] : places.boxes.get(key)[size] / 2 - 6));
    const step = Math.min(APART, (2 * Math.min(...sides)) / (routes.length - 1));
    const half = (step * (routes.length - 1)) / 2;
    const [atTail, atHead] = ends.map((key, i) => {
      const aside = points.at(-i)[across] - places.boxes.get(key)[across];
      const room = sides[i] - half;
      return Math.max(-room, Math.min(room, aside)) - aside;
    });
    const lengths = points.slice(1).map((point, i) => Math.abs(point[along] - points[i][along]));
    const turn = lengths.indexOf(Math.max(...lengths));
    for (const [i, route] of routes.entries()) {
      for (const [j, point] of route.points.entries()) point[across] += (j <= turn ? atTail : atHead) - half + i * step;
    }
  }
};

// A line from node to node: it leaves and arrives at their sides, and passes rows straight.
function ahead({ from, to, bends, fromDoor, toDoor }, nodes, depth) {
  const [tail, head] = [nodes.get(from), nodes.get(to)];
  const [start, end] = ends(tail, fromDoor, head, toDoor, bends);
  const points = [start];
  const pass = (along, across) => along - points.at(-1).along > 1 && points.push({ along, across });
  pass(tail.row + depth.get(tail.row), start.across);
  for (const { row, across } of bends) {
    pass(row - depth.get(row), across);
    pass(row + depth.get(row), across);
  }
  const arrival = head.row - depth.get(head.row);
  if (end.along - arrival > 1) pass(arrival, end.across);
  points.push(end);
  return points;
}

// A line that goes back: out ahead of its node, around the side where the way is shorter, in behind the other node.
function arc({ from: before, to: after, fromDoor, toDoor }, nodes, depth, routes) {
  const [tail, head] = [nodes.get(before), nodes.get(after)];
  const out = tail.row + depth.get(tail.row) + ARC;
  const back = head.row - depth.get(head.row) - ARC;
  let [low, high] = [Infinity, -Infinity];
  const [from, to] = [Math.min(out, back, tail.row, head.row), Math.max(out, back, tail.row, head.row)];
  const reach = (along, across, half) => {
    if (along < from || along > to) return;
    low = Math.min(low, across - half);
    high = Math.max(high, across + half);
  };
  for (const { row, across, half } of nodes.values()) reach(row, across, half);
  for (const { points } of routes.values()) for (const { along, across } of points) reach(along, across, 0);
  const middle = (tail.across + head.across) / 2;
  const isLow = middle - low <= high - middle;
  const side = isLow ? low - ARC : high + ARC;
  const aside = (node, door) => node.across + (door ?? (isLow ? -1 : 1) * node.half * 0.5);
  const [start, end] = [aside(tail, fromDoor), aside(head, toDoor)];
  return [
    sideOf(tail, 1, start),
    { along: out, across: start },
    { along: out, across: side },
    { along: back, across: side },
    { along: back, across: end },
    sideOf(head, -1, end),
  ];
}

// Where a line leaves one node and reaches another: at the doors of frames, else where it can go straight.
function ends(tail, fromDoor, head, toDoor, bends) {
  const [a, b] = [range(tail, fromDoor), range(head, toDoor)];
  const within = ({ low, high }, at) => Math.max(low, Math.min(high, at));
  const both = { low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) };
  let [start, end] = [within(a, b.low), within(b, a.low)];
  if (bends.length) [start, end] = [within(a, bends[0].across), within(b, bends.at(-1).across)];
  else if (both.low <= both.high) start = end = within(both, (tail.across + head.across) / 2);
  else if (a.low > b.high) [start, end] = [a.low, b.high];
  return [sideOf(tail, 1, start), sideOf(head, -1, end)];
}

function range({ across, half, round }, door) {
  if (door !== null) return { low: across + door, high: across + door };
  const room = Math.max(0, round ? half * 0.5 : Math.min(half - 8, half * 0.7));
  return { low: across - room, high: across + room };
}

// The point of a node's side ahead (+1) or behind (-1).
function sideOf({ along, across: middle, deep, round }, sign, across) {
  const reach = round ? Math.sqrt(deep ** 2 - (across - middle) ** 2) : deep;
  return { along: along + sign * reach, across };
}
