/* The quiz: the next number is hidden, the learner says it, hints come in the order of thinking (formula, numbers).

   `questions(step)` are the one or two things asked about a step; `judge(text, question)` is pure; a `Quiz` keeps the
   score and which steps were answered, and draws its card.                                                          */
"use strict";

(() => {
  const { el, t } = mg;
  const { flat, indexAt, isArray, isScalar, shapeOf, text } = mg.step;

  const RELATIVE = 0.01; // an answer within 1 % is right: nobody should lose a point to rounding
  const ABSOLUTE = 0.0005; // and so is one this close, for answers near 0

  /* What can be asked of a step: numbers, and one number of a small array (another one at each step). */
  mg.step.questions = function (plan, index) {
    const step = plan.steps[index];
    if (step.kind === "value") return one("value", plan.nodes[step.node].value, index);
    if (step.kind === "seed") return one("value", step.total, index);
    if (step.kind === "problem") return [];
    const product = one("product", step.part.product, index);
    return step.old === null ? product : [...product, ...one("total", step.part.total, index)];
  };

  function one(what, value, index) {
    if (!isScalar(value) && !isArray(value)) return [];
    const numbers = flat(value);
    if (!numbers.length) return [];
    const position = index % numbers.length;
    const answer = numbers[position];
    if (typeof answer !== "number") return []; // nan and inf are not to be guessed
    return [{ what, answer, position, place: isArray(value) ? indexAt(position, shapeOf(value)) : null, hints: 0 }];
  }

  /* A number as people type it: 0.5, 0,5, −.5, 1e-3, 1/3. NaN if it is none. */
  mg.step.typed = function (written) {
    const clean = written.trim().replace(/[−–]/g, "-").replace(/^\+/, "").replace(/\s+/g, "");
    const parts = clean.split("/");
    if (parts.length > 2) return NaN;
    const [above, below] = parts.map((part) => {
      const number = part.includes(".") ? part : part.replace(",", ".");
      return /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(number) ? Number(number) : NaN;
    });
    return parts.length === 2 ? above / below : above;
  };

  const near = (a, b) => Math.abs(a - b) <= Math.max(RELATIVE * Math.abs(b), ABSOLUTE);

  /* "right", "none" (no number), or what is wrong: "sign", "forgot" (gave the part and not the whole), "other". */
  mg.step.judge = function (written, question, step) {
    const given = mg.step.typed(written);
    if (!Number.isFinite(given)) return "none";
    if (near(given, question.answer)) return "right";
    if (near(-given, question.answer)) return "sign";
    const at = (v) => (v === null || v === undefined ? NaN : flat(v)[isArray(v) ? question.position : 0]);
    const part = step.part;
    if (part && question.what === "total" && near(given, at(part.product))) return "forgot.total";
    if (part && question.what === "product" && isScalar(part.product)) {
      if (near(given, at(part.local))) return "forgot.upstream";
      if (near(given, at(step.upstream))) return "forgot.local";
    }
    return "other";
  };

  /* `show()` draws the cards with the asked number hidden, `hint(question, index)` makes what a hint says,
      `done()` goes on when a step is answered or skipped. */
  mg.step.Quiz = class {
    constructor(plan, place, { show, done, hint }) {
      Object.assign(this, { plan, place, show, done, tell: hint, on: false, index: -1, asked: [], seen: new Set() });
      this.score = { right: 0, helped: 0, skipped: 0 };
      this.verdict = "";
    }

    /* Whether step `index` has to be answered before it is shown. Begins the question if so. */
    asks(index) {
      if (!this.on || this.seen.has(index) || index >= this.plan.total) return false;
      if (this.index === index) return true;
      const asked = mg.step.questions(this.plan, index);
      if (!asked.length) return false;
      Object.assign(this, { index, asked, clean: true, verdict: "" });
      this.draw(true);
      return true;
    }

    get question() {
      return this.index < 0 ? null : this.asked[0];
    }

    /* No question now: because one went elsewhere, or the quiz was switched off. */
    drop() {
      Object.assign(this, { index: -1, asked: [], verdict: "" });
      this.draw();
    }

    turn(on) {
      this.on = on;
      this.drop();
    }

    hint() {
      this.clean = false;
      this.question.hints++;
      this.show();
      this.draw(true);
    }

    skip() {
      this.score.skipped++;
      this.finish(t("quiz.skipped", { answer: this.answers() }));
    }

    answers = () => this.asked.map((question) => text(question.answer)).join(", ");

    answer(written) {
      const step = this.plan.steps[this.index];
      const verdict = mg.step.judge(written, this.question, step);
      if (verdict !== "right") {
        if (verdict !== "none") this.clean = false;
        this.verdict = t(`quiz.${verdict}`);
        mg.say(this.verdict);
        this.draw(true);
        return;
      }
      const answer = text(this.question.answer);
      this.asked.shift();
      if (this.asked.length) {
        this.verdict = t("quiz.andNow", { answer });
        mg.say(this.verdict);
        this.show();
        this.draw(true);
        return;
      }
      this.score[this.clean ? "right" : "helped"]++;
      this.finish(t(this.clean ? "quiz.right" : "quiz.rightHelped", { answer }));
    }

    finish(verdict) {
      this.seen.add(this.index);
      this.drop();
      this.verdict = verdict;
      this.done(verdict);
      this.draw();
    }

    // ---- the card

    draw(focus = false) {
      this.place.hidden = !this.on;
      if (!this.on) return;
      const parts = [el("header", {}, el("h2", {}, t("quiz.title")), this.counts())];
      if (this.question) parts.push(...this.form());
      else parts.push(el("p", { class: "verdict" }, this.verdict || t("quiz.how")));
      if (!this.question) {
        const over = this.plan.steps.length === this.seen.size;
        parts.push(el("p", { class: "hint" }, t(over ? "quiz.over" : "quiz.next")));
      }
      this.place.replaceChildren(...parts);
      const input = this.place.querySelector("input");
      if (focus && input) input.focus({ preventScroll: true });
    }

    counts() {
      const { right, helped, skipped } = this.score;
      return el("p", { class: "score" }, t("quiz.score", { right, helped, skipped }));
    }

    form() {
      const { what, place, hints } = this.question;
      const step = this.plan.steps[this.index];
      const nodes = this.plan.nodes;
      const index = place ? `[${place.join(", ")}]` : "";
      const output = nodes[this.plan.story.output].name;
      const names = { output, index, name: nodes[mg.step.targetOf(step)].name, from: nodes[step.node].name };
      const key = step.kind === "edge" ? what : step.kind;
      const input = el("input", {
        type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false", id: "answer", "aria-describedby": "tolerance",
      });
      const hintKey = hints === 0 ? "quiz.hint1" : "quiz.hint2";
      return [
        el(
          "form",
          {
            onsubmit: (event) => {
              event.preventDefault();
              this.answer(input.value);
            },
          },
          el("label", { for: "answer" }, t(`quiz.ask.${key}`, names)),
          el(
            "div",
            { class: "line" },
            input,
            el("button", { type: "submit", class: "main", id: "check" }, t("quiz.check")),
          ),
          this.verdict ? el("p", { class: "verdict wrong" }, this.verdict) : null,
          hints ? this.tell(this.question, this.index) : null,
          el(
            "div",
            { class: "line" },
            el("button", { type: "button", id: "hint", disabled: hints >= 2, onclick: () => this.hint() }, t(hintKey)),
            el("button", { type: "button", id: "skip", onclick: () => this.skip() }, t("quiz.skip")),
          ),
          el("p", { class: "hint", id: "tolerance" }, t("quiz.tolerance")),
        ),
      ];
    }
  };
})();
