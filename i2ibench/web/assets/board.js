// Boards: filters, column sets, sorting and ticked methods. Every state is the page's address; what a
// table says stands in the page itself, so that it reads without this script.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { make, state, sortTable } = window.I2I;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const form = document.querySelector(".filters");
  if (!form) return;
  const fields = all("select[name]:not(.goes), input[name]", form);
  const OTHER = ["track", "set", "columns", "q"]; // these are no property of a row
  const first = Object.fromEntries(fields.map((field) => [field.name, field.tagName === "SELECT" ? field.options[0].value : ""]));
  const choices = Object.fromEntries(fields.filter((field) => field.options).map((field) => [field.name, new Set([...field.options].map((each) => each.value))]));
  /** The value in the address; the first choice where this board has it not, or no longer. */
  const value = (name) => {
    const wanted = state.get(name, first[name] ?? "");
    return choices[name]?.has(wanted) === false ? first[name] : wanted;
  };
  const picks = () => state.get("pick").split(",").filter(Boolean);

  // ---- Rows: those that every filter and every word of the search lets through.
  const matches = (row) => {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const text = (row.dataset.search || row.textContent).toLowerCase();
    if (!words.every((word) => text.includes(word))) return false;
    return fields.every(({ name }) => OTHER.includes(name) || !value(name) || name === "dataset" && !("dataset" in row.dataset)
      // A row that says nothing of a property, as those of papers, is not of any chosen kind.
      || row.dataset[name] === value(name));
  };

  const showRows = () => {
    let shown = 0, listed = 0;
    for (const row of all("table.measured tbody tr, table.filtered tbody tr, #reported tbody tr")) {
      row.hidden = !matches(row);
      if (row.closest(".track[hidden], .set[hidden], details")) continue;
      listed += 1;
      if (!row.hidden) shown += 1;
    }
    for (const group of all("#reported .group")) group.hidden = !all("tbody tr", group).some((row) => !row.hidden);
    for (const status of all(".shown")) status.textContent = `${shown} of ${listed} rows.`;
  };

  // ---- Tables: the chosen protocol and level; where a protocol has not that level, all its pairs.
  const showTables = () => {
    for (const track of all(".track")) {
      track.hidden = track.dataset.track !== value("track");
      const sets = all(".set", track);
      const chosen = sets.find((each) => each.dataset.set === value("set")) ?? sets[0];
      for (const each of sets) each.hidden = each !== chosen;
    }
  };

  const showColumns = () => {
    const wanted = value("columns");
    for (const table of all("table.measured")) {
      const heads = [...table.tHead.rows[0].cells];
      const kinds = heads.map((head) => (head.dataset.kinds || "").split(" "));
      const any = kinds.some((each) => each.includes(wanted));
      heads.forEach((head, index) => {
        const hidden = index > 0 && any && wanted !== "every" && !kinds[index].includes(wanted);
        head.hidden = hidden;
        for (const row of table.tBodies[0].rows) row.cells[index].hidden = hidden;
      });
    }
  };

  // ---- Sorting: "sort=psnr" brings the best to the top, "sort=-psnr" the worst.
  const original = new Map(all("table.board").map((table) => [table, [...table.tBodies[0].rows]]));
  const showOrder = () => {
    const wanted = state.get("sort"), reverse = wanted.startsWith("-"), key = reverse ? wanted.slice(1) : wanted;
    for (const [table, rows] of original) {
      const heads = [...table.tHead.rows[0].cells];
      const column = heads.findIndex((head) => head.dataset.key === key);
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      table.tBodies[0].append(...rows);
      if (key && column >= 0) sortTable(table, column, (heads[column].dataset.better === "higher") !== reverse);
    }
  };
  for (const head of all("table.board thead th[data-key]")) {
    const button = make("button", { type: "button", title: "sort" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const key = head.dataset.key, now = state.get("sort");
      state.set({ sort: now === key ? `-${key}` : now === `-${key}` ? null : key }, true);
    });
  }

  // ---- Ticked methods side by side: cells are those of the table, and what its tests say of each two.
  const showPicks = () => {
    const chosen = picks();
    for (const row of all("table.measured tbody tr")) {
      const is = chosen.includes(row.dataset.row);
      row.classList.toggle("picked", is);
      row.querySelector(".pick input").checked = is;
    }
    const section = document.getElementById("compare");
    if (!section) return;
    const table = document.querySelector(".track:not([hidden]) .set:not([hidden]) table.measured");
    const out = section.querySelector("table.compared");
    const rows = table ? chosen.map((place) => table.querySelector(`tr[data-row="${CSS.escape(place)}"]`)).filter(Boolean) : [];
    out.hidden = rows.length < 2;
    section.querySelector(".hint").hidden = rows.length >= 2;
    out.tHead.replaceChildren();
    out.tBodies[0].replaceChildren();
    if (rows.length < 2) return;
    const head = make("tr", {}, make("th", { scope: "col" }, "metric"), ...rows.map((row) => make("th", { scope: "col" }, row.dataset.method)), make("th", { scope: "col", className: "text" }, "what the tests say"));
    out.tHead.append(head);
    [...table.tHead.rows[0].cells].forEach((column, index) => {
      if (index === 0 || column.hidden) return;
      const line = make("tr", {}, make("th", { scope: "row", className: "text" }, ...[...column.querySelector("button").childNodes].map((node) => node.cloneNode(true))));
      for (const row of rows) {
        const copy = row.cells[index].cloneNode(true);
        all("sup", copy).forEach((mark) => mark.remove());
        line.append(copy);
      }
      const said = [];
      rows.forEach((one, i) => rows.slice(i + 1).forEach((two) => {
        const [a, b] = [one, two].map((row) => row.cells[index]);
        if (!("tested" in a.dataset) || !("tested" in b.dataset)) return;
        const ahead = (cell, row) => (cell.dataset.ahead || "").split(" ").includes(row.dataset.row);
        const before = ahead(a, two) ? [one, two] : ahead(b, one) ? [two, one] : null;
        said.push(before
          ? make("div", { className: "sure" }, `${before[0].dataset.method} surely before ${before[1].dataset.method}`)
          : make("div", { className: "faint" }, `${one.dataset.method} and ${two.dataset.method}: open`));
      }));
      line.append(make("td", { className: "text" }, ...said));
      out.tBodies[0].append(line);
    });
  };
  for (const box of all("table.measured .pick input")) {
    box.addEventListener("change", () => {
      const place = box.closest("tr").dataset.row;
      const kept = picks().filter((each) => each !== place);
      state.set({ pick: (box.checked ? [...kept, place] : kept).join(",") }, true);
    });
  }

  // ---- The form shows the address, and the address follows the form.
  const show = () => {
    for (const field of fields) if (document.activeElement !== field || field.tagName === "SELECT") field.value = value(field.name);
    showTables();
    showColumns();
    showOrder();
    showRows();
    showPicks();
  };
  for (const field of fields) {
    const change = () => {
      const is = field.value === first[field.name] ? null : field.value;
      // Places of ticked methods are those of one protocol.
      state.set({ [field.name]: is, ...(field.name === "track" ? { pick: null } : {}) }, field.tagName === "SELECT");
    };
    field.addEventListener(field.tagName === "SELECT" ? "change" : "input", change);
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  const reset = form.querySelector(".reset");
  reset.addEventListener("click", () => {
    const nothing = Object.fromEntries([...fields.map(({ name }) => [name, null]), ["sort", null], ["pick", null]]);
    for (const field of fields) field.value = first[field.name];
    state.set(nothing, true);
  });
  const goes = form.querySelector("select.goes");
  if (goes) goes.addEventListener("change", () => { location.href = goes.value; });
  state.onChange(show);
  show();
});
