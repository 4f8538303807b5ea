// The grid of pairs: filters and order.
// Its state is in the address: sort, of, order, min, max, group, cluster, id; the viewer's besides.
"use strict";

(() => {
  const { make, state } = I2I;
  const NO_VALUE = "–";
  const FILTERS = ["sort", "of", "order", "min", "max", "group", "cluster", "id"];
  let data, grid, form, cards, shown = [];

  /** A score as tables show it: with the metric's digits, or about four significant ones. */
  const words = (value, metric, signed = false) => {
    if (value === null || value === undefined) return NO_VALUE;
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    const size = Math.abs(value);
    const digits = metric.digits ?? (size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
    return (signed && value > 0 ? "+" : "") + value.toFixed(digits);
  };
  const number = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);

  /** The metric that pairs are ordered by, and its value for each: of a method, or a difference. */
  const order = () => {
    const metric = data.metrics.findIndex((each) => each.name === state.get("sort"));
    if (metric < 0) return null;
    const [a, b] = state.get("of", "0").split("-").map(Number);
    const first = data.scores[a] ?? data.scores[0];
    const second = b === undefined ? null : data.scores[b];
    const values = first[metric].map((value, pair) => {
      if (!second) return value;
      const other = second[metric][pair];
      return value === null || other === null ? null : value === other ? 0 : value - other;
    });
    return { metric: data.metrics[metric], values, isDifference: Boolean(second) };
  };

  /** The numbers of the pairs that the filters leave, in their order. */
  const select = () => {
    const by = order();
    const [group, cluster, id] = ["group", "cluster", "id"].map((name) => state.get(name));
    const bounds = ["min", "max"].map((name) => (state.get(name) === "" ? NaN : Number(state.get(name))));
    const kept = [];
    for (let pair = 0; pair < data.pairs.id.length; pair += 1) {
      if (group && data.pairs.group[pair] !== group) continue;
      if (cluster && data.pairs.cluster[pair] !== cluster) continue;
      if (id && !data.pairs.id[pair].toLowerCase().includes(id.toLowerCase())) continue;
      if (by && (bounds.some((each) => !Number.isNaN(each)))) {
        const value = by.values[pair];
        if (value === null || value < bounds[0] || value > bounds[1]) continue;
      }
      kept.push(pair);
    }
    if (by) {
      // Worst first: the least where more is better; of a difference, and without a direction, the least.
      let up = by.isDifference || by.metric.better !== "lower";
      if (state.get("order") === "best") up = !up;
      kept.sort((a, b) => {
        const [x, y] = [by.values[a], by.values[b]];
        if (x === null || y === null) return (x === null) - (y === null) || a - b;
        return (x === y ? 0 : (up ? x < y : x > y) ? -1 : 1) || a - b;
      });
    }
    return kept;
  };

  const thumbnail = (pair) => `${data.tiles.folder}${data.pairs.file[pair]}-thumb.jpg`;

  const card = (pair) => {
    const id = data.pairs.id[pair];
    const link = make("a", { href: `#pair=${encodeURIComponent(id)}` });
    if (data.tiles.thumbnails) {
      const images = data.views.filter((view) => ["s", "t"].includes(view.key) || view.original);
      const what = images.length ? images.map((view) => view.name).join(", ") : "blurred images";
      link.append(make("img", { className: "strip", loading: "lazy", decoding: "async", width: data.pairs.thumbnail[pair][0], height: data.pairs.thumbnail[pair][1], src: thumbnail(pair), alt: `${what} of ${id}` }));
    }
    const label = make("span", { className: "card-id" }, id);
    const facts = make("span", { className: "card-facts" });
    if (data.pairs.group[pair]) facts.append(make("span", { className: "badge" }, `${data.unit} ${data.pairs.group[pair]}`));
    const score = make("span", { className: "card-score" });
    facts.append(score);
    link.append(label, facts);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      state.set({ pair: id }, true);
    });
    return { item: make("li", {}, link), score };
  };

  /** What a control can show of a value in the address, which anybody can write: else its first. */
  const fitting = (control, value) => {
    if (control.type === "number") return value !== "" && Number.isFinite(Number(value)) ? value : "";
    if (!control.options) return value;
    return [...control.options].some((option) => option.value === value) ? value : control.options[0].value;
  };

  let drawnFor = null;
  const draw = () => {
    // The viewer's own changes (zoom, views) leave the grid as it is.
    const key = FILTERS.map((name) => state.get(name)).join("\n");
    if (key === drawnFor) return;
    drawnFor = key;
    shown = select();
    const by = order();
    grid.replaceChildren(...shown.map((pair) => {
      cards[pair] ??= card(pair);
      cards[pair].score.textContent = by ? `${by.metric.title} ${words(by.values[pair], by.metric, by.isDifference)}` : "";
      return cards[pair].item;
    }));
    document.getElementById("explorer-count").textContent = `${shown.length} of ${data.pairs.id.length} pairs`;
    for (const control of form.elements) {
      if (!control.name) continue;
      const value = fitting(control, state.get(control.name));
      if (document.activeElement !== control || control.value !== value) control.value = value;
    }
    // Without an order there is no score that a range could be of.
    for (const bound of [form.elements.min, form.elements.max]) if (bound) bound.disabled = !by;
  };

  document.addEventListener("DOMContentLoaded", () => {
    grid = document.getElementById("explorer-grid");
    if (!grid) return;
    form = document.getElementById("explorer-controls");
    data = I2I.data("explorer-data");
    data.scores = data.scores.map((method) => method.map((metric) => metric.map(number)));
    cards = new Array(data.pairs.id.length);
    I2I.explorer = { data, words, shown: () => shown };
    form.addEventListener("input", (event) => { if (event.target.name) state.set({ [event.target.name]: event.target.name === "of" && event.target.value === "0" ? "" : event.target.value }); });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => state.set(Object.fromEntries([...form.elements].filter((each) => each.name).map((each) => [each.name, ""]))));
    state.onChange(draw);
    draw();
    // An address of the list opens at the list, on the page itself and when it is shared.
    const toList = () => { if (FILTERS.some((name) => state.get(name)) && !state.get("pair")) document.getElementById("pairs").scrollIntoView(); };
    for (const link of document.querySelectorAll('a[href^="#sort="]')) link.addEventListener("click", () => setTimeout(toList));
    toList();
  });
})();
