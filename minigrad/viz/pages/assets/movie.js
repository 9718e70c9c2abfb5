// A race of optimizers: their ways, drawn over the picture of the landscape, step by step.
"use strict";

(() => {
  const { runs, clips, width, height, unit, seconds, title } = mg.data;
  const steps = Math.max(...runs.map((run) => run.values.length)) - 1;
  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  let at = 0; // a step, and the part of the next one that is done
  let speed = 1;
  let last = null; // when the frame before was drawn; null while paused

  // ---- the picture

  const ways = runs.map((run) => ({
    run,
    shown: true,
    parts: run.tracks.map((track) => ({
      track,
      halo: mg.svg("polyline", { stroke: "#fff", "stroke-width": 3.4 * unit }),
      line: mg.svg("polyline", { stroke: run.colour, "stroke-width": 1.8 * unit }),
      head: mg.svg("circle", { r: 4.2 * unit, fill: run.colour, "stroke-width": 1.2 * unit }),
    })),
  }));
  const layers = clips.map((clip, k) => [
    mg.svg("clipPath", { id: `clip${k}` }, mg.svg("rect", { x: clip[0], y: clip[1], width: clip[2], height: clip[3] })),
    mg.svg(
      "g",
      { "clip-path": `url(#clip${k})` },
      ...ways.flatMap((way) => [way.parts[k].halo, way.parts[k].line]),
      ...ways.map((way) => way.parts[k].head),
    ),
  ]);
  const picture = mg.svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", class: clips.length > 1 ? "movie-pair" : "" },
    mg.svg("image", { href: mg.data.image, width, height }),
    ...layers.flat(),
  );

  // The points of a way up to a moment; the last one lies between two steps. A null is out of sight.
  function until(track, moment) {
    const whole = Math.min(Math.floor(moment), track.length - 1);
    const points = track.slice(0, whole + 1);
    const [a, b] = [track[whole], track[whole + 1]];
    const part = moment - whole;
    if (a && b && part > 0 && part < 1) points.push([a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])]);
    return points.filter(Boolean);
  }

  function draw() {
    for (const way of ways) {
      for (const { track, halo, line, head } of way.parts) {
        const points = way.shown ? until(track, at) : [];
        const text = points.map((point) => point.map((v) => v.toFixed(1)).join(",")).join(" ");
        halo.setAttribute("points", text);
        line.setAttribute("points", text);
        const end = track[Math.min(Math.floor(at), track.length - 1)] && points[points.length - 1];
        head.style.display = end ? "" : "none";
        if (end) {
          head.setAttribute("cx", end[0].toFixed(1));
          head.setAttribute("cy", end[1].toFixed(1));
        }
      }
      const values = way.run.values;
      way.value.textContent = mg.number(values[Math.min(Math.floor(at), values.length - 1)]);
    }
    const step = Math.floor(at);
    if (slider.value !== String(step)) slider.value = step;
    said.textContent = mg.t("step", { n: step, all: steps });
    const names = ways.filter((way) => way.shown).map((way) => way.run.name);
    picture.setAttribute("aria-label", mg.t("picture", { name: title, runs: names.join(", "), n: step }));
  }

  // ---- time

  function tick(now) {
    if (last === null) return;
    at = Math.min(steps, at + (((now - last) / 1000) * speed * steps) / seconds);
    last = now;
    draw();
    if (at >= steps) pause();
    else requestAnimationFrame(tick);
  }

  function play() {
    if (at >= steps) at = 0;
    last = performance.now();
    label();
    requestAnimationFrame(tick);
  }

  function pause() {
    last = null;
    label();
  }

  function go(step) {
    pause();
    at = Math.max(0, Math.min(steps, step));
    draw();
  }

  // ---- the controls

  const button = (key, sign, action) =>
    mg.el("button", { type: "button", id: key, "data-t-label": key, "data-t-title": key, onclick: action }, sign);
  const playing = button("play", "▶", () => (last === null ? play() : pause()));
  playing.classList.add("main");

  function label() {
    playing.textContent = last === null ? "▶" : "❚❚";
    playing.dataset.tLabel = playing.dataset.tTitle = last === null ? "play" : "pause";
    mg.translate(bar);
  }

  const slider = mg.el("input", {
    type: "range",
    id: "where",
    min: 0,
    max: steps,
    value: 0,
    "data-t-label": "where",
    oninput: () => go(Number(slider.value)),
  });
  const said = mg.el("output", { for: "where" });
  const pace = mg.el(
    "select",
    { id: "speed", onchange: () => (speed = Number(pace.value)) },
    ...SPEEDS.map((value) => mg.el("option", { value, selected: value === 1 }, `${value}×`)),
  );
  const bar = mg.el(
    "div",
    { class: "movie-bar" },
    button("again", "↺", () => go(0)),
    button("back", "◀❘", () => go(Math.ceil(at) - 1)),
    playing,
    button("forward", "❘▶", () => go(Math.floor(at) + 1)),
    slider,
    said,
    mg.el("label", {}, mg.el("span", { "data-t": "speed" }), pace),
  );
  const list = mg.el("ul", { class: "movie-runs" });
  for (const way of ways) {
    way.value = mg.el("span");
    const chip = mg.el(
      "button",
      {
        type: "button",
        "aria-pressed": "true",
        onclick: () => {
          way.shown = !way.shown;
          chip.setAttribute("aria-pressed", String(way.shown));
          draw();
        },
      },
      mg.el("i", { style: `background:${way.run.colour}` }),
      mg.el("b", {}, way.run.name),
      way.value,
    );
    list.append(mg.el("li", {}, chip));
  }

  document
    .getElementById("movie")
    .append(
      mg.el(
        "header",
        { class: "bar" },
        mg.el("h1", {}, title),
        mg.el("span", { class: "push" }),
        mg.el("span", { "data-switches": true }),
      ),
      mg.el("div", { class: "movie-stage" }, picture),
      bar,
      list,
    );

  addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select")) return;
    const acts = {
      ArrowLeft: () => go(Math.ceil(at) - 1),
      ArrowRight: () => go(Math.floor(at) + 1),
      Home: () => go(0),
      End: () => go(steps),
      " ": () => (last === null ? play() : pause()),
    };
    if (!(event.key in acts) || (event.key === " " && event.target.closest("button"))) return;
    event.preventDefault();
    acts[event.key]();
  });

  mg.onLanguage(draw);
  draw();
  if (mg.reduced.matches) go(steps);
  else play();
})();
