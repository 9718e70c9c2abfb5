// What every page shares: its data, its words in two languages, light and dark, and small makers of elements.
// A user's text reaches the page by textContent and attributes only, so it can never become markup.
"use strict";

const mg = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const words = read("words");
  const SVG = "http://www.w3.org/2000/svg";

  // A page in a notebook's frame, or from disk in some browsers, may have no storage.
  const kept = {
    get(name) {
      try {
        return localStorage.getItem("minigrad-" + name);
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        localStorage.setItem("minigrad-" + name, value);
      } catch {
        /* the choice holds for this visit only */
      }
    },
  };

  function fill(element, attrs, children) {
    for (const [name, value] of Object.entries(attrs ?? {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  // el("button", {class: "plain", onclick: run}, "Play"): strings become text, never markup.
  const el = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children);
  const svg = (tag, attrs, ...children) => fill(document.createElementNS(SVG, tag), attrs, children);

  // A number in about four digits; the same as `number` of viz/graph/text.py for floats: 2.0, 0.7071, 1.2e-07.
  function number(value) {
    if (typeof value !== "number") return String(value);
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    const size = Math.abs(value);
    if (size >= 1e6 || (size > 0 && size < 1e-4)) {
      const [mantissa, exponent] = value.toExponential(3).split("e");
      const digits = exponent.slice(1).padStart(2, "0");
      return `${mantissa.replace(/0+$/, "").replace(/\.$/, "")}e${exponent[0]}${digits}`;
    }
    if (size >= 1000) return value.toFixed(1);
    const text = String(Number(value.toPrecision(4)));
    const shown = Object.is(value, -0) ? "-0" : text;
    return shown.includes(".") ? shown : shown + ".0";
  }

  // ---- languages

  let language = kept.get("language") ?? ((navigator.language || "en").startsWith("ko") ? "ko" : "en");
  const listeners = new Set();

  // t("hits", {n: 3}): the text of a key in the page's language, with {n} filled in.
  function t(key, values) {
    const text = words[language]?.[key] ?? words.en[key] ?? key;
    return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole)) : text;
  }

  function translate(root = document) {
    for (const e of root.querySelectorAll("[data-t]")) e.textContent = t(e.dataset.t);
    for (const e of root.querySelectorAll("[data-t-label]")) e.setAttribute("aria-label", t(e.dataset.tLabel));
    for (const e of root.querySelectorAll("[data-t-title]")) e.title = t(e.dataset.tTitle);
    for (const e of root.querySelectorAll("[data-t-placeholder]")) e.placeholder = t(e.dataset.tPlaceholder);
  }

  function speak(name) {
    language = name;
    document.documentElement.lang = name;
    translate();
    for (const listener of listeners) listener();
  }

  function setLanguage(name) {
    kept.set("language", name);
    speak(name);
  }

  // ---- light and dark

  const system = matchMedia("(prefers-color-scheme: dark)");
  let theme = kept.get("theme");
  const applyTheme = () => (document.documentElement.dataset.theme = theme ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", applyTheme);
  applyTheme();

  function setTheme(name) {
    theme = name;
    kept.set("theme", name);
    applyTheme();
  }

  // ---- the two buttons that every page has

  const ICON = "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm0 1.6v9.8a4.9 4.9 0 0 1 0-9.8Z";

  function switches() {
    const themeButton = el(
      "button",
      {
        id: "theme",
        type: "button",
        "data-t-label": "theme",
        "data-t-title": "theme",
        onclick: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
      },
      svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: ICON, fill: "currentColor" })),
    );
    const languageButton = el("button", {
      id: "language",
      type: "button",
      "data-t": "language",
      "data-t-title": "languageHint",
      onclick: () => setLanguage(language === "ko" ? "en" : "ko"),
    });
    return [languageButton, themeButton];
  }

  // ---- what screen readers are told when something changed

  const speaker = el("div", { class: "spoken", role: "status", "aria-live": "polite" });
  const say = (text) => (speaker.textContent = text);

  addEventListener("DOMContentLoaded", () => {
    document.body.append(speaker);
    for (const place of document.querySelectorAll("[data-switches]")) place.replaceWith(...switches());
    speak(language);
  });

  return {
    data: read("data"),
    t,
    el,
    svg,
    number,
    say,
    translate,
    kept,
    get language() {
      return language;
    },
    setLanguage,
    setTheme,
    // Calls the listener after each change of the language; what it returns ends that.
    onLanguage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    reduced: matchMedia("(prefers-reduced-motion: reduce)"),
  };
})();
