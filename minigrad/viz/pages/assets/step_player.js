/* The state machine of the step page: pure functions on a story, without a document.

   A story (minigrad/viz/chain/story.py) is nodes in forward order and the backward pass as a list. A plan makes single
   steps of it, and says for each node what is known after k of them; the page only shows what the plan says.

       k = 0        leaves and constants have values           steps[k - 1] is the step that led to state k
       1 ... F      one operation each: its value appears
       F + 1        the gradient of the output with respect to itself
       F + 2 ...    one edge each: upstream x local derivative = a contribution to the gradient of an input,
                    or one operation whose gradients can't be told (the graph was freed)                             */
"use strict";

mg.step = {};

(() => {
  mg.step.plan = function (story) {
    const nodes = story.nodes;
    const steps = [];
    const shownAt = nodes.map(() => 0); // the step at which a node's value appears
    const received = nodes.map(() => []); // the contributions to each node's gradient, in order
    for (const node of nodes) {
      if (node.kind === "op") {
        steps.push({ phase: "forward", kind: "value", node: node.id });
        shownAt[node.id] = steps.length;
      }
    }
    const forward = steps.length;
    const seed = seedOf(story);
    if (seed !== undefined) {
      steps.push({ phase: "backward", kind: "seed", node: story.output, total: seed, old: null });
      received[story.output].push({ step: steps.length, from: null, product: seed, total: seed });
    }
    for (const entry of story.backward) {
      const upstream = hasParts(nodes[entry.node]) ? { many: entry.upstream } : entry.upstream;
      if (entry.problem) steps.push({ phase: "backward", kind: "problem", node: entry.node, upstream, why: entry.problem });
      for (const told of entry.parts) {
        const before = received[told.node];
        const many = hasParts(nodes[told.node]) && { many: [...before.map((one) => one.product), told.product] };
        const part = many ? { ...told, total: many } : told;
        const old = many || told.first || !before.length ? null : before[before.length - 1].total;
        steps.push({ phase: "backward", kind: "edge", node: entry.node, upstream, part, old });
        before.push({ step: steps.length, from: entry.node, part, product: part.product, total: part.total });
      }
    }
    return { story, nodes, steps, forward, total: steps.length, shownAt, received, ways: waysThrough(story) };
  };

  /* Whether a node has several outputs: its shape is a list of shapes, its gradient one for each output. */
  const hasParts = (node) => Array.isArray(node.shape[0]);

  /* The value of a node; of one with several outputs only that they are several: those that pick one have it. */
  mg.step.valueOf = (node) => (hasParts(node) ? { many: node.shape.map(() => null) } : node.value);

  /* The gradient that the backward pass starts with, if there is one. */
  function seedOf(story) {
    return story.nodes[story.output].requires_grad ? story.seed : undefined;
  }

  /* What is known of a node after k steps. `grad` is undefined until a contribution came. */
  mg.step.nodeAt = function (plan, id, k) {
    const all = plan.received[id];
    const come = all.filter((one) => one.step <= k);
    const last = come[come.length - 1];
    return {
      visible: plan.shownAt[id] <= k,
      contributions: come,
      expected: all.length,
      grad: last && last.total,
      complete: all.length > 0 && come.length === all.length && plan.story.grads[id] !== null,
    };
  };

  /* The nodes whose state may differ between a and b steps. */
  mg.step.touched = function (plan, a, b) {
    const found = new Set();
    for (let i = Math.min(a, b); i < Math.max(a, b); i++) found.add(targetOf(plan.steps[i]));
    return found;
  };

  /* The node that a step gives something to: a value, or a gradient. */
  function targetOf(step) {
    return step.kind === "edge" ? step.part.node : step.node;
  }
  mg.step.targetOf = targetOf;

  /* The phase of state k: "start", "forward", "backward" or "end". */
  mg.step.phaseAt = function (plan, k) {
    if (k <= 0) return "start";
    if (k >= plan.total) return "end";
    return plan.steps[k - 1].phase;
  };

  /* The state that a stride leads to: one step, or all steps on one node, or all steps in one closed module.
     `same(a, b)` says whether two steps belong together. */
  mg.step.stride = function (plan, k, direction, same) {
    let to = Math.min(plan.total, Math.max(0, k + direction));
    if (to === k) return k;
    while (to > 0 && to < plan.total && same(plan.steps[to - 1], plan.steps[to])) to += direction;
    return to;
  };

  /* ---- paths: how a leaf's change gets to the output */

  /* For each node the number of paths from leaves to it (`up`) and from it to the output (`down`); exact, as BigInt. */
  function waysThrough(story) {
    const up = story.nodes.map(() => 0n);
    const down = story.nodes.map(() => 0n);
    const users = story.nodes.map(() => []); // the edges (node, position) that use a value
    for (const node of story.nodes) {
      if (!node.requires_grad) continue;
      if (node.kind === "leaf") up[node.id] = 1n;
      node.inputs.forEach((input, position) => {
        if (!story.nodes[input.node].requires_grad) return;
        up[node.id] += up[input.node];
        users[input.node].push({ node: node.id, position });
      });
    }
    down[story.output] = 1n;
    for (let id = story.nodes.length - 1; id >= 0; id--) {
      for (const edge of users[id]) down[id] += down[edge.node];
    }
    return { up, down, users };
  }

  /* Up to `limit` paths from a node to the output, each a list of edges {node, position, from}. */
  mg.step.pathsFrom = function (plan, id, limit) {
    const { users, down } = plan.ways;
    const found = [];
    const stack = [{ id, edges: [] }];
    while (stack.length && found.length < limit) {
      const here = stack.pop();
      if (here.id === plan.story.output) {
        found.push(here.edges);
        continue;
      }
      for (const edge of [...users[here.id]].reverse()) {
        if (down[edge.node] > 0n) stack.push({ id: edge.node, edges: [...here.edges, { ...edge, from: here.id }] });
      }
    }
    return found;
  };

  /* Every edge on a path from a leaf through the node to the output, as a set of "node:position". */
  mg.step.edgesThrough = function (plan, id) {
    const { up, down, users } = plan.ways;
    const found = new Set();
    const walk = (start, next) => {
      const seen = new Set([start]);
      const queue = [start];
      for (const at of queue) {
        for (const [edge, to] of next(at)) {
          found.add(edge);
          if (!seen.has(to)) {
            seen.add(to);
            queue.push(to);
          }
        }
      }
    };
    walk(id, (at) => users[at].filter((e) => down[e.node] > 0n).map((e) => [`${e.node}:${e.position}`, e.node]));
    walk(id, (at) =>
      plan.nodes[at].inputs
        .map((input, position) => [`${at}:${position}`, input.node])
        .filter(([, from]) => up[from] > 0n && plan.nodes[from].requires_grad),
    );
    return found;
  };

  /* The product of the local derivatives along a path as {product, factors}, or null where one is no number or its step
     is not done after k steps. The latest step is asked for too: a quiz must not be told of the future. */
  mg.step.pathProduct = function (plan, path, k) {
    const factors = [];
    for (const edge of path) {
      const given = plan.received[edge.from].find(
        (one) => one.from === edge.node && one.part.input === edge.position && one.step <= k,
      );
      const local = given && given.part.local;
      if (typeof local !== "number") return null;
      factors.push(local);
    }
    return { product: factors.reduce((a, b) => a * b, 1), factors };
  };
})();
