// The tape of the playground: values forward, gradients back, and the formulas of a node with its names and numbers.
"use strict";

mg.Tape = class {
  constructor({ nodes, output, leaves }) {
    Object.assign(this, { nodes, output, leaves });
    this.value = new Float64Array(nodes.length);
    this.grad = new Float64Array(nodes.length);
    this.parts = nodes.map(() => []); // of an operation: {slot, node, local, product} for each operand
  }

  // Values for these numbers of the leaves (a Map from name), then the gradient of the output by every node.
  run(numbers) {
    this.forward(numbers);
    this.backward();
  }

  forward(numbers) {
    for (const node of this.nodes) {
      this.value[node.id] =
        node.kind === "leaf" ? numbers.get(node.name) : node.kind === "number" ? node.number : this.apply(node);
    }
    return this.value[this.output];
  }

  apply(node) {
    return mg.ops[node.op].forward(...node.inputs.map((id) => this.value[id]), ...node.attributes);
  }

  backward() {
    this.grad.fill(0);
    this.grad[this.output] = 1;
    this.reached = new Set([this.output]);
    for (let i = this.output; i >= 0; i--) {
      const node = this.nodes[i];
      this.parts[i] = [];
      if (node.kind !== "op" || !this.reached.has(i)) continue;
      const { inputs, derivatives } = mg.ops[node.op];
      const given = [...node.inputs.map((id) => this.value[id]), ...node.attributes, this.value[i]];
      node.inputs.forEach((id, k) => {
        const rule = derivatives[inputs[k]];
        if (!rule || this.nodes[id].kind === "number") return;
        const local = rule(...given);
        const product = this.grad[i] * local;
        this.grad[id] += product;
        this.reached.add(id);
        this.parts[i].push({ slot: inputs[k], node: id, local, product });
      });
    }
  }

  nameOf(id) {
    const node = this.nodes[id];
    return clipped(node.name) || (node.kind === "number" ? shortNumber(node.number) : `v${id}`);
  }

  // A template of the op table with names in it, or with numbers: ⟨output⟩ · (1 − ⟨output⟩).
  written(template, node, numbers) {
    const { inputs, attributes } = mg.ops[node.op];
    const text = (id) => (numbers && this.nodes[id].kind !== "number" ? mg.number(this.value[id]) : this.nameOf(id));
    const by = { output: text(node.id) };
    inputs.forEach((slot, k) => (by[slot] = text(node.inputs[k])));
    attributes.forEach(([name], k) => (by[name] = shortNumber(node.attributes[k])));
    let alone = template.replace(/^⟨\w+⟩$/, (slot) => by[slot.slice(1, -1)]);
    if (alone !== template) return alone.replace(/^-/, "−");
    alone = template.replace(/⟨(\w+)⟩/g, (_, slot) => (by[slot].startsWith("-") ? `(−${by[slot].slice(1)})` : by[slot]));
    return tidy(alone.replaceAll(/\((\(−[^()]+\))\)/g, "$1")); // tanh(−2), not tanh((−2))
  }

  formula(id) {
    const node = this.nodes[id];
    return this.written(mg.ops[node.op].formula, node, false);
  }

  local(id, slot, numbers) {
    const node = this.nodes[id];
    return this.written(mg.ops[node.op].formulas[slot] ?? "", node, numbers);
  }
};

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// x^(3 − 1) is x², and x^1 is x.
function tidy(text) {
  return text
    .replace(/\^\((\d+) − 1\)/g, (_, n) => `^${n - 1}`)
    .replace(/\^(\d)(?![\d.])/g, (_, n) => (n === "1" ? "" : SUPERSCRIPTS[n]));
}

// A long name, cut in the middle.
function clipped(name) {
  const letters = [...name];
  return letters.length > 24 ? [...letters.slice(0, 12), "…", ...letters.slice(-11)].join("") : name;
}

function shortNumber(value) {
  return Number.isInteger(value) ? String(value) : mg.number(value);
}
