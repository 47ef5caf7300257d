// The clocks of the chosen model, seed and level: a lane per date, in it a line per variable.

// What the keyboard is at: {lane, variable}, indices; the variable is -1 for a lane as a whole.
let clockCursor = null;

const timedVariables = () => chosen().variables.filter((variable) => variable.clocks);

// A date in words. One that never comes is null, one that was not measured is left out.
function dateWords(variable, lane) {
  const t = variable.clocks[lane];
  if (t === undefined) return "not measured";
  return t === null ? "never" : `t = ${t}`;
}

// The symbol that is complete at a date, or that is completed next.
function placeOf(result, t) {
  const places = result.positions.symbol_index;
  const later = places.slice(t + result.cot_start).find((place) => place !== null);
  return later ?? Math.max(...places);
}

// How far below the middle of its lane a variable's line is, in lanes.
const clockOffset = (index, n) => 0.86 * ((index + 0.5) / n - 0.5);

function drawClocks() {
  const result = chosen();
  const variables = timedVariables();
  at("clocks-shown").hidden = !variables.length;
  at("no-clocks").hidden = variables.length > 0;
  tables.clocks = clockTable(result, variables);
  if (!variables.length) return;
  const lanes = Object.entries(study.lanes);
  const rows = lanes.flatMap(([key, { label, definition }], height) =>
    laneRows(result, variables, key, height).map((row) => ({ lane: label, definition, ...row })),
  );
  rows.push({ kind: "begin", place: chainPlace(result) });
  if (clockCursor) rows.push({ kind: "chosen", ...chosenBand(variables.length) });
  const { symbol, symbol_index } = result.positions;
  const names = Object.fromEntries(symbol.map((name, position) => [symbol_index[position], name]));
  show("clocks", rows, names, lanes.length * Math.max(30, 18 * variables.length));
  at("clock-reading").textContent = clockCursor ? spokenClock(variables) : "";
  at("clock-sentences").replaceChildren(
    ...variables.map(({ sentence }) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }),
  );
}

// The first symbol of the chain of thought.
const chainPlace = (result) => placeOf(result, 0);

// The rows of one lane: its places, its name, and the date of each variable as a line or in words.
function laneRows(result, variables, key, height) {
  const places = result.positions.symbol_index.filter((place) => place !== null);
  const end = Math.max(...places);
  const rows = places.map((place) => ({
    kind: "lane", place, top: height - 0.5, bottom: height + 0.5, in_chain: place >= chainPlace(result),
  }));
  rows.push({ kind: "label", height });
  if (variables.every((variable) => variable.clocks[key] === undefined)) {
    const label = variables.map(({ name }) => name).join(", ");
    return [...rows, { kind: "note", height, text: "not measured", label, date: "not measured" }];
  }
  variables.forEach((variable, index) => {
    const { name, label, colour } = variable;
    const row = {
      height: height + clockOffset(index, variables.length),
      variable: name, label, colour, date: dateWords(variable, key),
    };
    const t = variable.clocks[key];
    if (t === null || t === undefined) rows.push({ kind: "note", text: `${name}: ${row.date}`, ...row });
    else rows.push({ kind: "date", place: placeOf(result, t), end, ...row });
  });
  return rows;
}

// The part of a lane that the keyboard is at.
function chosenBand(n) {
  const { lane, variable } = clockCursor;
  if (variable < 0) return { top: lane - 0.5, bottom: lane + 0.5 };
  const middle = lane + clockOffset(variable, n);
  return { top: middle - 0.43 / n, bottom: middle + 0.43 / n };
}

function spokenClock(variables) {
  const [key, { label, definition }] = Object.entries(study.lanes)[clockCursor.lane];
  const told = clockCursor.variable < 0 ? variables : [variables[clockCursor.variable]];
  const dates = told.map((variable) => `${variable.label}: ${dateWords(variable, key)}`);
  return `${label}: ${definition}. ${dates.join("; ")}.`;
}

function moveClockCursor(event) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  if (event.key === "Escape") clockCursor = null;
  else if (event.key in steps) {
    const [down, right] = steps[event.key];
    const { lane, variable } = clockCursor ?? { lane: 0, variable: -1 };
    clockCursor = {
      lane: Math.max(0, Math.min(Object.keys(study.lanes).length - 1, lane + down)),
      variable: Math.max(-1, Math.min(timedVariables().length - 1, variable + right)),
    };
  } else return;
  event.preventDefault();
  drawClocks();
}

// A row per variable, a column per lane.
function clockTable(result, variables) {
  return variables.map((variable) => ({
    model: result.model, seed: result.seed, task: result.task, variable: variable.name,
    ...Object.fromEntries(
      Object.keys(study.lanes).map((key) => [key, variable.clocks[key] ?? dateWords(variable, key)]),
    ),
    sentence: variable.sentence,
  }));
}

function startClocks() {
  at("clocks").addEventListener("keydown", moveClockCursor);
  at("clocks").addEventListener("focus", () => {
    clockCursor = { lane: 0, variable: -1 };
    drawClocks();
  });
  at("clocks").addEventListener("blur", () => {
    clockCursor = null;
    drawClocks();
  });
}
