// The scores of one pair: of one method each with its place among all pairs, of several side by side.
"use strict";

(() => {
  const { make } = I2I;
  let data, words, pair;

  const svgElement = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  const BINS = 24;
  const distribution = (values, value) => {
    const finite = values.filter((each) => each !== null && Number.isFinite(each));
    const low = Math.min(...finite), high = Math.max(...finite);
    const counts = new Array(BINS).fill(0);
    const bin = (each) => (high > low ? Math.min(BINS - 1, Math.floor(((each - low) / (high - low)) * BINS)) : 0);
    finite.forEach((each) => { counts[bin(each)] += 1; });
    const most = Math.max(1, ...counts);
    const svg = svgElement("svg", { viewBox: `0 0 ${BINS * 5} 26`, class: "place", "aria-hidden": "true", preserveAspectRatio: "none" });
    counts.forEach((count, index) => svg.append(svgElement("rect", { x: index * 5, width: 4, y: 26 - (count / most) * 24, height: (count / most) * 24 })));
    if (value !== null) {
      const x = Number.isFinite(value) ? (high > low ? ((value - low) / (high - low)) * BINS * 5 : 2) : value > 0 ? BINS * 5 : 0;
      svg.append(svgElement("line", { x1: clamp(x, 1, BINS * 5 - 1), x2: clamp(x, 1, BINS * 5 - 1), y1: 0, y2: 26 }));
    }
    return svg;
  };
  const better = (values, value, metric) => {
    if (value === null || !metric.better) return "";
    const known = values.filter((each) => each !== null);
    if (known.length < 2) return "";
    if (known.every((each) => each === value)) return "equal on all pairs";
    const worse = known.filter((each) => (metric.better === "higher" ? each < value : each > value)).length;
    return `better than ${Math.round((100 * worse) / (known.length - 1))} %`;
  };
  const arrowed = (metric) => `${metric.title}${{ higher: " ↑", lower: " ↓" }[metric.better] ?? ""}`;
  /** Of one method: a row a metric, each with its place among all pairs. */
  const scoresOfOne = (table) => {
    table.append(make("thead", {}, make("tr", {}, ...["metric", "score", "among all pairs"].map((each) => make("th", { scope: "col" }, each)))));
    const body = make("tbody");
    data.metrics.forEach((metric, index) => {
      const values = data.scores[0][index], value = values[pair];
      body.append(make("tr", {}, make("th", { scope: "row" }, arrowed(metric)), make("td", {}, words(value, metric)),
        make("td", {}, distribution(values, value), make("small", {}, better(values, value, metric)))));
    });
    table.append(body);
  };
  /** Of several: a block a metric with a row a method, so that neither long names nor six methods make it wide. */
  const scoresOfSeveral = (table) => {
    table.append(make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "method"), make("th", { scope: "col" }, "score"))));
    data.metrics.forEach((metric, index) => {
      const own = data.scores.map((method) => method[index][pair]);
      const known = own.filter((each) => each !== null);
      const best = !metric.better || new Set(known).size < 2 ? null : Math[metric.better === "higher" ? "max" : "min"](...known);
      const body = make("tbody", {}, make("tr", {}, make("th", { scope: "rowgroup", colSpan: 2, className: "metric" }, arrowed(metric))));
      own.forEach((value, method) => body.append(make("tr", {}, make("th", { scope: "row" }, data.methods[method].label),
        make("td", { className: value !== null && value === best ? "best" : "" }, words(value, metric)))));
      table.append(body);
    });
  };
  I2I.pairScores = (shown) => {
    ({ data, words } = I2I.explorer);
    pair = shown;
    const several = data.methods.length > 1;
    const table = make("table", { className: several ? "viewer-table several" : "viewer-table" });
    (several ? scoresOfSeveral : scoresOfOne)(table);
    return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Scores of the pair" }, table);
  };
})();
