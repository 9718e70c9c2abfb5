/* How a story's values look: numbers as numbers, small arrays as tables with colours, large ones as shape and norm.

   A value V is a number, "nan", "inf", "-inf", a nested list of these, {shape, norm, mean, min, max} or null (unknown);
   of an operation with several outputs {many: [V, ...]}.                                                              */
"use strict";

(() => {
  const { el, t, number } = mg;
  const INLINE = 4; // arrays of at most this many numbers are written on one line

  const isArray = (v) => Array.isArray(v);
  const isMany = (v) => Boolean(v) && typeof v === "object" && "many" in v;
  const isSummary = (v) => v !== null && typeof v === "object" && !isArray(v) && !isMany(v);
  const isScalar = (v) => v !== null && v !== undefined && typeof v !== "object";
  const minus = (written) => written.replace(/^-/, "−");
  /* A number in four digits; a whole number of an integer array (`whole`) as it is. */
  const text = (v, whole = false) => minus(typeof v === "number" && !whole ? number(v) : String(v));
  const isWhole = (node) => /^(u?int|bool)/.test(node.dtype);
  const flat = (v) => (isArray(v) ? v.flat(Infinity) : [v]);

  function shapeOf(v) {
    if (isSummary(v)) return v.shape;
    const shape = [];
    for (let at = v; isArray(at); at = at[0]) shape.push(at.length);
    return shape;
  }

  const shapeText = (shape) => `[${shape.join(", ")}]`;

  /* The Euclidean length of what is known of V. */
  function normOf(v) {
    if (isSummary(v)) return v.norm;
    const numbers = flat(v).map(Number);
    return Math.sqrt(numbers.reduce((sum, one) => sum + one * one, 0));
  }

  /* One line: the number, a short array, or shape and norm. */
  function brief(v, whole = false) {
    if (v === null || v === undefined) return t("unknown");
    if (isMany(v)) return t("outputs", { n: v.many.length });
    if (isScalar(v)) return text(v, whole);
    if (isArray(v) && flat(v).length <= INLINE) return line(v, whole);
    if (whole && isArray(v)) return `[${flat(v).slice(0, INLINE).join(", ")}, …]`; // labels have no length
    return `${shapeText(shapeOf(v))} ‖·‖ ${text(normOf(v))}`;
  }

  const line = (v, whole) => (isArray(v) ? `[${v.map((one) => line(one, whole)).join(", ")}]` : text(v, whole));

  /* A signed number inside a formula: (−0.5). */
  const bracketed = (v) => (text(v).startsWith("−") ? `(${text(v)})` : text(v));

  /* The element that shows V. `hidden` is the position (in the flat array) of a number that is not to be told,
     `whole` says that the numbers are integers. */
  function show(v, { label = "", hidden = -1, whole = false } = {}) {
    if (v === null || v === undefined) return el("span", { class: "value unknown" }, t("unknown"));
    if (isScalar(v)) return el("span", { class: "value number" }, hidden === 0 ? "?" : text(v, whole));
    if (isMany(v)) return el("div", { class: "value many" }, ...v.many.map((one) => (one === null ? unused() : show(one, { label }))));
    if (isSummary(v)) return summary(v);
    const numbers = flat(v);
    if (!numbers.length) return el("span", { class: "value unknown" }, `${shapeText(shapeOf(v))} ${t("empty")}`);
    const largest = Math.max(...numbers.map((one) => Math.abs(Number(one))).filter(Number.isFinite), 0);
    const cell = (one, at) => {
      const share = !whole && largest && Number.isFinite(Number(one)) ? Number(one) / largest : 0;
      const covered = hidden === at;
      const td = el("td", { class: covered ? "covered" : null }, covered ? "?" : text(one, whole));
      td.classList.add(share < 0 ? "below" : "above");
      td.style.setProperty("--heat", `${covered ? 0 : Math.round(Math.abs(share) * 100)}%`);
      return td;
    };
    return tables(v, cell, label);
  }

  /* Where a table goes on beyond its card it fades out, and it can be scrolled by keyboard. */
  function showOverflow(box) {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("more-before", box.scrollLeft > 1);
    box.classList.toggle("more-after", hidden - box.scrollLeft > 1);
    if (hidden > 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }

  const overflow = new ResizeObserver((entries) => entries.forEach(({ target }) => showOverflow(target)));

  /* A table for each matrix of the array, with a caption that says which. */
  function tables(v, cell, label) {
    const shape = shapeOf(v);
    const columns = shape[shape.length - 1];
    const rows = shape.length > 1 ? shape[shape.length - 2] : 1;
    const leading = shape.slice(0, -2);
    const numbers = flat(v);
    const box = el("div", { class: "value arrays", role: "group", "aria-label": label || shapeText(shape) });
    overflow.observe(box);
    box.addEventListener("scroll", () => showOverflow(box), { passive: true });
    for (let start = 0; start < numbers.length; start += rows * columns) {
      const table = el("table", { class: "heat" });
      if (leading.length) table.append(el("caption", {}, `[${indexAt(start / (rows * columns), leading).join(", ")}]`));
      for (let row = 0; row < rows; row++) {
        const from = start + row * columns;
        table.append(el("tr", {}, ...numbers.slice(from, from + columns).map((one, i) => cell(one, from + i))));
      }
      box.append(table);
    }
    box.append(el("div", { class: "shape" }, shapeText(shape)));
    return box;
  }

  /* The index of the flat position: 5 of [2, 3] is [1, 2]. */
  function indexAt(position, shape) {
    const index = [];
    for (const size of [...shape].reverse()) {
      index.unshift(position % size);
      position = Math.floor(position / size);
    }
    return index;
  }

  const unused = () => el("div", { class: "value unknown" }, t("unused"));

  function summary(v) {
    const rows = [["shape", shapeText(v.shape)], ["norm", text(v.norm)], ["mean", text(v.mean)]];
    rows.push(["range", `${text(v.min)} … ${text(v.max)}`]);
    return el(
      "dl",
      { class: "value summary" },
      ...rows.flatMap(([key, what]) => [el("dt", {}, t(`summary.${key}`)), el("dd", {}, what)]),
    );
  }

  Object.assign(mg.step, {
    brief, bracketed, flat, indexAt, isArray, isMany, isScalar, isSummary, isWhole, normOf, shapeOf, shapeText, show, text,
  });
})();
