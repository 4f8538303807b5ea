// The reader study: asks, keeps answers in this browser, and saves them as a file. It sends nothing.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { data, make, kept } = window.I2I;
  const study = data("study");
  const FORMAT = "i2ibench study answers";
  const PREFIX = `i2ibench-study-${study.id}`;
  const byId = (id) => document.getElementById(id);
  const show = (section) => ["start", "task", "end"].forEach((id) => { byId(id).hidden = id !== section; });

  // ---- The order: each block shuffled by the reader's code, blocks in theirs.
  const seedOf = (text) => {
    let hash = 2166136261;
    for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619) >>> 0;
    return hash;
  };
  const random = (seed) => () => { // mulberry32
    seed = (seed + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const shuffled = (list, draw) => {
    const made = [...list];
    for (let last = made.length - 1; last > 0; last--) {
      const other = Math.floor(draw() * (last + 1));
      [made[last], made[other]] = [made[other], made[last]];
    }
    return made;
  };
  const orderOf = (reader) => {
    const draw = random(seedOf(`${study.id} ${reader}`));
    return ["rating", "preference"].flatMap((kind) =>
      study[`${kind}s`].flatMap((block) => shuffled(block, draw).map((id) => ({ id, kind }))));
  };

  // ---- What a reader has said.
  let reader = null;
  let items = [];
  let answers = {};
  let started = null;
  let at = 0;
  let since = 0;
  const now = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const content = () => ({
    format: FORMAT, schema: 1, study: study.id, reader, started, saved: now(),
    complete: items.every(({ id }) => id in answers), answers,
  });
  let storeFailed = false;
  const store = () => {
    const text = JSON.stringify(content());
    kept.set(`${PREFIX}-${reader}`, text);
    kept.set(PREFIX, reader);
    storeFailed = kept.get(`${PREFIX}-${reader}`) !== text;
  };
  const stored = (code) => {
    try { return usable(JSON.parse(kept.get(`${PREFIX}-${code}`))); } catch { return null; }
  };

  const isText = (value) => typeof value === "string" && value.length <= 40;
  const isAnswer = (kind, answer) => {
    if (typeof answer !== "object" || answer === null) return false;
    if (!(Number.isFinite(answer.seconds) && answer.seconds >= 0 && Number.isInteger(answer.place))) return false;
    if (kind === "preference") return ["left", "right", "neither"].includes(answer.choice);
    if (typeof answer.real !== "boolean") return false;
    return !study.levels.length || answer.level === null || study.levels.includes(answer.level);
  };
  /** The content of a file or of this browser where it fits this study; else null. */
  const usable = (found) => {
    if (typeof found !== "object" || found === null || found.format !== FORMAT) return null;
    if (found.study !== study.id || !isText(found.reader) || typeof found.answers !== "object" || found.answers === null) return null;
    const kinds = new Map(orderOf(found.reader).map(({ id, kind }) => [id, kind]));
    const fits = Object.entries(found.answers).every(([id, answer]) => kinds.has(id) && isAnswer(kinds.get(id), answer));
    return fits ? found : null;
  };

  const begin = (code, given) => {
    reader = code;
    items = orderOf(reader);
    const found = given ?? stored(code);
    answers = { ...(found?.answers ?? {}) };
    started = found?.started ?? now();
    const open = items.findIndex(({ id }) => !(id in answers));
    at = open < 0 ? items.length : open;
    store();
    ask();
  };

  // ---- One question.
  const choice = (name, value, words, key) => make("label", {},
    make("input", { type: "radio", name, value, required: true, "aria-keyshortcuts": key }), words, make("kbd", {}, key));
  const question = (name, words, choices) => make("fieldset", { className: "question" },
    make("legend", {}, words), make("div", { className: "choices" }, ...choices.map((each) => choice(name, ...each))));
  const picture = (name, role, words) => {
    const image = make("img", { src: `${study.images}${name}.png`, alt: words, draggable: false });
    const zoom = make("button", { type: "button", className: "zoom", "aria-label": `${words}: larger or smaller` }, image);
    const figure = make("figure", { className: role }, zoom);
    if (role !== "single") figure.append(make("figcaption", {}, words));
    zoom.addEventListener("click", (event) => {
      if (event.detail) zoom.blur(); // after a click, Enter is again for the next question
      const large = byId("pictures").classList.toggle("large");
      figure.classList.toggle("shown", large);
    });
    return figure;
  };
  const names = ({ id, kind }) => (kind === "rating" ? [id] : [`${id}-source`, `${id}-left`, `${id}-right`]);

  const NONE = "none";
  // A level's own first character is its key ("2" of "2+"), where these differ; else its place.
  const firsts = study.levels.map((level) => level[0].toLowerCase());
  const natural = new Set(firsts).size === firsts.length && firsts.every((each) => /[0-9a-z]/.test(each) && !"rgx".includes(each));
  const levelKeys = study.levels.map((_, place) => (natural ? firsts[place] : String(place + 1)));
  const ask = () => {
    byId("who").textContent = `${reader}: ${Object.keys(answers).length} of ${items.length} answered`
      + (storeFailed ? ". This browser keeps nothing: save a part before you close the page." : "");
    if (at >= items.length) {
      show("end");
      byId("end-title").focus();
      return;
    }
    show("task");
    const item = items[at];
    const given = answers[item.id];
    byId("task-title").textContent = `${at + 1} of ${items.length}`;
    byId("progress").max = items.length;
    byId("progress").value = Object.keys(answers).length;
    byId("back").disabled = at === 0;
    const pictures = byId("pictures");
    pictures.className = `pictures ${item.kind === "rating" ? "one" : "three"}`;
    const form = byId("form");
    form.reset();
    if (item.kind === "rating") {
      pictures.replaceChildren(picture(item.id, "single", "Image to be judged"));
      const levels = study.levels.map((level, place) => [level, level, levelKeys[place]]);
      const rows = levels.length
        ? [question("level", `Which ${study.level_name} level do you read?`, [...levels, [NONE, "Cannot be read", "x"]])] : [];
      form.replaceChildren(...rows, question("real", "Is it a real staining, or a generated one?", [["yes", "Real", "r"], ["no", "Generated", "g"]]));
      if (given) {
        if (levels.length) form.elements.level.value = given.level ?? NONE;
        form.elements.real.value = given.real ? "yes" : "no";
      }
    } else {
      pictures.replaceChildren(
        picture(`${item.id}-left`, "left", "Left"),
        picture(`${item.id}-source`, "source", "The tissue"),
        picture(`${item.id}-right`, "right", "Right"));
      form.replaceChildren(question("choice", "Which is the better staining of this tissue?",
        [["left", "Left", "l"], ["neither", "No difference", "n"], ["right", "Right", "r"]]));
      if (given) form.elements.choice.value = given.choice;
    }
    changed();
    byId("keys").textContent = "Keys: those beside the choices; Enter for the next.";
    byId("task-title").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    since = performance.now();
    if (items[at + 1]) names(items[at + 1]).forEach((name) => { new Image().src = `${study.images}${name}.png`; });
  };
  const changed = () => {
    const form = byId("form");
    byId("next").disabled = !form.checkValidity();
    const chosen = form.elements.choice?.value;
    byId("pictures").classList.toggle("chosen-left", chosen === "left");
    byId("pictures").classList.toggle("chosen-right", chosen === "right");
  };
  byId("form").addEventListener("change", changed);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = byId("form");
    const item = items[at];
    const before = answers[item.id]?.seconds ?? 0;
    const answer = { place: at, seconds: Math.round(10 * (before + (performance.now() - since) / 1000)) / 10 };
    if (item.kind === "rating") {
      if (study.levels.length) answer.level = form.elements.level.value === NONE ? null : form.elements.level.value;
      answer.real = form.elements.real.value === "yes";
    } else answer.choice = form.elements.choice.value;
    answers[item.id] = answer;
    store();
    at += 1;
    ask();
  });
  const back = () => { if (at > 0) { at -= 1; ask(); } };
  byId("back").addEventListener("click", back);
  byId("review").addEventListener("click", back);
  addEventListener("keydown", (event) => {
    if (byId("task").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const input = byId("form").querySelector(`[aria-keyshortcuts="${CSS.escape(event.key.toLowerCase())}"]`);
    if (input) {
      input.checked = true;
      changed();
      event.preventDefault();
    } else if (event.key === "Enter" && !event.target.closest("button, summary, a")) {
      if (!byId("next").disabled) byId("form").requestSubmit();
      event.preventDefault();
    }
  });

  // ---- Files.
  const save = () => {
    const made = content();
    const address = URL.createObjectURL(new Blob([`${JSON.stringify(made, null, 2)}\n`], { type: "application/json" }));
    const part = made.complete ? "" : "-part";
    const link = make("a", { href: address, download: `answers-${study.id.slice(0, 8)}-${reader}${part}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  };
  document.querySelectorAll(".save").forEach((button) => button.addEventListener("click", save));
  const tell = (words) => {
    byId("problem").textContent = words;
    byId("problem").hidden = !words;
  };
  byId("load").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    let found = null;
    try { found = JSON.parse(await file.text()); } catch { /* told below */ }
    if (found?.format === FORMAT && found.study !== study.id) return tell("These are answers of another study.");
    found = usable(found);
    if (!found || !byId("reader").pattern || !new RegExp(`^(?:${byId("reader").pattern})$`).test(found.reader)) return tell("This file holds no answers of this study.");
    const here = stored(found.reader);
    if (here && Object.keys(here.answers).length > Object.keys(found.answers).length) {
      return tell(`This browser holds more answers of ${found.reader} than the file; enter that code to go on with them.`);
    }
    tell("");
    begin(found.reader, found);
  });
  byId("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    tell("");
    begin(byId("reader").value);
  });
  const last = kept.get(PREFIX);
  if (last && stored(last)) {
    byId("reader").value = last;
    byId("go").textContent = "Go on";
  }
  byId("reader").addEventListener("input", () => {
    byId("go").textContent = stored(byId("reader").value) ? "Go on" : "Begin";
  });
  show("start");
});
