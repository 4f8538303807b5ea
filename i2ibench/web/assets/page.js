// What every page shares: the theme, the state in the address, sortable tables. No library, no build.
"use strict";

window.I2I = (() => {
  const root = document.documentElement;
  root.classList.add("js");

  /** The JSON of <script type="application/json" id="..."> on this page. */
  const data = (id) => JSON.parse(document.getElementById(id).textContent);

  /** An element with properties, attributes ("aria-label" and the like) and children; texts stay texts. */
  const make = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && !name.includes("-")) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  // ---- The state of a page is its address: "#metric=psnr&group=3%2B". Plain "#scores" is an anchor.
  const listeners = [];
  const read = () => {
    const hash = location.hash.slice(1);
    return hash.includes("=") ? new URLSearchParams(hash) : new URLSearchParams();
  };
  const state = {
    /** The value under a name, or another where the address says none. */
    get: (name, otherwise = "") => read().get(name) ?? otherwise,
    /** Change some values; null and "" take a name out. `step` leaves a step for the back button. */
    set(changes, step = false) {
      const values = read();
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === undefined || value === "") values.delete(name);
        else values.set(name, value);
      }
      const hash = values.toString() ? `#${values}` : location.pathname + location.search;
      history[step ? "pushState" : "replaceState"](null, "", hash);
      listeners.forEach((each) => each());
    },
    /** Call a function after each change, also by the back button or a link. */
    onChange: (listener) => listeners.push(listener),
  };
  addEventListener("hashchange", () => listeners.forEach((each) => each()));
  addEventListener("popstate", () => listeners.forEach((each) => each()));

  // ---- The theme: the system's, until one is chosen.
  const kept = {
    get(name) { try { return localStorage.getItem(name); } catch { return null; } },
    set(name, value) { try { localStorage.setItem(name, value); } catch { /* only for this visit */ } },
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const chosen = kept.get("i2ibench-theme");
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  const startTheme = () => {
    const button = document.querySelector(".theme");
    if (!button) return;
    const show = () => {
      button.textContent = isDark() ? "☀" : "☾";
      button.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
      button.title = button.getAttribute("aria-label");
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      kept.set("i2ibench-theme", root.dataset.theme);
      show();
    });
    show();
  };

  // ---- <table class="sortable">: a click on a header sorts; <td data-value="..."> is the number.
  const cellValue = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text.toLowerCase() : number;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 2 : -2; // absent values last
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  };
  const sortTable = (table, column, descending) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [cellValue(row, column), row]);
    rows.sort(([a], [b]) => {
      const order = compare(a, b);
      return Math.abs(order) === 2 || !descending ? order : -order;
    });
    body.append(...rows.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((cell, index) => {
      if (index === column) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  };
  const startTables = () => {
    for (const table of document.querySelectorAll("table.sortable")) {
      [...table.tHead.rows[0].cells].forEach((cell, column) => {
        const button = make("button", { type: "button" }, ...cell.childNodes);
        cell.append(button);
        button.addEventListener("click", () => {
          const now = cell.getAttribute("aria-sort");
          // The first click brings the best to the top, where the column says what is better.
          const first = cell.dataset.better === "higher";
          sortTable(table, column, now ? now === "ascending" : first);
        });
      });
    }
  };

  // ---- On paper nothing folds out: all is printed, but records, which are for programs.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")].filter((each) => !each.closest("#origin"));
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));

  document.addEventListener("DOMContentLoaded", () => { startTheme(); startTables(); });
  return { data, make, state, kept, sortTable };
})();
