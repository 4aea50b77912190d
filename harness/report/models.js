"use strict";
// The table of models: sorted and filtered here, its state in the address, a network drawn when its index is pressed.
const data = JSON.parse(document.getElementById("data").textContent);
const NUMBERS = new Set(data.rows.length ? data.columns.filter((_, i) => data.rows.some((row) => typeof row[i] === "number")) : []);
const [SPACE, DATASET, INDEX] = [0, 1, 2];
const ARCHITECTURE = data.columns.length - 1;
const form = document.getElementById("filters");
const START = { space: "", dataset: "", text: "", sort: data.columns[3], down: "1", model: "" };

function readState() {
  return { ...START, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
}

function writeState(change) {
  const state = { ...readState(), ...change };
  const kept = Object.entries(state).filter(([name, value]) => name in START && value !== START[name]);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
  show();
}

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  return fill(node, attributes, children);
}

function draw(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  return fill(node, attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function shownAs(value, column) {
  if (value === null) return "";
  if (typeof value !== "number") return value;
  return column === "index" ? String(value) : value.toFixed(column.startsWith("NLL") || column === "HCS" ? 4 : 2);
}

function keyOf(row) {
  return `${row[SPACE]}/${row[DATASET]}/${row[INDEX]}`;
}

function chosenRows(state) {
  const text = state.text.trim().toLowerCase();
  const column = Math.max(data.columns.indexOf(state.sort), 0);
  const sign = state.down === "1" ? -1 : 1;
  const places = data.rows.map((_, place) => place).filter((place) => {
    const row = data.rows[place];
    return (!state.space || row[SPACE] === state.space) && (!state.dataset || row[DATASET] === state.dataset) &&
      (!text || row[ARCHITECTURE].toLowerCase().includes(text) || String(row[INDEX]).includes(text));
  });
  return places.sort((first, second) => {
    const [a, b] = [data.rows[first][column], data.rows[second][column]];
    if (a === null || b === null) return (a === null) - (b === null) || first - second; // what is unknown comes last
    return (a < b ? -sign : a > b ? sign : 0) || first - second;
  });
}

function showHead(state) {
  const cells = data.columns.map((column) => {
    const button = make("button", { type: "button" }, column);
    button.addEventListener("click", () => {
      const down = readState().sort === column ? (readState().down === "1" ? "0" : "1") : NUMBERS.has(column) ? "1" : "0";
      writeState({ sort: column, down });
      document.querySelector(`#models th:nth-child(${data.columns.indexOf(column) + 1}) button`).focus();
    });
    const sorted = column === state.sort ? { "aria-sort": state.down === "1" ? "descending" : "ascending" } : {};
    return make("th", { scope: "col", ...(NUMBERS.has(column) ? {} : { class: "text" }), ...sorted }, button);
  });
  document.querySelector("#models thead tr").replaceChildren(...cells);
}

function showRows(state) {
  const places = chosenRows(state);
  const lines = places.map((place) => {
    const row = data.rows[place];
    const cells = data.columns.map((column, i) => {
      if (i !== INDEX) return make("td", NUMBERS.has(column) ? {} : { class: "text" }, shownAs(row[i], column));
      const button = make("button", { type: "button", "aria-label": `Show ${keyOf(row)}` }, String(row[INDEX]));
      button.addEventListener("click", () => {
        writeState({ model: keyOf(row) });
        document.querySelector("#model h2").focus();
      });
      return make("td", {}, button);
    });
    return make("tr", keyOf(row) === state.model ? { "aria-selected": "true" } : {}, ...cells);
  });
  document.querySelector("#models tbody").replaceChildren(...lines);
  document.getElementById("count").textContent = `${places.length} of ${data.rows.length} networks`;
}

function showFilters(state) {
  for (const [name, place] of [["space", SPACE], ["dataset", DATASET]]) {
    const values = [...new Set(data.rows.map((row) => row[place]))];
    form[name].replaceChildren(make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value)));
    form[name].value = state[name];
  }
  if (form.text.value !== state.text) form.text.value = state.text;
}

function showModel(state) {
  const section = document.getElementById("model");
  const place = data.rows.findIndex((row) => keyOf(row) === state.model);
  if (place < 0) return section.replaceChildren();
  const row = data.rows[place];
  const heading = make("h2", { tabindex: "-1" }, `${row[SPACE]} ${row[INDEX]} on ${row[DATASET]}`);
  const numbers = data.columns.slice(3, -1).map((column, i) => `${column} ${shownAs(row[i + 3], column)}`).join(", ");
  const pictures = make("div", { class: "pictures" }, row[SPACE] === "tss" ? cell(row[ARCHITECTURE]) : widths(row[ARCHITECTURE]));
  for (const [calibrator, name] of [["none", "before calibration"], ["temperature", "after temperature scaling"]]) {
    if (calibrator in data.diagrams[place]) pictures.append(reliability(data.diagrams[place][calibrator], name));
  }
  section.replaceChildren(heading, make("p", {}, numbers), make("p", {}, make("code", {}, row[ARCHITECTURE])), pictures);
}

function picture(caption, width, height, ...children) {
  const svg = draw("svg", { role: "img", "aria-label": caption, viewBox: `0 0 ${width} ${height}`, width, height }, ...children);
  return make("figure", {}, svg, make("figcaption", {}, caption));
}

// A cell as in NATS-Bench: |op~0|+|op~0|op~1|+|op~0|op~1|op~2|
function cell(architecture) {
  const at = [[30, 90], [120, 40], [210, 140], [300, 90]];
  const parts = [];
  const seen = new Set();
  architecture.split("+").forEach((node, target) => {
    for (const [, name, source] of node.matchAll(/([a-z0-9_]+)~(\d)/g)) {
      if (!(name in data.colours)) continue; // none
      seen.add(name);
      const [[x1, y1], [x2, y2]] = [at[Number(source)], at[target + 1]];
      const bend = Number(source) === 0 && target === 2 ? -150 : 0;
      const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2 + bend];
      const angle = Math.atan2(y2 - my, x2 - mx);
      const [ex, ey] = [x2 - 16 * Math.cos(angle), y2 - 16 * Math.sin(angle)];
      const head = [[0, 0], [-10, 4], [-10, -4]].map(([u, v]) =>
        `${ex + u * Math.cos(angle) - v * Math.sin(angle)},${ey + u * Math.sin(angle) + v * Math.cos(angle)}`);
      const colour = data.colours[name];
      parts.push(draw("path", { d: `M${x1},${y1} Q${mx},${my} ${ex},${ey}`, fill: "none", stroke: colour, "stroke-width": 3 }));
      parts.push(draw("polygon", { points: head.join(" "), fill: colour }));
    }
  });
  at.forEach(([x, y], i) => {
    parts.push(draw("circle", { cx: x, cy: y, r: 14, fill: "#fff", stroke: "#000" }));
    parts.push(draw("text", { x, y: y + 4, "text-anchor": "middle", "font-size": 12 }, ["in", "1", "2", "out"][i]));
  });
  [...seen].sort().forEach((name, i) => {
    parts.push(draw("rect", { x: 10 + 165 * (i % 2), y: 182 + 18 * Math.floor(i / 2), width: 12, height: 12, fill: data.colours[name] }));
    parts.push(draw("text", { x: 27 + 165 * (i % 2), y: 193 + 18 * Math.floor(i / 2), "font-size": 12 }, name));
  });
  return picture("The cell: four nodes, an arrow for each operation but none", 330, 220, ...parts);
}

function widths(architecture) {
  const parts = architecture.split(":").map(Number).flatMap((width, i) => [
    draw("rect", { x: 30 + 55 * i, y: 150 - 2 * width, width: 40, height: 2 * width, fill: "#0072b2" }),
    draw("text", { x: 50 + 55 * i, y: 168, "text-anchor": "middle", "font-size": 12 }, String(width)),
  ]);
  return picture("Channels of the five blocks", 330, 180, ...parts);
}

function reliability([counts, confidences, accuracies], name) {
  const [left, top, size] = [34, 8, 180];
  const x = (value) => left + size * value;
  const y = (value) => top + size * (1 - value);
  const parts = [draw("rect", { x: left, y: top, width: size, height: size, fill: "none", stroke: "#888" })];
  counts.forEach((count, i) => {
    if (!count || accuracies[i] === null) return;
    const bar = { x: x(i / counts.length) + 1, width: size / counts.length - 2, "fill-opacity": count < 10 ? 0.35 : 1 };
    parts.push(draw("rect", { ...bar, y: y(accuracies[i]), height: size * accuracies[i], fill: "#56b4e9" }));
    const [low, high] = [accuracies[i], confidences[i]].sort((a, b) => a - b);
    const gap = confidences[i] > accuracies[i] ? "#d55e00" : "#009e73";
    parts.push(draw("rect", { x: bar.x + 3, width: Math.max(bar.width - 6, 2), y: y(high), height: size * (high - low), fill: gap }));
  });
  parts.push(draw("path", { d: `M${x(0)},${y(0)} L${x(1)},${y(1)}`, stroke: "#000", "stroke-dasharray": "4 3" }));
  for (const tick of [0, 0.5, 1]) {
    parts.push(draw("text", { x: x(tick), y: y(0) + 16, "text-anchor": "middle", "font-size": 11 }, String(tick)));
    parts.push(draw("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end", "font-size": 11 }, String(tick)));
  }
  parts.push(draw("text", { x: x(0.5), y: y(0) + 32, "text-anchor": "middle", "font-size": 12 }, "confidence"));
  return picture(`Reliability ${name}: accuracy (blue), confidence above it (orange) or below (green)`, 230, 226, ...parts);
}

function show() {
  const state = readState();
  showFilters(state);
  showHead(state);
  showRows(state);
  showModel(state);
}

form.addEventListener("submit", (event) => event.preventDefault());
for (const name of ["space", "dataset", "text"]) form[name].addEventListener("input", () => writeState({ [name]: form[name].value }));
addEventListener("hashchange", show);
show();
