// One pair: its views side by side with one zoom, and a slider between two of them.
// State in the address: pair, views ("s,t,p0"), slide ("t,p0"), at, zoom, x, y, files.
"use strict";

(() => {
  const { make, state } = I2I;
  const SVG = "http://www.w3.org/2000/svg";
  const MOST_ZOOM = 16;
  const OWN = ["pair", "views", "slide", "at", "zoom", "x", "y", "files"];
  let data, words, dialog, panes, pair = -1, opener = null;
  const $ = (name) => document.getElementById(`viewer-${name}`);

  const svgElement = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  // ---- What is shown
  const view = (key) => data.views.find((each) => each.key === key);
  const usual = () => {
    const several = data.methods.length > 1;
    const keys = several ? data.views.filter((each) => ["s", "t"].includes(each.key) || each.original) : data.views.filter((each) => ["s", "t", "p0", "d0"].includes(each.key));
    return keys.map((each) => each.key);
  };
  const chosen = () => {
    const keys = state.get("views").split(",").filter((key) => view(key));
    return keys.length ? data.views.map((each) => each.key).filter((key) => keys.includes(key)) : usual();
  };
  const sliding = () => {
    const keys = state.get("slide").split(",").filter((key) => view(key));
    return keys.length === 2 ? keys : null;
  };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, Number.isFinite(value) ? value : low));
  const place = () => ({
    zoom: clamp(Number(state.get("zoom", "1")), 1, MOST_ZOOM),
    x: clamp(Number(state.get("x", "0.5")), 0, 1),
    y: clamp(Number(state.get("y", "0.5")), 0, 1),
  });
  const move = ({ zoom, x, y }) => {
    zoom = clamp(zoom, 1, MOST_ZOOM);
    const half = 0.5 / zoom;
    const short = (value) => (zoom === 1 ? null : clamp(value, half, 1 - half).toFixed(4));
    state.set({ zoom: zoom === 1 ? null : String(Math.round(zoom * 100) / 100), x: short(x), y: short(y) });
  };

  // ---- Panes: an SVG each, whose viewBox is the part of the sheet that is looked at.
  // How far apart views begin on a sheet: as sheet.py has it.
  const pitch = (length) => Math.ceil((length + data.tiles.gutter) / data.tiles.block) * data.tiles.block;
  const pane = (key) => {
    const which = view(key);
    const [width, height] = data.pairs.size[pair];
    const lead = data.tiles.gutter / 2;
    const left = which.column * pitch(width) + lead, top = which.row * pitch(height) + lead;
    const svg = svgElement("svg", { role: "img", "aria-label": `${which.name} of ${data.pairs.id[pair]}`, preserveAspectRatio: "xMidYMid meet" });
    svg.cell = { left, top, width, height };
    const original = which.original && state.get("files") && data.methods[which.method].originals[pair];
    const columns = Math.max(...data.views.map((each) => each.column)) + 1;
    const rows = Math.max(...data.views.map((each) => each.row)) + 1;
    svg.append(original
      ? svgElement("image", { href: original, x: left, y: top, width, height, preserveAspectRatio: "none" })
      : svgElement("image", { href: `${data.tiles.folder}${data.pairs.file[pair]}-sheet.jpg`, x: 0, y: 0, width: columns * pitch(width), height: rows * pitch(height), preserveAspectRatio: "none" }));
    return svg;
  };
  const aim = () => {
    const { zoom, x, y } = place();
    for (const svg of panes.querySelectorAll("svg")) {
      const { left, top, width, height } = svg.cell;
      const w = width / zoom, h = height / zoom;
      svg.setAttribute("viewBox", [left + clamp(x * width - w / 2, 0, width - w), top + clamp(y * height - h / 2, 0, height - h), w, h].join(" "));
      svg.classList.toggle("pixels", zoom >= 3);
    }
    $("zoom").textContent = `${Math.round(zoom * 10) / 10}×`;
    const slider = panes.querySelector(".slide-at");
    if (slider) {
      const at = clamp(Number(state.get("at", "50")), 0, 100);
      slider.value = at;
      panes.querySelector(".slide-top").style.clipPath = `inset(0 0 0 ${at}%)`;
      panes.querySelector(".slide-line").style.left = `${at}%`;
    }
  };
  const caption = (key) => {
    const which = view(key);
    const made = make("figcaption", {}, which.name);
    if (which.hint) made.append(make("small", {}, ` ${which.hint}`));
    const original = which.original && data.methods[which.method].originals[pair];
    if (original) made.append(" ", make("a", { href: original, target: "_blank", rel: "noopener" }, "original"));
    return made;
  };
  const picker = (side, key) => {
    const select = make("select", { "aria-label": side === 0 ? "View on the left" : "View on the right" });
    for (const each of data.views) select.append(make("option", { value: each.key, selected: each.key === key }, each.name));
    select.addEventListener("change", () => {
      const keys = sliding();
      keys[side] = select.value;
      state.set({ slide: keys.join(",") });
    });
    return select;
  };
  const slideFigure = (keys) => {
    const bottom = pane(keys[0]), top = pane(keys[1]);
    top.classList.add("slide-top");
    const range = make("input", { type: "range", min: "0", max: "100", step: "0.5", className: "slide-at", "aria-label": "Slider between both views" });
    range.addEventListener("input", () => state.set({ at: range.value === "50" ? null : range.value }));
    const stack = make("div", { className: "slide" });
    stack.append(bottom, top, make("div", { className: "slide-line" }));
    return make("figure", { className: "slide-figure" }, make("div", { className: "slide-names" }, picker(0, keys[0]), picker(1, keys[1])), stack, range);
  };
  /** A button a view; of several methods a row a kind, in which buttons name the methods. */
  const chip = (each, keys, label) => {
    const on = keys.includes(each.key);
    const button = make("button", { type: "button", "aria-pressed": String(on), title: each.hint ? `${each.name}: ${each.hint}` : each.name, "aria-label": each.name }, label);
    button.dataset.key = each.key;
    button.addEventListener("click", () => {
      const next = on ? keys.filter((key) => key !== each.key) : [...keys, each.key];
      if (next.length) state.set({ views: data.views.map((one) => one.key).filter((key) => next.includes(key)).join(",") });
      $("views").querySelector(`[data-key="${each.key}"]`)?.focus();
    });
    return button;
  };
  const chips = (keys) => {
    if (data.methods.length < 2) return data.views.map((each) => chip(each, keys, each.name));
    const kinds = [...new Set(data.views.map((each) => each.method === null ? "" : each.kind))];
    return kinds.map((kind) => {
      const views = data.views.filter((each) => (each.method === null ? "" : each.kind) === kind);
      const row = make("div", { className: "chips-row" }, ...(kind ? [make("span", { className: "faint small", "aria-hidden": "true" }, kind)] : []));
      row.append(...views.map((each) => chip(each, keys, kind ? data.methods[each.method].label : each.name)));
      return row;
    });
  };
  const drawPanes = () => {
    const keys = chosen(), slide = sliding();
    panes.classList.toggle("sliding", Boolean(slide));
    if (!data.views.length) {
      panes.replaceChildren(make("p", { className: "note" }, "This page shows no pictures of pairs."));
      return;
    }
    panes.replaceChildren(...(slide ? [slideFigure(slide)] : keys.map((key) => make("figure", {}, pane(key), caption(key)))));
    panes.dataset.count = slide ? 1 : keys.length;
    $("views").replaceChildren(...chips(keys));
    $("views").hidden = Boolean(slide);
    $("slider").setAttribute("aria-pressed", String(Boolean(slide)));
    $("originals-label").hidden = !data.methods.some((method) => method.originals.length);
    $("originals").checked = Boolean(state.get("files"));
  };

  // ---- Opening, closing, other pairs
  const neighbour = (step) => {
    const shown = I2I.explorer.shown();
    const list = shown.includes(pair) ? shown : data.pairs.id.map((_, index) => index);
    const next = list[list.indexOf(pair) + step];
    if (next !== undefined) state.set({ pair: data.pairs.id[next] });
  };
  const head = () => {
    const shown = I2I.explorer.shown();
    const list = shown.includes(pair) ? shown : data.pairs.id.map((_, index) => index);
    const position = list.indexOf(pair);
    $("title").textContent = data.pairs.id[pair];
    const facts = [];
    if (data.pairs.group[pair]) facts.push(`${data.unit} ${data.pairs.group[pair]}`);
    if (data.pairs.cluster[pair]) facts.push(`slide or patient ${data.pairs.cluster[pair]}`);
    facts.push(`${position + 1} of ${list.length}`);
    $("where").textContent = facts.join(" · ");
    $("previous").disabled = position === 0;
    $("next").disabled = position === list.length - 1;
    for (const near of [list[position + 1], list[position - 1]]) {
      if (near !== undefined && data.views.length) new Image().src = `${data.tiles.folder}${data.pairs.file[near]}-sheet.jpg`;
    }
  };
  let drawn = "";
  const update = () => {
    const wanted = data.pairs.id.indexOf(state.get("pair"));
    if (wanted < 0) {
      if (dialog.open) dialog.close();
      return;
    }
    const key = [wanted, state.get("views"), state.get("slide"), state.get("files")].join("\n");
    const other = wanted !== pair;
    pair = wanted;
    if (!dialog.open) {
      opener = document.activeElement;
      dialog.showModal();
    }
    if (key !== drawn) drawPanes();
    if (other || !drawn) { head(); $("scores").replaceChildren(I2I.pairScores(pair)); }
    drawn = key;
    aim();
    // Focus on what was redrawn, or can no longer be pressed, would be lost, and keys with it.
    const focused = document.activeElement;
    if (!dialog.contains(focused) || focused.disabled) panes.focus({ preventScroll: true });
  };
  const close = () => state.set(Object.fromEntries(OWN.map((name) => [name, null])));
  const toggleSlider = () => {
    if (!data.views.length) return;
    const first = view("t") ? "t" : data.views[0].key;
    state.set({ slide: sliding() ? null : `${first},p0` });
  };
  const zoomBy = (factor, at = null) => {
    const { zoom, x, y } = place();
    const next = clamp(zoom * factor, 1, MOST_ZOOM);
    // What lies below the pointer stays below it.
    const towards = at ?? { x: 0.5, y: 0.5 };
    move({ zoom: next, x: x + (towards.x - 0.5) * (1 / zoom - 1 / next), y: y + (towards.y - 0.5) * (1 / zoom - 1 / next) });
  };
  const shift = (dx, dy) => {
    const { zoom, x, y } = place();
    move({ zoom, x: x + dx / zoom, y: y + dy / zoom });
  };
  const KEYS = {
    ArrowLeft: () => neighbour(-1), ArrowRight: () => neighbour(1),
    "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: () => move({ zoom: 1 }), s: toggleSlider,
  };
  const SHIFTED = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] };
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input:not([type=checkbox])")) return;
    const shifted = event.shiftKey && SHIFTED[event.key];
    if (shifted) shift(...shifted);
    else if (KEYS[event.key]) KEYS[event.key]();
    else return;
    event.preventDefault();
  };

  // ---- Mouse, pen and fingers
  const startPointers = () => {
    const down = new Map();
    let gap = 0;
    const inside = (event) => {
      const box = event.target.closest("svg")?.getBoundingClientRect();
      return box && { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, width: box.width, height: box.height };
    };
    panes.addEventListener("wheel", (event) => {
      const at = inside(event);
      if (!at) return;
      event.preventDefault();
      zoomBy(Math.exp(-clamp(event.deltaY, -200, 200) / 250), at);
    }, { passive: false });
    panes.addEventListener("dblclick", (event) => { const at = inside(event); if (at) zoomBy(2, at); });
    panes.addEventListener("pointerdown", (event) => {
      if (!event.target.closest("svg") || event.button) return;
      down.set(event.pointerId, event);
      panes.setPointerCapture(event.pointerId);
      gap = 0;
    });
    panes.addEventListener("pointermove", (event) => {
      const former = down.get(event.pointerId);
      if (!former) return;
      const box = panes.querySelector("svg").getBoundingClientRect();
      down.set(event.pointerId, event);
      if (down.size === 1) {
        if (place().zoom > 1) shift(-(event.clientX - former.clientX) / box.width, -(event.clientY - former.clientY) / box.height);
        return;
      }
      const [one, two] = [...down.values()];
      const now = Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
      if (gap) zoomBy(now / gap);
      gap = now;
    });
    for (const end of ["pointerup", "pointercancel"]) panes.addEventListener(end, (event) => { down.delete(event.pointerId); gap = 0; });
  };

  document.addEventListener("DOMContentLoaded", () => {
    dialog = document.getElementById("viewer");
    if (!dialog || !I2I.explorer) return;
    ({ data, words } = I2I.explorer);
    panes = $("panes");
    $("previous").addEventListener("click", () => neighbour(-1));
    $("next").addEventListener("click", () => neighbour(1));
    $("close").addEventListener("click", close);
    $("slider").addEventListener("click", toggleSlider);
    $("in").addEventListener("click", () => zoomBy(1.5));
    $("out").addEventListener("click", () => zoomBy(1 / 1.5));
    $("reset").addEventListener("click", () => move({ zoom: 1 }));
    $("originals").addEventListener("change", (event) => state.set({ files: event.target.checked ? "1" : null }));
    $("controls").hidden = !data.views.length;
    document.addEventListener("keydown", (event) => { if (dialog.open) onKey(event); });
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
    dialog.addEventListener("close", () => {
      pair = -1;
      drawn = "";
      opener?.focus?.();
    });
    startPointers();
    state.onChange(update);
    update();
  });
})();
