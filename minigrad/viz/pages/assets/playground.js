// The playground: what is typed becomes a graph; what is slid becomes numbers, gradients and a plot, at once.
"use strict";

{
  const { el, t, data } = mg;
  const $ = (id) => document.getElementById(id);
  const typed = $("typed");
  const leaves = new Map(data.leaves.map((leaf) => [leaf.name, { ...leaf }])); // what every name was last set to
  let tape = null;
  let view = null;
  let selected = null;
  let against = null; // the leaf the plot is drawn against

  const WIDEST = "−12345.6"; // boxes have room for such a number from the start
  const keyOf = (id) => `n${id}`;
  const requiresGrad = (node) => node.kind === "leaf" && leaves.get(node.name).grad;

  // ---- reading what is typed

  function read() {
    try {
      const program = mg.readProgram(typed.value);
      tellError(null);
      start(program);
    } catch (error) {
      if (!(error instanceof mg.TypingError)) throw error;
      tellError(error);
    }
  }

  function tellError(error) {
    const place = $("error");
    typed.setAttribute("aria-invalid", String(error !== null));
    document.body.classList.toggle("wrong", error !== null);
    if (!error) return place.replaceChildren();
    const before = typed.value.slice(0, error.at);
    const line = before.split("\n").length;
    const column = error.at - (before.lastIndexOf("\n") + 1);
    const text = typed.value.split("\n")[line - 1];
    const where = t("error.where", { line, column: column + 1 });
    place.replaceChildren(
      el("p", {}, `${where}: ${t(error.key, error.values)}`),
      el(
        "pre",
        { "aria-hidden": "true" },
        text.slice(Math.max(0, column - 30), column),
        el("mark", {}, text.slice(column, column + error.length) || "␣"),
        text.slice(column + error.length, column + 30),
      ),
    );
  }

  function start(program) {
    const chosen = tape?.nodes[selected]?.name; // stays chosen if it has a name
    tape = new mg.Tape(program);
    for (const id of tape.leaves) {
      const { name, initial } = tape.nodes[id];
      if (!leaves.has(name)) leaves.set(name, { name, value: initial ?? 1, low: -3, high: 3, grad: true });
      if (initial !== undefined && leaves.get(name).initial !== initial) setLeaf(name, initial, initial);
    }
    const names = tape.leaves.map((id) => tape.nodes[id].name);
    if (!names.includes(against)) against = names.find((name) => leaves.get(name).grad) ?? names[0] ?? null;
    selected = tape.nodes.find((node) => node.name && node.name === chosen)?.id ?? tape.output;
    compute();
    sliders();
    drawGraph();
    show();
  }

  function setLeaf(name, value, initial) {
    const leaf = leaves.get(name);
    leaf.value = value;
    if (initial !== undefined) leaf.initial = initial;
    if (value < leaf.low) leaf.low = Math.floor(value * 2) || -1;
    if (value > leaf.high) leaf.high = Math.ceil(value * 2) || 1;
  }

  const numbers = () => new Map([...leaves].map(([name, leaf]) => [name, leaf.value]));

  function compute() {
    tape.run(numbers());
  }

  // ---- sliders

  const controls = new Map(); // name → {range, entry, grad}

  function sliders() {
    controls.clear();
    const rows = tape.leaves.map((id) => {
      const { name } = tape.nodes[id];
      const leaf = leaves.get(name);
      const moved = (value) => {
        if (!Number.isFinite(value)) return;
        setLeaf(name, value);
        update();
      };
      const range = el("input", {
        type: "range",
        "aria-label": name,
        oninput: (event) => moved(Number(event.target.value)),
      });
      const entry = el("input", {
        type: "number",
        step: "any",
        "aria-label": t("slider.number", { name }),
        oninput: (event) => event.target.value !== "" && moved(event.target.valueAsNumber),
      });
      const grad = el("output", { class: "grad" });
      controls.set(name, { range, entry, grad, leaf, id });
      return el("div", { class: "slider" }, el("span", { class: "name" }, name), range, entry, grad);
    });
    if (!rows.length) rows.push(el("p", { class: "hint" }, t("slider.none")));
    $("sliders").replaceChildren(...rows);
  }

  function showSliders() {
    for (const { range, entry, grad, leaf, id } of controls.values()) {
      range.min = leaf.low;
      range.max = leaf.high;
      range.step = (leaf.high - leaf.low) / 600;
      range.value = leaf.value;
      if (document.activeElement !== entry) entry.value = Number(leaf.value.toPrecision(6));
      grad.classList.toggle("off", !leaf.grad);
      grad.textContent = leaf.grad ? `${t("grad")} ${mg.number(tape.grad[id])}` : t("constant");
    }
  }

  // ---- graph

  function rowsOf(node) {
    const rows = node.kind === "number" ? [] : [[t("value"), mg.number(tape.value[node.id])]];
    if (node.kind === "op" || requiresGrad(node)) rows.push([t("grad"), mg.number(tape.grad[node.id])]);
    return rows;
  }

  function titleOf(node) {
    if (node.kind !== "op") return tape.nameOf(node.id);
    const whole = `${tape.nameOf(node.id)} = ${tape.formula(node.id)}`;
    return whole.length <= 24 ? whole : `${tape.nameOf(node.id)} = ${mg.ops[node.op].label}`;
  }

  function drawGraph() {
    const used = new Set([tape.output]);
    for (let i = tape.nodes.length - 1; i >= 0; i--) if (used.has(i)) tape.nodes[i].inputs.forEach((id) => used.add(id));
    const shown = tape.nodes.filter((node) => used.has(node.id));
    const kindOf = (node) =>
      node.id === tape.output ? "output" : node.kind === "op" ? "value" : requiresGrad(node) ? "leaf" : "constant";
    const boxes = shown.map((node) => ({
      key: keyOf(node.id),
      kind: kindOf(node),
      title: titleOf(node),
      rows: rowsOf(node),
      room: rowsOf(node).map(([label]) => [label, WIDEST]),
      group: "",
      tip: node.kind === "op" ? `${tape.nameOf(node.id)}: ${node.op}` : tape.nameOf(node.id),
      facts: [],
    }));
    const edges = shown.flatMap((node) =>
      node.inputs.map((id, k) => ({
        key: `${node.id}:${k}`,
        tail: keyOf(id),
        head: keyOf(node.id),
        tip: mg.ops[node.op].inputs[k],
        faint: kindOf(tape.nodes[id]) === "constant",
      })),
    );
    const place = $("graph");
    view?.destroy();
    const direction = innerWidth < 640 ? "TB" : "LR";
    view = new mg.GraphView(place, { direction, boxes, edges, groups: [] }, { label: t("region.graph") });
    mg.translate(place);
    view.on("select", (key) => {
      if (key === null) return;
      selected = Number(key.slice(1));
      const node = tape.nodes[selected];
      if (node.kind === "leaf") against = node.name;
      showNode();
      showPlot();
    });
  }

  function showGraph() {
    for (const node of tape.nodes) if (view.index.has(keyOf(node.id))) view.setRows(keyOf(node.id), rowsOf(node));
  }

  // ---- the chosen node

  function showNode() {
    const node = tape.nodes[selected];
    const name = tape.nameOf(selected);
    const parts = [el("h2", {}, name)];
    const line = (...children) => parts.push(el("p", { class: "math" }, ...children));
    if (node.kind === "op") {
      const { formula } = mg.ops[node.op];
      line(`${name} = ${tape.formula(selected)}`);
      line(`= ${tape.written(formula, node, true)} = `, el("b", {}, mg.number(tape.value[selected])));
    } else line(`${name} = `, el("b", {}, mg.number(tape.value[selected])));
    const output = tape.nameOf(tape.output);
    if (node.kind === "op" || requiresGrad(node)) {
      const terms = uses(selected);
      const total = mg.number(tape.grad[selected]);
      parts.push(el("h3", {}, t("node.gradient")));
      if (selected === tape.output) line(`∂${output}/∂${name} = 1`);
      else if (!terms.length) line(`∂${output}/∂${name} = 0`, el("span", { class: "hint" }, ` ${t("node.unused")}`));
      else {
        line(`∂${output}/∂${name} = ` + terms.map(({ head }) => `∂${output}/∂${head} · ∂${head}/∂${name}`).join(" + "));
        line("= " + terms.map(({ up, local }) => `${bracket(up)} · ${bracket(local)}`).join(" + ") + " = ", el("b", {}, total));
      }
    }
    if (tape.parts[selected].length) {
      parts.push(el("h3", {}, t("node.local")));
      for (const { slot, node: id, local } of tape.parts[selected]) {
        const target = tape.nameOf(id);
        const symbols = tape.local(selected, slot, false);
        const withNumbers = tape.local(selected, slot, true);
        const value = mg.number(local);
        const plain = (text) => (text === "" || Number.isNaN(Number(text.replace("−", "-"))) ? text : Number(text.replace("−", "-")));
        const steps = [symbols, withNumbers, value].filter((text, i, all) => text && all.findIndex((one) => plain(one) === plain(text)) === i);
        line(`∂${name}/∂${target} = ${steps.join(" = ")}`);
      }
    }
    $("node").replaceChildren(...parts);
  }

  const bracket = (value) => (value < 0 ? `(−${mg.number(-value)})` : mg.number(value));

  // The operations that take a node: what comes to them, and their local derivative by it.
  function uses(id) {
    return tape.nodes.flatMap((node) =>
      tape.parts[node.id]
        .filter((part) => part.node === id)
        .map((part) => ({ head: tape.nameOf(node.id), up: tape.grad[node.id], local: part.local })),
    );
  }

  // ---- plot

  function showPlot() {
    const names = tape.leaves.map((id) => tape.nodes[id].name);
    const choice = $("against");
    choice.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === against }, name)));
    choice.disabled = names.length < 2;
    if (against === null) return $("plot").replaceChildren();
    const leaf = leaves.get(against);
    const id = tape.leaves.find((one) => tape.nodes[one].name === against);
    mg.plotAgainst($("plot"), { tape, numbers: numbers(), leaf, slope: tape.grad[id], output: tape.nameOf(tape.output) });
  }

  function show() {
    showSliders();
    showNode();
    showPlot();
    $("result").textContent = `${tape.nameOf(tape.output)} = ${mg.number(tape.value[tape.output])}`;
  }

  let asked = false;

  // A slider that is dragged gives many events: one drawing for each frame is enough.
  function update() {
    compute();
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      show();
      showGraph();
    });
  }

  // ---- the controls of the page

  typed.addEventListener("input", read);
  $("against").addEventListener("change", (event) => {
    against = event.target.value;
    showPlot();
  });
  $("examples").addEventListener("change", (event) => {
    if (!event.target.value) return;
    typed.value = event.target.value;
    event.target.value = "";
    read();
  });
  $("reset").addEventListener("click", () => {
    typed.value = data.program;
    leaves.clear();
    for (const leaf of data.leaves) leaves.set(leaf.name, { ...leaf });
    selected = null;
    read();
  });
  mg.onLanguage(() => {
    $("examples").replaceChildren(
      el("option", { value: "" }, t("examples")),
      ...data.examples.map((text) => el("option", { value: text }, text.replaceAll("\n", "; "))),
    );
    if (!tape) return;
    sliders(); // not by reading: what is typed may be wrong just now
    drawGraph();
    show();
    if (document.body.classList.contains("wrong")) read();
  });

  typed.value = data.program;
  addEventListener("DOMContentLoaded", () => {
    if (!tape) read();
  });
}
