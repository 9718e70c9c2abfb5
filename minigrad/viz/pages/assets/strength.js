// The colour of an edge: how large the gradient was that went back along it, on a scale of powers of ten, so that a
// vanishing gradient is seen to fade. The steps' colours stand in graph.css as "level-0" to "level-6".
"use strict";

mg.LEVELS = 7;

// What the colours span: the powers of ten in `flow` if the graph says so, else from the least to the greatest strength
// that is neither 0 nor infinite; null where none is known.
mg.strengthRange = ({ edges, flow }) => {
  if (flow) return { least: 10 ** flow[0], greatest: 10 ** flow[1] };
  const known = edges.map((edge) => Number(edge.strength ?? NaN)).filter((s) => s > 0 && Number.isFinite(s));
  return known.length ? { least: Math.min(...known), greatest: Math.max(...known) } : null;
};

// 0 to 6, "zero" for a gradient of zeros, "bad" for NaN and infinity ("nan" and "inf" in the data), null if not known.
mg.strengthLevel = (strength, range) => {
  if (strength === null || strength === undefined) return null;
  const value = Number(strength);
  if (!Number.isFinite(value)) return "bad";
  if (value === 0) return "zero";
  const [low, high] = [Math.log10(range.least), Math.log10(range.greatest)];
  const part = high - low < 1e-9 ? 1 : (Math.log10(value) - low) / (high - low);
  return Math.max(0, Math.min(mg.LEVELS - 1, Math.round(part * (mg.LEVELS - 1))));
};

mg.strengthWidth = (level) => (level === "bad" ? 4.4 : level === "zero" ? 1 : 0.9 + 0.55 * level);
