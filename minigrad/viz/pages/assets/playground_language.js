// The language of the playground: what a learner types, read into the nodes of a graph. No eval: a parser of our own.
//
//   program     line (("\n" | ";") line)*                the last line is the output
//   line        [name "="] comparison
//   comparison  sum [("<" | ">" | "<=" | ">=" | "==" | "!=") sum]
//   sum         term (("+" | "-") term)*
//   term        sign (("*" | "/" | "//" | "%") sign)*
//   sign        ("-" | "+") sign | power                 -x**2 is -(x**2), as in Python
//   power       call ["**" sign]
//   call        atom ("." name "(" arguments ")")*       x.tanh(), (w*x+b).relu()
//   atom        number | name | name "(" arguments ")" | "(" comparison ")"
//
// mg.readProgram(text) → {nodes, output, leaves} or throws mg.TypingError {at, length, key, values}.
// A node: {id, kind: "leaf" | "number" | "op", op, inputs: [ids], attributes: [numbers], name, number}.
"use strict";

mg.TypingError = class extends Error {
  constructor(at, length, key, values = {}) {
    super(key);
    Object.assign(this, { at, length, key, values });
  }
};

{
  const TOKENS = [
    ["space", /[ \t\r\u00a0\u3000]+|#[^\n]*/y],
    ["end", /[\n;]/y],
    ["number", /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
    ["name", /[\p{L}_][\p{L}\p{N}\p{M}_]*/uy],
    ["sign", /\*\*|\/\/|<=|>=|==|!=|[-+*/%<>=(),.]/y],
  ];
  const SAME = { "−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=", "（": "(", "）": ")", "，": "," };
  const SUMS = { "+": "add", "-": "sub" };
  const PRODUCTS = { "*": "mul", "/": "div", "//": "div_floor", "%": "remainder" };
  const COMPARISONS = { "<": "lt", ">": "gt", "<=": "le", ">=": "ge", "==": "eq", "!=": "ne" };
  const ALSO = { max: "maximum", min: "minimum", ln: "log", power: "pow", subtract: "sub", multiply: "mul", divide: "div", negative: "neg", absolute: "abs", arctan: "atan", arcsin: "asin", arccos: "acos" };
  const MODULES = new Set(["minigrad", "torch", "np", "math", "F"]);
  const DEEPEST = 200; // parentheses within parentheses

  function tokens(text) {
    const found = [];
    let at = 0;
    while (at < text.length) {
      const c = String.fromCodePoint(text.codePointAt(at));
      if (SAME[c]) {
        found.push({ kind: "sign", text: SAME[c], at, length: c.length });
        at += c.length;
        continue;
      }
      let matched = false;
      for (const [kind, pattern] of TOKENS) {
        pattern.lastIndex = at;
        const match = pattern.exec(text);
        if (!match) continue;
        if (kind !== "space") found.push({ kind, text: match[0], at, length: match[0].length });
        at = pattern.lastIndex;
        matched = true;
        break;
      }
      if (!matched) throw new mg.TypingError(at, c.length, c === "^" ? "error.caret" : "error.sign", { sign: c });
    }
    found.push({ kind: "end", text: "", at: text.length, length: 1 });
    return found;
  }

  class Parser {
    constructor(text) {
      this.tokens = tokens(text);
      this.at = 0;
      this.depth = 0;
      this.nodes = [];
      this.names = new Map(); // name → node
      this.leaves = [];
    }

    get token() {
      return this.tokens[this.at];
    }

    is(text) {
      return this.token.kind === "sign" && this.token.text === text;
    }

    take(text) {
      if (!this.is(text)) return false;
      this.at++;
      return true;
    }

    fail(key, values = {}, token = this.token) {
      throw new mg.TypingError(token.at, Math.max(1, token.length), key, values);
    }

    expect(text) {
      if (!this.take(text)) this.failHere(`“${text}”`);
    }

    failHere(expected) {
      const token = this.token;
      if (token.kind === "end") this.fail("error.ends", { expected });
      this.fail("error.expected", { expected, found: token.text });
    }

    add(node) {
      const made = { id: this.nodes.length, kind: "op", inputs: [], attributes: [], name: "", ...node };
      this.nodes.push(made);
      return made;
    }

    program() {
      let output = null;
      while (this.at < this.tokens.length) {
        if (this.token.kind === "end") {
          this.at++;
          continue;
        }
        output = this.line();
        if (this.token.kind !== "end") this.failHere(mg.t("expected.operator"));
      }
      if (!output) throw new mg.TypingError(0, 1, "error.empty");
      return { nodes: this.nodes, output: output.id, leaves: this.leaves };
    }

    line() {
      const [first, second] = [this.token, this.tokens[this.at + 1]];
      if (first.kind !== "name" || second?.kind !== "sign" || second.text !== "=") return this.comparison();
      if (this.names.has(first.text)) this.fail("error.again", { name: first.text }, first);
      this.at += 2;
      const before = this.nodes.length;
      let node = this.comparison();
      if (this.names.has(first.text)) this.fail("error.itself", { name: first.text }, first);
      if (node.kind === "number" && node.id === this.nodes.length - 1) {
        this.leaves.push(node.id); // w = 2: a leaf that starts at 2
        Object.assign(node, { kind: "leaf", op: "leaf", name: first.text, initial: node.number });
      } else if (node.id < before || node.kind !== "op") node = this.add({ op: "copy", inputs: [node.id] }); // y = x
      if (!node.name) node.name = first.text;
      this.names.set(first.text, node);
      return node;
    }

    binary(signs, next) {
      let left = next();
      while (this.token.kind === "sign" && Object.hasOwn(signs, this.token.text)) {
        const op = signs[this.token.text];
        this.at++;
        left = this.add({ op, inputs: [left.id, next().id] });
      }
      return left;
    }

    comparison() {
      if (++this.depth > DEEPEST) this.fail("error.deep");
      const left = this.sum();
      let made = left;
      if (this.token.kind === "sign" && Object.hasOwn(COMPARISONS, this.token.text)) {
        const op = COMPARISONS[this.token.text];
        this.at++;
        made = this.add({ op, inputs: [left.id, this.sum().id] });
      }
      this.depth--;
      return made;
    }

    sum() {
      return this.binary(SUMS, () => this.term());
    }

    term() {
      return this.binary(PRODUCTS, () => this.sign());
    }

    sign() {
      if (this.take("+")) return this.deeper(() => this.sign());
      if (!this.is("-")) return this.power();
      this.at++;
      const inner = this.deeper(() => this.sign());
      if (inner.kind === "number" && inner.id === this.nodes.length - 1 && !inner.signed) {
        return Object.assign(inner, { number: -inner.number, signed: true });
      }
      return this.add({ op: "neg", inputs: [inner.id] });
    }

    deeper(read) {
      if (++this.depth > DEEPEST) this.fail("error.deep");
      const found = read();
      this.depth--;
      return found;
    }

    power() {
      const base = this.call();
      if (!this.take("**")) return base;
      return this.add({ op: "pow", inputs: [base.id, this.deeper(() => this.sign()).id] });
    }

    call() {
      let node = this.atom();
      while (this.is(".")) {
        this.at++;
        const name = this.token;
        if (name.kind !== "name") this.failHere(mg.t("expected.function"));
        this.at++;
        this.expect("(");
        node = this.applied(name, [node]);
      }
      return node;
    }

    atom() {
      const token = this.token;
      if (token.kind === "number") {
        this.at++;
        return this.add({ kind: "number", op: "number", number: Number(token.text) });
      }
      if (this.take("(")) {
        const inner = this.comparison();
        this.expect(")");
        return inner;
      }
      if (token.kind !== "name") this.failHere(mg.t("expected.value"));
      this.at++;
      if (MODULES.has(token.text) && this.is(".")) {
        this.at++;
        const name = this.token;
        if (name.kind !== "name") this.failHere(mg.t("expected.function"));
        this.at++;
        this.expect("(");
        return this.applied(name, []);
      }
      if (this.take("(")) return this.applied(token, []);
      return this.variable(token.text);
    }

    variable(name) {
      if (!this.names.has(name)) {
        const leaf = this.add({ kind: "leaf", op: "leaf", name });
        this.names.set(name, leaf);
        this.leaves.push(leaf.id);
      }
      return this.names.get(name);
    }

    // The arguments after the parenthesis, and the node of the function: operands first, then attributes (numbers).
    applied(token, operands) {
      const op = Object.hasOwn(ALSO, token.text) ? ALSO[token.text] : token.text;
      if (!Object.hasOwn(mg.ops, op)) this.fail("error.function", { name: token.text, near: nearest(token.text) }, token);
      const { inputs, attributes } = mg.ops[op];
      const values = attributes.map(([, value]) => value);
      const first = operands.length;
      for (let i = first; !this.is(")"); i++) {
        if (i > first && !this.take(",")) this.failHere("“)”");
        const at = this.token;
        if (at.kind === "name" && this.tokens[this.at + 1].text === "=") {
          const place = attributes.findIndex(([name]) => name === at.text);
          if (place < 0) this.fail("error.keyword", { name: at.text, op: token.text }, at);
          this.at += 2;
          values[place] = this.constant(at);
        } else if (operands.length < inputs.length) operands.push(this.comparison());
        else if (i - inputs.length < attributes.length) values[i - inputs.length] = this.constant(at);
        else this.fail("error.many", { op: token.text, count: inputs.length + attributes.length }, at);
      }
      this.at++;
      if (operands.length < inputs.length || values.some((value) => value === null || value === undefined)) {
        const needs = [...inputs, ...attributes.filter(([, value]) => value === null).map(([name]) => name)];
        this.fail("error.few", { op: token.text, inputs: needs.join(", "), count: needs.length }, token);
      }
      return this.add({ op, inputs: operands.map((node) => node.id), attributes: values });
    }

    // A number that is no node of the graph, as negative_slope=0.1 is none.
    constant(token) {
      const before = this.nodes.length;
      const node = this.sign();
      if (node.kind !== "number" || this.nodes.length !== before + 1) this.fail("error.constant", {}, token);
      this.nodes.pop();
      return node.number;
    }
  }

  // The name of a function that is most like this one: by how many letters are wrong, missing, too many or swapped.
  function nearest(name) {
    const far = (a, b) => {
      const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
      for (let i = 1; i <= a.length; i++) {
        rows.push([i]);
        for (let j = 1; j <= b.length; j++) {
          const changed = rows[i - 1][j - 1] + (a[i - 1] !== b[j - 1]);
          rows[i][j] = Math.min(rows[i][j - 1] + 1, rows[i - 1][j] + 1, changed);
          const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
          if (swapped) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 0.9);
        }
      }
      return rows[a.length][b.length];
    };
    const short = name.slice(0, 40);
    return Object.keys(mg.ops).reduce((best, op) => (far(short, op) < far(short, best) ? op : best));
  }

  mg.readProgram = (text) => new Parser(text).program();
}

mg.ops.copy = {
  inputs: ["input"],
  attributes: [],
  label: "=",
  formula: "⟨input⟩",
  formulas: { input: "1" },
  forward: (input) => input,
  derivatives: { input: () => 1 },
};
