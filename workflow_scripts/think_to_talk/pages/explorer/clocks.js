// The clocks of the chosen model, seed and level: a lane per clock, in it a row per variable.

const timedVariables = () => chosen().variables.filter((variable) => variable.clocks);

// A date in words. One that never comes is null, one that was not measured is left out.
function dateWords(variable, lane) {
  const t = variable.clocks[lane];
  if (t === undefined) return "not measured";
  return t === null ? "never" : `t = ${t}`;
}

// A label on lines of few letters.
function wrapped(text, letters = 14) {
  const lines = [""];
  for (const word of text.split(" "))
    if (lines.at(-1) && lines.at(-1).length + word.length >= letters) lines.push(word);
    else lines.push(`${lines.pop()} ${word}`.trim());
  return lines;
}

function drawClocks() {
  const result = chosen();
  const variables = timedVariables();
  const n = variables.length;
  at("clocks-shown").hidden = !n;
  at("no-clocks").hidden = n > 0;
  if (!n) return;
  const lanes = Object.entries(study.lanes);
  const { symbol } = result.positions;
  show("clocks", {
    data: {
      lanes: lanes.map((_, lane) => ({ row: lane * n, size: n })),
      dates: lanes.flatMap(([key], lane) => laneDates(result, variables, key, lane * n)),
      notes: lanes.flatMap(([key], lane) => laneNotes(variables, key, lane * n)),
    },
    signals: {
      names: symbol, start: result.cot_start,
      lane_names: Object.fromEntries(lanes.map(([, { label }], lane) => [lane * n + (n - 1) / 2, wrapped(label)])),
      lane_middles: lanes.map((_, lane) => lane * n + (n - 1) / 2),
    },
    columns: symbol.length, rows: lanes.length * n, each: Math.max(18, 32 / n),
  });
  at("clocks-finding").textContent = clocksFinding(chosenVariable());
  at("clock-sentences").replaceChildren(
    ...variables.map(({ sentence }) => Object.assign(document.createElement("li"), { textContent: sentence })),
  );
}

// The dates of a lane that come, from the row on with which it begins.
function laneDates(result, variables, key, start) {
  return variables.flatMap((variable, index) => {
    const t = variable.clocks[key];
    const date = { row: start + index, column: result.cot_start + t, variable: variable.name, colour: variable.colour };
    return Number.isInteger(t) ? [date] : [];
  });
}

// What is said of the others: once if none of the lane was measured.
function laneNotes(variables, key, start) {
  if (variables.every((variable) => variable.clocks[key] === undefined))
    return [{ row: start + (variables.length - 1) / 2, text: "not measured" }];
  return variables.flatMap((variable, index) =>
    Number.isInteger(variable.clocks[key])
      ? []
      : [{ row: start + index, text: `${variable.name}: ${dateWords(variable, key)}` }],
  );
}

// The dates of a variable in their order.
function clocksFinding(variable) {
  if (!variable.clocks) return "";
  const dates = Object.entries(variable.clocks).map(([key, t]) => ({ label: study.lanes[key].label, t }));
  const found = dates.filter(({ t }) => t !== null).sort((a, b) => a.t - b.t);
  const never = dates.filter(({ t }) => t === null).map(({ label }) => label);
  const order = found.map(({ label, t }) => `${label} (t = ${t})`).join("; ");
  const between = found.length > 1 ? ` ${count(found.at(-1).t - found[0].t, "token")} from first to last.` : "";
  return (
    `${whose(chosen())}, ${variable.label}, in order: ${order || "no date comes"}.${between}` +
    (never.length ? ` Never: ${listed(never)}.` : "")
  );
}

// The lane and variable of a row.
function tellClock(column, row) {
  const variables = timedVariables();
  const [key, { label, definition }] = Object.entries(study.lanes)[Math.floor(row / variables.length)];
  const variable = variables[row % variables.length];
  return [
    ["clock", label],
    ["variable", variable.label],
    ["date", dateWords(variable, key)],
    ["definition", definition],
  ];
}

// A row per variable, a column per lane.
function clockTable() {
  const result = chosen();
  return timedVariables().map((variable) => ({
    model: result.model, seed: result.seed, task: result.task, variable: variable.name,
    ...Object.fromEntries(
      Object.keys(study.lanes).map((key) => [key, variable.clocks[key] ?? dateWords(variable, key)]),
    ),
    sentence: variable.sentence,
  }));
}

readers.clocks = {
  ...byPosition,
  tell: tellClock,
  start: () => ({ column: chosen().cot_start, row: 0 }),
};
