// Boxes, edges and frames as SVG elements. Colours come from graph.css by class, so light and dark need no redrawing.
"use strict";

mg.drawing = (() => {
  const F = mg.FORM;
  const { svg } = mg;
  const round = (value) => Math.round(value * 100) / 100;

  // ---- boxes, drawn around the point (0, 0) and moved to their place

  function box(spec, size, place) {
    const classes = ["box", `kind-${spec.kind}`];
    for (const flag of ["inplace", "faint"]) if (spec[flag]) classes.push(flag);
    for (const mark of spec.marks ?? []) classes.push(`is-${mark}`);
    const element = svg("g", { class: classes.join(" "), "data-key": spec.key, tabindex: -1, role: "button" });
    element.setAttribute("aria-label", spoken(spec));
    const [wide, high] = [place.width, place.height];
    const stack = mg.isStacked(spec) ? F.stack : 0;
    const [left, top] = [-wide / 2, -high / 2];
    const radius = size.round ? high / 2 : spec.kind === "op" ? Math.min(high / 2, 14) : 7;
    const sheet = (shift, name) =>
      svg("rect", {
        class: name,
        x: round(left + shift),
        y: round(top + shift),
        width: round(wide - stack),
        height: round(high - stack),
        rx: round(radius),
      });
    if (stack) element.append(sheet(stack, "sheet"), sheet(stack / 2, "sheet"));
    element.append(sheet(0, "shape"), ...texts(spec, size, left, top, wide - stack, high - stack));
    if (spec.kind !== "module") return element;
    element.setAttribute("aria-expanded", "false");
    element.append(sign("+", left + wide - stack - 14, top + 14));
    return element;
  }

  function texts(spec, size, left, top, wide, high) {
    const isOp = spec.kind === "op";
    const rows = spec.rows ?? [];
    const signSize = isOp && [...spec.title].length === 1 ? F.sign : F.title;
    const centre = left + (wide - (spec.kind === "module" ? 22 : 0)) / 2;
    const middle = left + wide / 2;
    if (!rows.length) return [text("title", centre, top + high / 2, spec.title, signSize, true)];
    const found = [];
    let y = top + F.padY - (isOp ? 2 : 0) + (high - heightOf(spec, rows.length)) / 2;
    if (spec.title || isOp) {
      const line = isOp ? F.signLine : F.titleLine;
      found.push(text("title", centre, y + line / 2, spec.title, signSize, true));
      y += line;
    }
    const start = middle - size.block / 2;
    let isGrad = false;
    for (const [label, value] of rows) {
      const base = y + F.rowLine / 2;
      if (!label) found.push(text("plain", middle, base, value, isOp ? F.opRow : F.row, true));
      else {
        if (label.trim()) {
          isGrad = /grad|‖$/.test(label);
          found.push(text("label", start, base, label, F.row, false));
        }
        found.push(text(isGrad ? "value grad" : "value", start + size.column + F.gap, base, value, F.row, false));
      }
      y += F.rowLine;
    }
    return found;
  }

  // What the lines need, without the sheets behind: a box may be given more room than that.
  function heightOf(spec, rows) {
    const isOp = spec.kind === "op";
    const line = isOp ? F.signLine : spec.title ? F.titleLine : 0;
    return Math.ceil(line + F.rowLine * rows + 2 * F.padY - (isOp ? 4 : 0));
  }

  function text(name, x, y, content, size, centred) {
    const element = svg("text", { class: name, x: round(x), y: round(y + 0.35 * size), "font-size": size });
    if (centred) element.setAttribute("text-anchor", "middle");
    element.textContent = content;
    return element;
  }

  // The sign in the corner of a module: a plus or a minus in a circle.
  function sign(which, x, y) {
    const line = which === "+" ? "M-3.5,0H3.5M0,-3.5V3.5" : "M-3.5,0H3.5";
    const place = `translate(${round(x)} ${round(y)})`;
    return svg("g", { class: "sign", transform: place }, svg("circle", { r: 7 }), svg("path", { d: line }));
  }

  // What a screen reader says of a box: its kind, its name and its lines.
  function spoken(spec) {
    const rows = (spec.rows ?? []).map(([label, value]) => `${label} ${value}`.trim());
    return [`${mg.t("kind-" + spec.kind)} ${spec.title}`.trim(), ...rows].join(", ");
  }

  // ---- frames

  function frame(group, place) {
    const { x, y, width, height } = place;
    const [left, top] = [x - width / 2, y - height / 2];
    const title = text("frame-title", 24, 11, group.title, F.frameTitle, false);
    const wide = mg.textWidth(group.title, F.frameTitle, true) + 34;
    const handle = svg(
      "g",
      { class: "handle", "data-key": group.key, tabindex: -1, role: "button", "aria-expanded": "true" },
      svg("rect", { class: "handle-shape", x: 1, y: 1, width: round(Math.min(width - 2, wide)), height: 21, rx: 8 }),
      sign("−", 12, 11),
      title,
    );
    handle.setAttribute("aria-label", `${mg.t("kind-module")} ${group.title}`);
    const kind = `kind-${group.count > 1 ? "step" : (group.kind ?? "module")}`;
    handle.classList.add(kind);
    const element = svg("g", { class: `frame ${kind}`, "data-frame": group.key });
    const sheet = (name, x) => svg("rect", { class: name, x, y: x, width: round(width), height: round(height), rx: 10 });
    if (group.count > 1) element.append(sheet("frame-sheet", 2 * F.stack), sheet("frame-sheet", F.stack));
    element.append(sheet("frame-shape", 0));
    for (const one of [element, handle]) one.style.transform = `translate(${round(left)}px, ${round(top)}px)`;
    return { frame: element, handle };
  }

  // ---- edges

  const ARROW = 7;

  // `level` is that of strength.js, or null: an edge without a colour of its own.
  function edge(spec, { points, goesBack }, level, direction) {
    const classes = ["edge"];
    for (const flag of ["faint", "loop"]) if (spec[flag]) classes.push(flag);
    if (level !== null) classes.push(`level-${level}`);
    const thick = level === null ? 1.3 : mg.strengthWidth(level);
    const { line, head } = edgeLines(points, thick, direction, goesBack);
    const element = svg(
      "g",
      { class: classes.join(" "), "data-edge": spec.key },
      svg("path", { class: "reach", d: line }),
      svg("path", { class: "line", d: line }),
      svg("path", { class: "head", d: head }),
    );
    element.style.setProperty("--thick", thick.toFixed(1));
    if (spec.count > 1) {
      const label = `×${spec.count.toLocaleString("en")}`;
      const wide = mg.textWidth(label, F.row) + 10;
      const at = halfway(points);
      const pill = { class: "pill", x: round(at.x - wide / 2), y: round(at.y - 8), width: round(wide), height: 16, rx: 8 };
      element.append(svg("rect", pill), text("count", at.x, at.y, label, F.row, true));
    }
    return element;
  }

  // From point to point by curves that set out and arrive along the graph's direction, with an arrow's head.
  function edgeLines(points, thick, direction, goesBack) {
    const isLR = direction === "LR";
    const at = (p) => `${round(p.x)},${round(p.y)}`;
    const end = points.at(-1);
    const before = points.at(-2);
    const sign = Math.sign(isLR ? end.x - before.x : end.y - before.y) || 1;
    const arrow = ARROW + Math.max(0, thick - 1.3) * 1.6;
    const base = isLR ? { x: end.x - sign * arrow, y: end.y } : { x: end.x, y: end.y - sign * arrow };
    const path = [...points.slice(0, -1), base];
    let line = `M${at(path[0])}`;
    if (goesBack) line = cornered(path, at);
    for (let i = 1; i < path.length && !goesBack; i++) {
      const [p, q] = [path[i - 1], path[i]];
      const middle = isLR ? (p.x + q.x) / 2 : (p.y + q.y) / 2;
      const straight = isLR ? Math.abs(p.y - q.y) < 0.5 : Math.abs(p.x - q.x) < 0.5;
      if (straight) line += `L${at(q)}`;
      else if (isLR) line += `C${round(middle)},${round(p.y)} ${round(middle)},${round(q.y)} ${at(q)}`;
      else line += `C${round(p.x)},${round(middle)} ${round(q.x)},${round(middle)} ${at(q)}`;
    }
    const side = arrow * 0.45;
    const corner = (s) => (isLR ? { x: base.x, y: base.y + s * side } : { x: base.x + s * side, y: base.y });
    return { line, head: `M${at(end)}L${at(corner(1))}L${at(corner(-1))}Z` };
  }

  // Straight from point to point, with round corners.
  function cornered(path, at) {
    const towards = (p, q, far) => {
      const part = Math.min(0.5, far / (Math.hypot(q.x - p.x, q.y - p.y) || 1));
      return { x: p.x + (q.x - p.x) * part, y: p.y + (q.y - p.y) * part };
    };
    const inner = path.slice(1, -1).map((p, i) => `L${at(towards(p, path[i], 10))}Q${at(p)} ${at(towards(p, path[i + 2], 10))}`);
    return `M${at(path[0])}${inner.join("")}L${at(path.at(-1))}`;
  }

  function halfway(points) {
    const i = (points.length - 1) / 2;
    const [a, b] = [points[Math.floor(i)], points[Math.ceil(i)]];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }

  return { box, frame, edge, spoken };
})();
