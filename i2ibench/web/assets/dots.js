// The dots of charts: each leads to its pair, by mouse, finger and keyboard.
// <path class="dots" data-pairs="3,17,..." data-label="HER2 0"> draws one "M x y h0" a pair.
"use strict";

(() => {
  const { make, state } = I2I;
  const SVG = "http://www.w3.org/2000/svg";
  // How far from a dot, in units of the chart, a pointer still means it.
  const REACH = 12;

  /** Every dot of a chart: its column, place and pair; columns from left to right, each from below. */
  const dotsOf = (svg) => [...svg.querySelectorAll("path.dots")].flatMap((path, column) => {
    const pairs = path.dataset.pairs.split(",").map(Number);
    const places = [...path.getAttribute("d").matchAll(/M([\d.-]+) ([\d.-]+)/g)];
    const dots = places.map((found, index) => ({ column, label: path.dataset.label, pair: pairs[index], x: Number(found[1]), y: Number(found[2]) }));
    return dots.sort((a, b) => b.y - a.y || a.pair - b.pair);
  });

  const start = (svg, { data, words }) => {
    const dots = dotsOf(svg);
    const metric = data.metrics.findIndex((each) => each.name === svg.dataset.metric);
    if (!dots.length || metric < 0) return;
    let at = 0;
    const ring = document.createElementNS(SVG, "circle");
    ring.setAttribute("class", "ring");
    ring.setAttribute("r", "5");
    const said = make("span", { className: "dot-said", "aria-hidden": "true" });
    svg.closest("figure")?.querySelector("figcaption")?.append(said);
    const nameOf = ({ pair, label }) => {
      const { title, unit } = data.metrics[metric];
      const score = `${words(data.scores[0][metric][pair], data.metrics[metric])}${unit ? ` ${unit}` : ""}`;
      return { short: `${data.pairs.id[pair]}: ${score}`, long: [data.pairs.id[pair], label, `${title} ${score}`].filter(Boolean).join(", ") };
    };
    const show = (index) => {
      at = index;
      const name = nameOf(dots[at]);
      ring.setAttribute("cx", dots[at].x);
      ring.setAttribute("cy", dots[at].y);
      svg.append(ring);
      said.textContent = name.short;
      svg.setAttribute("aria-valuenow", at + 1);
      svg.setAttribute("aria-valuetext", name.long);
    };
    const hide = () => { ring.remove(); said.textContent = ""; };
    const open = () => state.set({ sort: svg.dataset.metric, pair: data.pairs.id[dots[at].pair] }, true);

    // A slider over the dots is what screen readers read out at each step; it says where Enter leads.
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: "0", "aria-valuemin": "1", "aria-valuemax": dots.length, "aria-keyshortcuts": "Enter",
      "aria-roledescription": "chart of pairs", "aria-orientation": "vertical",
    })) svg.setAttribute(name, value);
    svg.setAttribute("aria-valuenow", 1);
    svg.setAttribute("aria-valuetext", nameOf(dots[0]).long);

    const beside = (step) => {
      const column = dots.filter((each) => each.column === dots[at].column + step);
      const near = column.sort((a, b) => Math.abs(a.y - dots[at].y) - Math.abs(b.y - dots[at].y))[0];
      return near ? dots.indexOf(near) : at;
    };
    const above = (step) => (dots[at + step]?.column === dots[at].column ? at + step : at);
    const KEYS = {
      ArrowUp: () => above(1), ArrowDown: () => above(-1), ArrowRight: () => beside(1), ArrowLeft: () => beside(-1),
      Home: () => 0, End: () => dots.length - 1,
    };
    svg.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (KEYS[event.key]) show(KEYS[event.key]());
      else if (event.key === "Enter" || event.key === " ") open();
      else return;
      // The viewer that Enter opened must not hear the key, too.
      event.preventDefault();
      event.stopPropagation();
    });
    svg.addEventListener("focus", () => show(at));
    svg.addEventListener("blur", hide);

    const nearest = (event) => {
      const box = svg.viewBox.baseVal, place = svg.getBoundingClientRect();
      const x = ((event.clientX - place.left) / place.width) * box.width;
      const y = ((event.clientY - place.top) / place.height) * box.height;
      let best = { distance: REACH, index: -1 };
      dots.forEach((each, index) => {
        const distance = Math.hypot(each.x - x, each.y - y);
        if (distance < best.distance) best = { distance, index };
      });
      return best.index;
    };
    svg.addEventListener("pointermove", (event) => {
      const found = nearest(event);
      svg.classList.toggle("on-dot", found >= 0);
      if (found >= 0) show(found);
      else if (document.activeElement !== svg) hide();
    });
    svg.addEventListener("pointerleave", () => { if (document.activeElement !== svg) hide(); });
    svg.addEventListener("click", (event) => {
      const found = nearest(event);
      if (found < 0) return;
      show(found);
      open();
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (I2I.explorer) for (const svg of document.querySelectorAll("svg.strips")) start(svg, I2I.explorer);
  });
})();
