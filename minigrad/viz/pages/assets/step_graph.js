/* The graph of a story in a GraphView: one box for a node, its rows filled as the steps go. */
"use strict";

mg.step.graph = function (plan, place, { direction, groups, closed }) {
  const { t } = mg;
  const { brief, isWhole, nodeAt, valueOf, targetOf } = mg.step;
  const key = (id) => `n${id}`;
  const edgeKey = (id, position) => `${id}:${position}`;
  const SMALL = 0.6; // a graph scaled below this is not read but looked at:
  const READABLE = 0.8; // it is shown at this scale, and followed
  const TITLE = 22; // the longest formula that a box has for its title
  const HIDDEN = "·"; // stands for what is not computed yet

  /* The two rows of a box: its value, and its gradient if it gets one. */
  function rows(id, k) {
    const node = plan.nodes[id];
    const state = nodeAt(plan, id, k);
    const found = node.op === "number" ? [] : [[t("row.value"), state.visible ? brief(valueOf(node), isWhole(node)) : HIDDEN]];
    if (state.expected) found.push([t("row.grad"), state.grad === undefined ? HIDDEN : brief(state.grad)]);
    return found;
  }

  /* The longest that the rows will ever be: the box is measured with them, so that nothing moves later. */
  function widest(id) {
    const texts = plan.received[id].map((one) => brief(one.total));
    const grad = texts.reduce((a, b) => (b.length > a.length ? b : a), "");
    const found = plan.nodes[id].op === "number" ? [] : [[t("row.value"), brief(valueOf(plan.nodes[id]), isWhole(plan.nodes[id]))]];
    if (texts.length) found.push([t("row.grad"), grad]);
    return found;
  }

  /* `y = tanh(z)` if that is short, else the operation's name alone. */
  function titleOf(node) {
    if (node.kind !== "op") return node.name;
    const formula = `${node.name} = ${node.formula.text}`;
    return formula.length <= TITLE ? formula : `${node.name} = ${node.label}`;
  }

  const kindOf = (node) => (node.id === plan.story.output ? "output" : node.kind === "op" ? "value" : node.kind);
  const tipOf = (node) => `${node.name}: ${node.kind === "op" ? node.op : t(`kind.${node.kind}`)} ${mg.step.shapeText(node.shape)}`;

  const boxes = plan.nodes.map((node) => ({
    key: key(node.id),
    kind: kindOf(node),
    title: titleOf(node),
    rows: rows(node.id, 0),
    room: widest(node.id),
    group: node.group,
    tip: tipOf(node),
    facts: [],
  }));
  const edges = plan.nodes.flatMap((node) =>
    node.inputs.map(({ node: from, slot }, position) => ({
      key: edgeKey(node.id, position),
      tail: key(from),
      head: key(node.id),
      tip: slot,
      faint: !plan.nodes[from].requires_grad,
    })),
  );
  const frames = groups.map((group) => ({ ...group, open: !closed.includes(group.key) }));
  const view = new mg.GraphView(place, { direction, boxes, edges, groups: frames }, {});

  addArrow(view.svg);
  view.on("resize", () => !view.camera.touched && followed.length && follow(followed));
  const groupOf = new Map(plan.nodes.map((node) => [node.id, node.group]));
  const parentOf = new Map(groups.map((group) => [group.key, group.parent]));
  let pointed = { boxes: [], edges: [] };
  let route = [];
  let followed = []; // nodes that the current step is about

  /* The outermost closed group around the node of a step, or null. */
  function closedAround(step) {
    let found = null;
    for (let at = groupOf.get(step.node); at; at = parentOf.get(at)) if (view.closed.has(at)) found = at;
    return found;
  }

  function write(id, k) {
    const state = nodeAt(plan, id, k);
    view.setRows(key(id), rows(id, k));
    view.mark(key(id), "waiting", !state.visible);
    view.mark(key(id), "graded", state.complete);
    view.mark(key(id), "partly", state.contributions.length > 0 && !state.complete);
    for (const one of plan.received[id]) {
      if (one.from !== null) view.markEdge(edgeKey(one.from, one.part.input), "walked", one.step <= k);
    }
  }

  /* Bring the nodes of `ids` to what they are after k steps. */
  function update(k, ids) {
    for (const id of ids) write(id, k);
  }

  /* Show which node and edges a step is about; `asked` if its number is not told yet. */
  function point(step, asked) {
    for (const [id, name] of pointed.boxes) view.mark(key(id), name, false);
    for (const [edge, name] of pointed.edges) view.markEdge(edge, name, false);
    pointed = { boxes: [], edges: [] };
    followed = [];
    if (!step) return;
    const target = targetOf(step);
    pointed.boxes.push([target, asked ? "asked" : "now"]);
    if (step.kind === "value") {
      plan.nodes[target].inputs.forEach((input, i) => pointed.edges.push([edgeKey(target, i), "feeding"]));
    } else if (step.kind === "edge") {
      pointed.boxes.push([step.node, "source"]);
      pointed.edges.push([edgeKey(step.node, step.part.input), "back"]);
    }
    for (const [id, name] of pointed.boxes) view.mark(key(id), name, true);
    for (const [edge, name] of pointed.edges) view.markEdge(edge, name, true);
    followed = step.kind === "edge" ? [step.node, target] : [target];
    follow(followed);
  }

  /* Bring nodes into sight where they are not; a graph too small to read is scaled up, unless someone moved it. */
  function follow(ids) {
    const { camera } = view;
    const places = ids.map((id) => view.placeOf(view.shown(key(id))));
    const { width, height } = camera.size();
    const k = camera.touched || camera.k >= SMALL ? camera.k : READABLE;
    const inSight = places.every(({ x, y, width: w, height: h }) => {
      const [left, top] = [camera.x + (x - w / 2) * camera.k, camera.y + (y - h / 2) * camera.k];
      return left > 8 && top > 8 && left + w * camera.k < width - 8 && top + h * camera.k < height - 8;
    });
    if (inSight && k === camera.k) return;
    const middle = (axis) => (Math.min(...places.map((p) => p[axis])) + Math.max(...places.map((p) => p[axis]))) / 2;
    const apart = (axis) => Math.max(...places.map((p) => p[axis])) - Math.min(...places.map((p) => p[axis]));
    const last = places[places.length - 1];
    const fits = apart("x") * k < width - 120 && apart("y") * k < height - 90;
    const [x, y] = fits ? [middle("x"), middle("y")] : [last.x, last.y];
    camera.glide(width / 2 - x * k, height / 2 - y * k, k);
  }

  function lightPaths(through) {
    for (const edge of route) view.markEdge(edge, "route", false);
    route = through ? [...through] : [];
    for (const edge of route) view.markEdge(edge, "route", true);
    place.classList.toggle("routed", route.length > 0);
  }

  /* The head of an edge that a gradient walks: at the end it walks to. */
  function addArrow(into) {
    const { svg } = mg;
    const shape = { id: "back-arrow", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 11, markerHeight: 11 };
    const head = svg("path", { d: "M0 0L10 5L0 10z" });
    into.prepend(svg("defs", {}, svg("marker", { ...shape, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, head)));
  }

  return {
    update,
    point,
    lightPaths,
    closedAround,
    rewrite: (k) => update(k, plan.nodes.map((node) => node.id)),
    mark: (id, name, on) => view.mark(key(id), name, on),
    choose: (id) => view.select(id === null ? null : key(id)),
    onSelect: (run) => view.on("select", (chosen) => run(/^n\d+$/.test(chosen) ? Number(chosen.slice(1)) : null)),
    view,
  };
};
