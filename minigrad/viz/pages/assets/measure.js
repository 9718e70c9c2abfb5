// How large a box is, found from its text. Sizes are those of viz/graph/style.py.
"use strict";

mg.FORM = {
  title: 13,
  row: 11.5,
  sign: 17,
  opRow: 10.5,
  titleLine: 17,
  rowLine: 15,
  signLine: 20,
  padX: 11,
  padY: 7,
  gap: 7,
  round: 34,
  stack: 5,
  frameTitle: 12,
};

mg.textWidth = (() => {
  const pen = document.createElement("canvas").getContext("2d");
  const known = new Map();
  const family = getComputedStyle(document.documentElement).getPropertyValue("--sans").trim() || "sans-serif";
  return (text, size, bold) => {
    const name = `${size}${bold ? "b" : ""} ${text}`;
    if (!known.has(name)) {
      pen.font = `${bold ? "600 " : ""}${size}px ${family}`;
      known.set(name, pen.measureText(text).width);
    }
    return known.get(name);
  };
})();

// Whether a box is drawn as several sheets: it stands for several alike.
mg.isStacked = ({ kind, marks = [] }) => kind === "fold" || marks.includes("stacked");

// What a box's text needs: {width, height, round, column, block}. `column` is the width of the labels of its rows,
// `block` that of labels and texts together.
mg.measure = (box) => {
  const F = mg.FORM;
  const width = mg.textWidth;
  const isOp = box.kind === "op";
  const isSign = isOp && [...box.title].length === 1;
  const titleWidth = width(box.title, isSign ? F.sign : F.title, true);
  const rows = box.rows ?? [];
  if (isOp && rows.length === 0 && titleWidth < F.round - 8) {
    return { width: F.round, height: F.round, round: true, column: 0, block: 0 };
  }
  const labels = rows.filter(([label]) => label.trim()).map(([label]) => width(label, F.row));
  const column = Math.max(0, ...labels);
  const block = Math.max(0, ...rows.filter(([label]) => label).map((row) => column + F.gap + width(row[1], F.row, true)));
  const free = rows.filter(([label]) => !label).map((row) => width(row[1], isOp ? F.opRow : F.row));
  const button = box.kind === "module" ? 22 : 0;
  const wide = Math.max(titleWidth + button, block, ...free);
  const line = isOp ? F.signLine : box.title ? F.titleLine : 0;
  const stack = mg.isStacked(box) ? F.stack : 0;
  return {
    width: Math.ceil(wide + 2 * F.padX + stack),
    height: Math.ceil(line + F.rowLine * rows.length + 2 * F.padY + stack - (isOp ? 4 : 0)),
    round: false,
    column,
    block,
  };
};
