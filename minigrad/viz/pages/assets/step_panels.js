/* The two cards beside the graph: what the current step does, and all that is known of a node one clicked on.

   Both are drawn from the plan and the number of steps done; nothing is remembered here. `ask` is what a quiz wants
   hidden: {what: "value" | "product" | "total", position, hints}.                                                   */
"use strict";

mg.step.panels = function (plan, groups) {
  const { el, t } = mg;
  const { bracketed, isMany, isScalar, isWhole, shapeOf, shapeText, show, targetOf, text, valueOf } = mg.step;
  const { nodes, story } = plan;
  const MOST_PATHS = 12;
  const MOST_LEAVES = 12;

  const nameOf = (id) => nodes[id].name;
  const math = (...parts) => el("span", { class: "math" }, ...parts);
  const line = (...parts) => el("p", {}, ...parts);
  const output = nameOf(story.output);

  /* The fraction ∂above/∂below; one line for screen readers. */
  function ratio(above, below) {
    return el(
      "span",
      { class: "ratio", role: "img", "aria-label": t("ratio", { above, below }) },
      el("span", { "aria-hidden": "true" }, `∂${above}`),
      el("span", { "aria-hidden": "true" }, `∂${below}`),
    );
  }

  /* A quantity with its sign and its name: upstream gradient, local derivative, their product. */
  function quantity(kind, value, symbol, options = {}) {
    return el(
      "div",
      { class: `quantity ${kind}` },
      ...heading(kind, symbol),
      show(value, { label: t(`quantity.${kind}`), ...options }),
    );
  }

  const heading = (kind, symbol) => [
    el("div", { class: "what" }, t(`quantity.${kind}`)),
    symbol && el("div", { class: "symbol" }, symbol),
  ];

  const valueShown = (node, options = {}) =>
    isMany(valueOf(node)) ? el("span", { class: "value" }, mg.step.brief(valueOf(node))) : show(node.value, { whole: isWhole(node), ...options });

  const sign = (s, key) => el("div", { class: "sign", title: key && t(key) }, s);

  /* Scalars stand in one line, arrays below each other. */
  function equation(values, ...parts) {
    return el("div", { class: values.every((v) => isScalar(v)) ? "equation" : "equation tall" }, ...parts);
  }

  // ---- the current step

  function now(k, ask) {
    const index = ask ? k : k - 1;
    if (index < 0) return start();
    const step = plan.steps[index];
    if (step.phase === "forward") return forward(step, ask);
    if (step.kind === "problem") return problem(step);
    return step.kind === "seed" ? seed(step, ask) : edge(step, index + 1, ask);
  }

  function problem(step) {
    const name = nameOf(step.node);
    const parts = [line(t(`problem.${step.why}`, { name }))];
    if (step.upstream) parts.push(equation([null], quantity("upstream", step.upstream, ratio(output, name))));
    return { title: [t("problem.title", { name })], parts };
  }

  function start() {
    const leaves = nodes.filter((node) => node.kind === "leaf").length;
    const given = nodes.filter((node) => node.kind === "constant").length;
    const lines = [line(t("start.text", { leaves, given })), line(t("start.how"))];
    if (!plan.total) lines.push(line(t("start.nothing")));
    return { title: [t("start.title")], parts: lines };
  }

  /* Which hints of a question are open: none hides the formula, one shows it, two show it in numbers. */
  const open = (ask, hint) => !ask || ask.hints >= hint;

  /* What the hints of a question that are open say: the formula, then the formula in numbers. */
  function hint(ask, index) {
    const step = plan.steps[index];
    if (step.kind === "value") return forwardFormula(nodes[step.node], ask.hints);
    const box = el("div", { class: "formulas" });
    if (step.kind === "seed") return line(t("seed.text", { name: output }));
    const to = nameOf(step.part.node);
    if (ask.what === "product") {
      if (ask.hints >= 1) box.append(math(t("hint.product")), localFormula(step, ask.hints));
    } else {
      if (ask.hints >= 1) box.append(math(t("hint.total")));
      const at = (v) => bracketed(mg.step.flat(v)[ask.position] ?? v);
      if (ask.hints >= 2) box.append(math(ratio(output, to), ` = ${at(step.old)} + ${at(step.part.product)}`));
    }
    return box;
  }

  function forwardFormula(node, hints) {
    const box = el("div", { class: "formulas" });
    if (hints >= 1 && node.formula.text) box.append(math(`${node.name} = ${node.formula.text}`));
    if (hints >= 2 && node.numbers) box.append(math(`${node.name} = ${node.numbers}`));
    return box;
  }

  function forward(step, ask) {
    const node = nodes[step.node];
    const name = nameOf(step.node);
    const hidden = ask ? ask.position : -1;
    const operands = el(
      "ul",
      { class: "operands" },
      ...node.inputs.map(({ node: id, slot }) =>
        el("li", {}, el("b", {}, nameOf(id)), slot && slot !== nameOf(id) ? el("i", {}, slot) : null, valueShown(nodes[id])),
      ),
    );
    const result = el("div", { class: "quantity result" }, el("div", { class: "symbol" }, `${name} =`));
    result.append(valueShown(node, { label: name, hidden }));
    const parts = [line(t("forward.text", { op: node.label })), ...(ask ? [] : [forwardFormula(node, 2)]), result];
    parts.push(el("details", { open: true }, el("summary", {}, t("forward.operands")), operands));
    if (node.attributes.length) parts.splice(1, 0, attributes(node));
    return { title: [t("forward.title", { name })], parts };
  }

  function seed(step, ask) {
    const hidden = ask ? ask.position : -1;
    const parts = [line(t(isScalar(step.total) ? "seed.text" : "seed.array", { name: output }))];
    parts.push(equation([step.total], quantity("seed", step.total, ratio(output, output), { hidden })));
    return { title: [t("seed.title", { name: output })], parts };
  }

  function edge(step, at, ask) {
    const { part, upstream, node } = step;
    const [from, to] = [nameOf(node), nameOf(part.node)];
    const stage = ask ? ask.what : "";
    const parts = [line(t(node === story.output ? "edge.first" : "edge.text", { from, to, output }))];
    if (!ask) parts.push(localFormula(step, 2));
    const upstreamPart = quantity("upstream", upstream, ratio(output, from));
    const hideLocal = stage === "product" && !open(ask, 2);
    const local = part.local === null ? wholeOperation(step, from, to) : localPart(part, from, to, hideLocal);
    const hidden = stage === "product" ? ask.position : -1;
    const meets = step.old !== null || plan.received[part.node].length > 1;
    const kind = meets ? "contribution" : "product";
    const product = quantity(kind, part.product, ratio(output, to), { hidden });
    const values = [upstream, part.product, ...(part.local === null ? ["—"] : [part.local])];
    const each = part.local !== null && !isScalar(upstream);
    parts.push(equation(values, upstreamPart, each ? sign("⊙", "sign.each") : sign("×", "sign.times"), local, sign("="), product));
    if (part.local !== null && String(shapeOf(part.local)) !== String(shapeOf(part.product))) parts.push(line(t("local.sum", { to })));
    if (step.old !== null && stage !== "product") parts.push(accumulation(step, to, ask));
    if (!ask) parts.push(standing(part.node, at));
    if (!ask && at === plan.total) parts.push(...finish());
    return { title: [t("edge.title", { from, to })], parts };
  }

  function localPart(part, from, to, hide) {
    const symbol = ratio(from, to);
    if (!hide) return quantity("local", part.local, symbol);
    return el("div", { class: "quantity local" }, ...heading("local", symbol), el("span", { class: "value number" }, "?"));
  }

  /* Of an operation between arrays the local derivative is a matrix too large to write: its rule stands instead. */
  function wholeOperation(step, from, to) {
    const sizes = { rows: countOf(nodes[step.node]), columns: countOf(nodes[step.part.node]) };
    return el(
      "div",
      { class: "quantity local" },
      ...heading("local", ratio(from, to)),
      el("div", { class: "value note" }, t("local.matrix", sizes)),
    );
  }

  const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
  const countOf = ({ shape }) => (Array.isArray(shape[0]) ? shape.reduce((sum, one) => sum + sizeOf(one), 0) : sizeOf(shape));

  /* The rule of an edge in names and, with two hints, in numbers. */
  function localFormula(step, hints) {
    const { part, node } = step;
    const box = el("div", { class: "formulas" });
    const [from, to] = [nameOf(node), nameOf(part.node)];
    const written = part.formula.text;
    const above = [from, output].find((name) => written.startsWith(`∂${name}/∂${to} = `)); // local, or of the whole
    const right = above === undefined ? written : written.slice(`∂${above}/∂${to} = `.length);
    box.append(above === undefined ? math(written) : math(ratio(above, to), ` = ${right}`));
    if (part.numbers && hints >= 2) {
      const result = text(part.local);
      box.lastChild.append(` = ${part.numbers}`, part.numbers === result ? "" : ` = ${result}`);
    }
    if ((above === undefined || above === output) && /(^|[^\p{L}\d_.])G(?![a-zA-Z\d_.])/u.test(right)) box.append(line(t("local.upstream", { from })));
    return box;
  }

  function accumulation(step, to, ask) {
    const { part, old } = step;
    const hidden = ask && ask.what === "total" ? ask.position : -1;
    return el(
      "div",
      { class: "meeting" },
      el("h3", {}, t("meeting.title", { to })),
      line(t("meeting.text", { to })),
      equation(
        [old, part.product, part.total],
        quantity("old", old, null),
        sign("+"),
        quantity("new", part.product, null),
        sign("="),
        quantity("total", part.total, ratio(output, to), { hidden }),
      ),
    );
  }

  /* How far the gradient of a node has come. */
  function standing(id, k) {
    const state = mg.step.nodeAt(plan, id, k);
    const [come, all] = [state.contributions.length, state.expected];
    const name = nameOf(id);
    if (!state.complete) return el("p", { class: "standing" }, t("standing.more", { name, come, all }));
    const key = nodes[id].kind === "leaf" ? "standing.leaf" : "standing.done";
    return el("p", { class: "standing done" }, "✓ ", t(key, { name, value: mg.step.brief(state.grad) }));
  }

  /* The last step's last word: all gradients that leaves got. */
  function finish() {
    const leaves = nodes.filter((node) => node.kind === "leaf" && plan.received[node.id].length);
    const list = el("dl", { class: "facts" });
    for (const { id, name } of leaves.slice(0, MOST_LEAVES)) {
      list.append(el("dt", {}, `${name}.grad`), el("dd", {}, mg.step.brief(mg.step.nodeAt(plan, id, plan.total).grad)));
    }
    const more = leaves.length - MOST_LEAVES;
    return [el("h3", {}, t("finish.title")), list, ...(more > 0 ? [line(t("finish.more", { more }))] : []), line(t("finish.text"))];
  }

  const attributes = (node) =>
    el("p", { class: "attributes" }, node.attributes.map(([key, value]) => `${key} = ${value}`).join(", "));

  // ---- a node one clicked on

  /* `act` has goTo(step), light(edges or null), and `lit`, what is lit now. */
  function about(id, k, act) {
    const node = nodes[id];
    const state = mg.step.nodeAt(plan, id, k);
    const facts = el("dl", { class: "facts" });
    const fact = (key, ...what) => facts.append(el("dt", {}, t(`node.${key}`)), el("dd", {}, ...what));
    fact("kind", t(`kind.${node.kind}`) + (node.kind === "op" ? `: ${node.op}` : ""));
    fact("shape", `${node.dtype} ${node.shape.length ? shapeText(node.shape) : t("scalar")}`);
    const frame = groups.find((group) => group.key === node.group);
    if (frame) fact("module", frame.path || frame.title);
    if (node.formula && node.formula.text) fact("formula", math(node.formula.text));
    if (node.attributes.length) fact("attributes", node.attributes.map(([key, value]) => `${key} = ${value}`).join(", "));
    fact("line", sourceLine(node));
    const parts = [facts, history(id, k, state, act)];
    if (node.requires_grad && plan.ways.down[id] > 0n) parts.push(paths(id, k, act));
    return { title: [nameOf(id)], parts };
  }

  function sourceLine(node) {
    const place = node.line;
    if (!place) return el("span", { class: "hint" }, t(node.kind === "op" ? "line.how" : "line.none"));
    return el("span", {}, el("code", { class: "code" }, place.code || "…"), el("span", { class: "place", title: place.file }, `${place.file.split(/[\\/]/).pop()}:${place.line}`));
  }

  function history(id, k, state, act) {
    const list = el("ol", { class: "history" });
    const item = (step, ...what) =>
      list.append(
        el("li", {}, el("button", { type: "button", class: "plain when", onclick: () => act.goTo(step) }, t("history.step", { step })), ...what),
      );
    if (!state.visible) list.append(el("li", {}, t("history.notYet")));
    else item(plan.shownAt[id], el("span", {}, t("history.value")), valueShown(nodes[id]));
    for (const one of state.contributions) {
      const from = one.from === null ? t("history.seed") : t("history.from", { from: nameOf(one.from) });
      const sum = state.expected > 1 ? [el("span", {}, t("history.total")), show(one.total)] : [];
      item(one.step, el("span", {}, from), show(one.product), ...sum);
    }
    const left = state.expected - state.contributions.length;
    if (left) list.append(el("li", { class: "hint" }, t("history.left", { left })));
    else if (!nodes[id].requires_grad) list.append(el("li", { class: "hint" }, t("history.constant")));
    else if (!state.expected) list.append(el("li", { class: "hint" }, t("history.none")));
    return el("section", {}, el("h3", {}, t("history.title")), list);
  }

  function paths(id, k, act) {
    const { up, down } = plan.ways;
    const section = el("section", { class: "paths" }, el("h3", {}, t("paths.title")));
    const all = up[id] * down[id];
    section.append(line(t("paths.count", { all: big(all), down: big(down[id]), output })));
    const through = mg.step.edgesThrough(plan, id);
    section.append(lightButton(t("paths.light"), `all ${id}`, through, act));
    const found = mg.step.pathsFrom(plan, id, MOST_PATHS).filter((path) => path.length);
    const list = el("ol", { class: "routes" });
    let sum = 0;
    for (const [i, path] of found.entries()) {
      const product = mg.step.pathProduct(plan, path, k);
      if (product) sum += product.product;
      else sum = NaN;
      const names = [id, ...path.map((edge) => edge.node)].map(nameOf).join(" → ");
      const edges = new Set(path.map((edge) => `${edge.node}:${edge.position}`));
      const factors = product && `${product.factors.map((f) => bracketed(f)).reverse().join(" · ")} = ${text(product.product)}`;
      list.append(el("li", {}, lightButton(names, `path ${id} ${i}`, edges, act), factors && math(factors)));
    }
    section.append(list);
    if (down[id] > BigInt(found.length) && found.length) section.append(line(t("paths.more", { shown: found.length })));
    else if (found.length > 1 && Number.isFinite(sum)) section.append(line(t("paths.sum", { name: nameOf(id), output, sum: text(sum) })));
    return section;
  }

  function lightButton(label, key, edges, act) {
    const lit = act.lit === key;
    return el(
      "button",
      { type: "button", class: "route", "aria-pressed": String(lit), onclick: () => act.light(lit ? null : { key, edges }) },
      label,
    );
  }

  const big = (count) => (count < 10n ** 15n ? Number(count).toLocaleString("en") : `10^${String(count).length - 1}`);

  // ---- the same in one sentence, for screen readers

  function spoken(k) {
    if (k === 0) return t("start.title");
    const step = plan.steps[k - 1];
    const where = t("spoken.step", { step: k, total: plan.total, phase: t(`phase.${step.phase}`) });
    const name = nameOf(targetOf(step));
    if (step.phase === "forward") return `${where} ${name} = ${mg.step.brief(valueOf(nodes[step.node]))}`;
    if (step.kind === "problem") return `${where} ${t("problem.title", { name })}`;
    if (step.kind === "seed") return `${where} ${t("ratio", { above: output, below: output })} = ${mg.step.brief(step.total)}`;
    const brief = (v) => (v === null ? t("quantity.local") : mg.step.brief(v));
    const values = { from: nameOf(step.node), to: name, upstream: brief(step.upstream), local: brief(step.part.local) };
    const sum = step.old === null ? "" : ` ${t("spoken.sum", { old: brief(step.old), total: brief(step.part.total) })}`;
    return `${where} ${t("spoken.edge", { ...values, product: brief(step.part.product) })}${sum}`;
  }

  return { now, hint, about, spoken, nameOf };
};
