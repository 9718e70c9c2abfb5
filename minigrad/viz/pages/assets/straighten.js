// Straight lines where dagre leaves zigzags: it decides what stands before and beside what, this file how far aside.
// Each box and each bend of an edge moves to where its lines are straight, the next row's and the last row's in turn;
// what stands in one row keeps its order and its distances. The way of the data weighs far more than that of
// parameters, so that the way from input to loss is as straight as it can be, with parameters at its sides.
"use strict";

// A line between boxes should be straight, one that passes rows should be so while it passes: after Gansner et al.,
// "A Technique for Drawing Directed Graphs", with more for the way from box to box.
const PULL = [1000, 1, 8]; // of a piece of a line with no bend at its ends, with one, with two

// lines: [{from, to, weight, fromDoor, toDoor, bends: [{along, across}, ...]}, ...]; a door is how far aside of the
// middle of a frame a line is joined to it, null for boxes. nodes: Map key → {along, across, half}: each `across` is moved.
// gaps: {box, bend}, the least distance between boxes, and of a bend to anything.
mg.straighten = (nodes, lines, gaps) => {
  const rows = new Map();
  const add = (item) => {
    const name = Math.round(item.along);
    if (!rows.has(name)) rows.set(name, []);
    rows.get(name).push(item);
    return Object.assign(item, { before: [], after: [] });
  };
  for (const node of nodes.values()) add(node);
  for (const { from, to, weight, fromDoor, toDoor, bends } of lines) {
    const chain = [nodes.get(from), ...bends.map((bend) => add(Object.assign(bend, { half: 0, isBend: true }))), nodes.get(to)];
    const doors = [fromDoor ?? 0, ...bends.map(() => 0), toDoor ?? 0];
    for (let i = 1; i < chain.length; i++) {
      const [a, b] = [chain[i - 1], chain[i]];
      const pull = weight * PULL[Number(Boolean(a.isBend)) + Number(Boolean(b.isBend))];
      a.after.push({ other: b, pull, aside: doors[i] - doors[i - 1] });
      b.before.push({ other: a, pull, aside: doors[i - 1] - doors[i] });
    }
  }

  const order = [...rows.entries()].sort(([a], [b]) => a - b).map(([, row]) => row.sort((a, b) => a.across - b.across));
  for (const row of order) spread(row);
  const reversed = [...order].reverse();
  const loose = () => 0.001; // what is joined to nothing stays
  for (let turn = 0; turn < 4; turn++) {
    for (const row of order) settle(row, (item) => item.before, loose, gaps);
    for (const row of reversed) settle(row, (item) => item.after, loose, gaps);
  }
  // Last, each stands below what leads to it, and what nothing leads to follows: so bends gather where ways meet.
  for (const row of order) settle(row, (item) => item.before, loose, gaps);
  for (const row of reversed) settle(row, (item) => item.after, (item) => (item.before.length ? 1e15 : 0.001), gaps);
  for (const row of order) row.forEach((item, i) => Object.assign(item, { left: row[i - 1], right: row[i + 1] }));
  for (const { bends } of lines) if (bends.length > 1) align(bends, gaps.bend);
};

// Brings all bends of a line to one place, the leftmost or the rightmost of theirs, if there is room for that.
function align(bends, gap) {
  const low = Math.max(...bends.map(({ left }) => (left ? left.across + left.half + gap : -Infinity)));
  const high = Math.min(...bends.map(({ right }) => (right ? right.across - right.half - gap : Infinity)));
  const places = bends.map((bend) => bend.across);
  const moved = (to) => places.reduce((sum, place) => sum + Math.abs(place - to), 0);
  const room = [Math.min(...places), Math.max(...places)].filter((at) => at >= low - 0.5 && at <= high + 0.5);
  if (!room.length) return;
  const best = room.reduce((a, b) => (moved(b) < moved(a) ? b : a));
  for (const bend of bends) bend.across = best;
}

// What stands side by side and leads to one and the same operation: the data go in the middle, parameters at the sides.
function spread(row) {
  const targetOf = (item) => (item.after.length === 1 ? item.after[0].other : null);
  for (let start = 0; start < row.length; ) {
    const target = targetOf(row[start]);
    let stop = start + 1;
    while (target && stop < row.length && targetOf(row[stop]) === target) stop++;
    const run = row.slice(start, stop);
    const places = run.map((item) => item.across);
    const isData = (item) => item.before.length > 0 || item.after[0].pull >= mg.WEIGHTS.data;
    if (run.length > 1) {
      const sides = run.filter((item) => !isData(item));
      const half = Math.ceil(sides.length / 2);
      const spread = [...sides.slice(0, half), ...run.filter(isData), ...sides.slice(half)];
      for (const [i, item] of spread.entries()) {
        item.across = places[i];
        row[start + i] = item;
      }
    }
    start = stop;
  }
}

// Moves a row to where its items want to be, as near as its order and distances let it: least squares by pooling
// neighbours that would come too close (isotonic regression). `inertia(item)` weighs where it is now.
function settle(row, joined, inertia, gaps) {
  const pools = [];
  let shift = 0;
  for (const [i, item] of row.entries()) {
    if (i > 0) {
      const gap = item.isBend || row[i - 1].isBend ? gaps.bend : gaps.box;
      shift += row[i - 1].half + item.half + gap;
    }
    item.shift = shift;
    let weight = inertia(item);
    let sum = item.across * weight;
    for (const { other, pull, aside } of joined(item)) {
      sum += (other.across + aside) * pull;
      weight += pull;
    }
    pools.push({ at: sum / weight - shift, weight, count: 1 });
    while (pools.length > 1 && pools.at(-2).at > pools.at(-1).at) {
      const [b, a] = [pools.pop(), pools.pop()];
      const both = a.weight + b.weight;
      pools.push({ at: (a.at * a.weight + b.at * b.weight) / both, weight: both, count: a.count + b.count });
    }
  }
  let i = 0;
  for (const { at, count } of pools) {
    for (let n = 0; n < count; n++, i++) row[i].across = at + row[i].shift;
  }
}
