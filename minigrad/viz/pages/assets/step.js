/* The step page: the graph, the two cards, the transport bar and the quiz, wired to one number, the steps done. */
"use strict";

(() => {
  const { el, svg, t } = mg;
  const { plan: makePlan, panels, nodeAt, touched, targetOf, stride, phaseAt, brief, Quiz } = mg.step;
  const byId = (id) => document.getElementById(id);
  const PACE = 1400; // milliseconds between two steps at speed 1
  const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];

  const side = document.querySelector(".side");
  const plan = makePlan(mg.data.story);
  const cards = panels(plan, mg.data.groups);
  const graph = mg.step.graph(plan, byId("graph"), mg.data);
  const quiz = new Quiz(plan, byId("quiz-card"), { show: () => draw(), done: answered, hint: cards.hint });

  let k = 0; // how many steps are done
  let selected = null; // the node whose card is open
  let lit = null; // {key, edges} of the paths that are highlighted
  let timer = null;
  let speed = 1;

  // ---- going from one state to another

  function goTo(to, { quiet = false } = {}) {
    to = Math.max(0, Math.min(plan.total, to));
    const from = k;
    k = to;
    side.scrollTop = 0; // on a phone the page scrolls instead, and stays where it is
    if (quiz.question) quiz.drop();
    graph.update(k, touched(plan, from, to));
    draw();
    if (!quiet) mg.say(cards.spoken(k));
  }

  /* One stride forward. In a quiz, the next number is asked for first. False if there is no further step. */
  function next(same = sameModule) {
    if (k >= plan.total) return false;
    if (quiz.asks(k)) {
      stop();
      draw();
      return false;
    }
    goTo(quiz.on ? k + 1 : stride(plan, k, 1, same));
    return true;
  }

  const back = (same = sameModule) => goTo(stride(plan, k, -1, same));

  /* Steps inside one closed module are one stride: what is closed is not looked into. */
  const sameModule = (a, b) => a.phase === b.phase && graph.closedAround(a) !== null && graph.closedAround(a) === graph.closedAround(b);
  const sameNode = (a, b) => (a.phase === b.phase && a.node === b.node) || sameModule(a, b);

  function answered(verdict) {
    goTo(k + 1, { quiet: true });
    mg.say(`${verdict} ${cards.spoken(k)}`);
    byId("next").focus({ preventScroll: true });
  }

  // ---- playing

  function play() {
    if (k >= plan.total) goTo(0);
    timer = setTimeout(tick, 0);
    transport();
  }

  function tick() {
    timer = next() && k < plan.total ? setTimeout(tick, PACE / speed) : null;
    transport();
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    transport();
  }

  const toggle = () => (timer === null ? play() : stop());

  function setSpeed(value) {
    speed = value;
    byId("speed").value = String(value);
  }

  const faster = (by) => setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(speed) + by))]);

  // ---- drawing

  function draw() {
    byId("note").textContent = mg.data.notes.map((key) => t(key)).join(" ");
    byId("note").hidden = !mg.data.notes.length;
    const ask = quiz.question;
    const { title, parts } = cards.now(k, ask);
    const card = byId("now");
    card.replaceChildren(stepLine(ask), el("h2", {}, ...title), ...parts);
    card.classList.toggle("asking", Boolean(ask));
    card.dataset.step = k;
    card.dataset.phase = ask ? plan.steps[k].phase : phaseAt(plan, k);
    graph.point(ask ? plan.steps[k] : k ? plan.steps[k - 1] : null, Boolean(ask));
    drawNode();
    transport();
  }

  function stepLine(ask) {
    const phase = ask ? plan.steps[k].phase : phaseAt(plan, k);
    return el("p", { class: "step-line" }, el("span", { class: `chip ${phase}` }, t(`phase.${phase}`)), ` ${t("step.of", { step: ask ? k + 1 : k, total: plan.total })}`);
  }

  function drawNode() {
    const card = byId("node");
    if (selected === null) {
      card.replaceChildren(el("p", { class: "hint" }, t("node.none")));
      return;
    }
    const { title, parts } = cards.about(selected, k, { goTo: jump, light, lit: lit && lit.key });
    const close = el("button", { type: "button", class: "plain", id: "close-node", "aria-label": t("node.close"), onclick: () => graph.choose(null) }, "×");
    card.replaceChildren(el("header", {}, el("h2", {}, ...title), close), ...parts);
  }

  function select(id) {
    if (selected !== null) graph.mark(selected, "chosen", false);
    selected = id;
    const through = id === null ? new Set() : mg.step.edgesThrough(plan, id);
    lit = through.size ? { key: `all ${id}`, edges: through } : null;
    graph.lightPaths(lit && lit.edges);
    if (id !== null) graph.mark(id, "chosen", true);
    drawNode();
    if (id !== null) byId("node").scrollIntoView({ block: "nearest", behavior: mg.reduced.matches ? "auto" : "smooth" });
  }

  function light(what) {
    lit = what;
    graph.lightPaths(lit && lit.edges);
    drawNode();
    const again = lit && [...byId("node").querySelectorAll(".route[aria-pressed=true]")][0];
    if (again) again.focus({ preventScroll: true });
  }

  /* To a step of a node's history: in a quiz nobody may look ahead, and history shows only what is done. */
  function jump(step) {
    stop();
    goTo(step);
  }

  // ---- the bar below

  const ICONS = {
    start: "M3 3h2v10H3zM13 3v10L6 8z",
    back: "M11 3v10L4 8z",
    play: "M4 2.5v11l9-5.5z",
    pause: "M4 3h3v10H4zM9 3h3v10H9z",
    next: "M5 3v10l7-5z",
    end: "M11 3h2v10h-2zM3 3v10l7-5z",
  };
  const icon = (name) => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: ICONS[name], fill: "currentColor" }));

  function transport() {
    const playing = timer !== null;
    const scrubber = byId("scrubber");
    scrubber.max = plan.total;
    scrubber.value = k;
    scrubber.setAttribute("aria-valuetext", `${t(`phase.${phaseAt(plan, k)}`)}, ${t("step.of", { step: k, total: plan.total })}`);
    scrubber.style.setProperty("--turn", plan.total ? plan.forward / plan.total : 1);
    scrubber.style.setProperty("--done", plan.total ? k / plan.total : 0);
    byId("position").textContent = `${k} / ${plan.total}`;
    const label = byId("play");
    label.replaceChildren(icon(playing ? "pause" : "play"));
    label.setAttribute("aria-label", t(playing ? "pause" : "play"));
    label.title = `${t(playing ? "pause" : "play")} (${t("key.space")})`;
    for (const [id, off] of [["start", k === 0], ["back", k === 0], ["next", k >= plan.total], ["end", k >= plan.total]]) byId(id).disabled = off;
    byId("quiz").setAttribute("aria-pressed", String(quiz.on));
  }

  function setQuiz(on) {
    stop();
    quiz.turn(on);
    draw();
    if (on) next();
  }

  const help = byId("help-window");
  const actions = {
    start: () => jump(0),
    back: () => (stop(), back()),
    play: toggle,
    next: () => (stop(), next()),
    end: () => jump(plan.total),
    quiz: () => setQuiz(!quiz.on),
    help: () => help.showModal(),
  };
  for (const name of ["start", "back", "next", "end"]) byId(name).replaceChildren(icon(name));
  for (const [id, run] of Object.entries(actions)) byId(id).addEventListener("click", run);
  byId("help-close").addEventListener("click", () => help.close());
  byId("scrubber").addEventListener("input", (event) => jump(Number(event.target.value)));
  byId("speed").append(...SPEEDS.map((value) => el("option", { value, selected: value === 1 }, `${value}×`)));
  byId("speed").addEventListener("change", (event) => setSpeed(Number(event.target.value)));

  // ---- keys

  const KEYS = {
    " ": toggle,
    ArrowRight: actions.next,
    ArrowLeft: actions.back,
    Home: actions.start,
    End: actions.end,
    "?": actions.help,
    q: actions.quiz,
    "[": () => faster(-1),
    "]": () => faster(1),
    Escape: () => graph.choose(null),
  };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const inside = event.target;
    if (inside.matches("input, select, textarea") && event.key !== "Escape") return;
    if (event.key === " " && inside.matches("button, summary")) return;
    let run = KEYS[event.key];
    if (event.shiftKey && event.key === "ArrowRight") run = () => (stop(), next(sameNode));
    if (event.shiftKey && event.key === "ArrowLeft") run = () => (stop(), back(sameNode));
    if (!run) return;
    event.preventDefault();
    run();
  });

  // ---- the beginning

  graph.onSelect((id) => {
    const at = document.activeElement;
    if (byId("graph").contains(at) && !at.matches(":focus-visible")) at.blur(); // after a click the keys go on stepping
    select(id);
  });
  mg.onLanguage(() => {
    graph.rewrite(k);
    quiz.draw();
    draw();
    mg.say(cards.spoken(k));
  });
  document.title = mg.data.title;
  graph.update(0, new Set(plan.nodes.map((node) => node.id)));
  draw();
  mg.step.page = { plan, goTo, get k() { return k; }, quiz, select, nodeAt, targetOf, brief };
})();
