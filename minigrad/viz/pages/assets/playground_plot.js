// A small plot of the output against one leaf, all others held: the curve, the point of now, and the tangent whose slope
// is the gradient.
"use strict";

mg.plotAgainst = (place, { tape, numbers, leaf, slope, output }) => {
  const { svg, t } = mg;
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, POINTS] = [360, 210, 46, 12, 12, 34, 160];
  const now = numbers.get(leaf.name);
  const at = new Map(numbers);
  const curve = [];
  for (let i = 0; i <= POINTS; i++) {
    const x = leaf.low + ((leaf.high - leaf.low) * i) / POINTS;
    at.set(leaf.name, x);
    curve.push([x, tape.forward(at)]);
  }
  const y = tape.forward(numbers); // the tape's values are those of now again

  const finite = curve.map((point) => point[1]).filter(Number.isFinite).sort((a, b) => a - b);
  if (Number.isFinite(y)) finite.push(y);
  const cut = Math.floor(finite.length / 50); // 1/x has a pole, and is a curve all the same
  const inner = finite.length > 60 ? finite.slice(cut, -cut - 1).concat(Number.isFinite(y) ? [y] : []) : finite;
  let [low, high] = inner.length ? [Math.min(...inner), Math.max(...inner)] : [-1, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.12;
  low -= room;
  high += room;

  const px = (x) => LEFT + ((x - leaf.low) / (leaf.high - leaf.low)) * (WIDTH - LEFT - RIGHT);
  const py = (v) => HEIGHT - BOTTOM - ((v - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const clamp = (v) => Math.max(-4 * HEIGHT, Math.min(5 * HEIGHT, v));
  const marks = [];

  for (const x of ticks(leaf.low, leaf.high, 5)) {
    marks.push(svg("line", { class: "grid", x1: px(x), x2: px(x), y1: TOP, y2: HEIGHT - BOTTOM }));
    marks.push(svg("text", { class: "tick", x: px(x), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, short(x)));
  }
  for (const v of ticks(low, high, 4)) {
    marks.push(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: py(v), y2: py(v) }));
    marks.push(svg("text", { class: "tick", x: LEFT - 6, y: py(v) + 4, "text-anchor": "end" }, short(v)));
  }
  let path = "";
  let pen = "M";
  let before = null;
  for (const [x, v] of curve) {
    const jumps = before !== null && Math.abs(v - before) > 3 * (high - low); // over a pole the pen is lifted
    if (!Number.isFinite(v)) pen = "M";
    else {
      path += `${jumps ? "M" : pen}${px(x).toFixed(1)} ${clamp(py(v)).toFixed(1)}`;
      pen = "L";
    }
    before = Number.isFinite(v) ? v : null;
  }
  const inside = [svg("path", { class: "curve", d: path })];
  if (Number.isFinite(y) && Number.isFinite(slope) && leaf.grad) {
    const ends = [leaf.low, leaf.high].map((x) => [px(x), clamp(py(y + slope * (x - now)))]);
    inside.push(svg("line", { class: "tangent", x1: ends[0][0], y1: ends[0][1], x2: ends[1][0], y2: ends[1][1] }));
  }
  if (Number.isFinite(y)) inside.push(svg("circle", { class: "now", cx: px(now), cy: py(y), r: 5 }));
  const frame = svg("svg", { class: "frame", x: 0, y: TOP, width: WIDTH, height: HEIGHT - TOP - BOTTOM, viewBox: `0 ${TOP} ${WIDTH} ${HEIGHT - TOP - BOTTOM}` }, ...inside);
  const label = svg("text", { class: "axis", x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, clipped(leaf.name));
  const says = t("plot.says", { output, leaf: leaf.name, value: mg.number(now), result: mg.number(y), slope: mg.number(slope) });
  place.replaceChildren(
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": says }, ...marks, frame, label),
    mg.el("p", { class: "hint" }, leaf.grad ? t("plot.slope", { slope: mg.number(slope) }) : ""),
  );

  function ticks(from, to, count) {
    const raw = (to - from) / count;
    const size = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((n) => n * size).find((n) => n >= raw) ?? raw;
    const found = [];
    for (let k = Math.ceil(from / step); k * step <= to && found.length < 20; k++) found.push(k * step);
    return found;
  }

  function short(value) {
    const text = String(Number(value.toPrecision(3)));
    return text.length > 6 ? value.toExponential(0) : text.replace("-", "−");
  }
};
