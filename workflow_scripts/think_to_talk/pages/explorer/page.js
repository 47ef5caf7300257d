// The page's state is what is chosen; everything shown follows from it and from the study's data.

const at = (id) => document.getElementById(id);
const parsed = (id) => JSON.parse(at(id).textContent);
const unique = (values) => [...new Set(values)];

const study = parsed("study");
const views = {};
// Choices are strings, as in the page's address. Those of selects have the select's name.
const state = {
  tau: String(study.threshold),
  ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))),
};
let cursor = null; // {layer, position}: indices of the value that the keyboard is at
let modelColours = []; // the palette that the chart of curves comes with
let tables = {}; // what can be downloaded: rows by the section's name

const chosen = () =>
  study.results.find(
    (r) => r.model === state.model && String(r.seed) === state.seed && r.task === state.task,
  );
const chosenVariable = () => chosen().variables.find((v) => v.name === state.variable);

// Either accuracy of a variable has the same keys. Some variables have no held-out one.
const ACCURACIES = { plain: "accuracy", heldout: "held-out accuracy" };
const accuracyOf = (variable, kind) => (kind === "heldout" ? variable.heldout : variable);
const kindsOf = (variable) => Object.keys(ACCURACIES).filter((kind) => accuracyOf(variable, kind));

// t* of any threshold: the first record of the best layer's accuracy above it.
function star(accuracy) {
  const record = accuracy?.records.find(([, , score]) => score > Number(state.tau));
  if (!record) return null;
  const [position, layer, score, t, equation] = record;
  return { position, layer, score, t, equation };
}

// The layer (its index) with the highest accuracy at a position, the lowest such; null without any.
function bestLayer(accuracy, position) {
  let best = null;
  accuracy.score.forEach((row, layer) => {
    if (row[position] !== null && (best === null || row[position] > accuracy.score[best][position]))
      best = layer;
  });
  return best;
}

const share = (accuracy, layer, position) =>
  Object.fromEntries(
    ["score", "ci_low", "ci_high"].map((key) => [key, accuracy ? accuracy[key][layer][position] : null]),
  );

// One value of the map, with all that is said of it.
function cell(result, variable, layer, position, accuracy = variable) {
  const { symbol, token, equation } = result.positions;
  return {
    layer: result.layers[layer],
    position,
    t: position - result.cot_start,
    equation: equation[position],
    symbol: symbol[position],
    token: token[position],
    ...share(accuracy, layer, position),
    chance: variable.chance,
  };
}

const shown = (token) => token.trim() || (token.includes("\n") ? "⏎" : "␣");
const percent = (value) => (value === null ? "–" : value.toFixed(3));
const withInterval = ({ score, ci_low, ci_high }) =>
  score === null ? "–" : `${percent(score)} (95 % interval ${percent(ci_low)} to ${percent(ci_high)})`;
const rowOf = (result, layer) => `layer ${result.layers[layer]}`;

// What the map shows of one probe: its row, and the accuracy that is chosen as `drawn`.
function mapCell(result, variable, layer, position) {
  const c = cell(result, variable, layer, position);
  const heldout = share(variable.heldout, layer, position);
  const drawn = state.accuracy === "heldout" ? heldout.score : c.score;
  return { row: `layer ${c.layer}`, ...c, drawn, heldout: withInterval(heldout) };
}

function drawMap() {
  const result = chosen();
  const variable = chosenVariable();
  const accuracy = accuracyOf(variable, state.accuracy);
  const name = state.accuracy === "heldout" ? "held-out probe" : "probe";
  const positions = result.positions.symbol.map((_, position) => position);
  const layers = result.layers.map((_, layer) => layer).reverse();
  const rows = layers.flatMap((layer) =>
    positions.map((position) => ({ kind: "cell", ...mapCell(result, variable, layer, position) })),
  );
  textsShown(result).forEach((text, position) =>
    rows.push({
      kind: "text", row: "problem", position, text,
      about: "text of the chosen test row: its problem and the model's chain of thought",
    }),
  );
  const value = goldValue(variable);
  for (const position of positions) {
    const layer = cursor ? cursor.layer : bestLayer(accuracy, position);
    const says = layer === null ? "" : reading(accuracy, layer, position);
    rows.push({
      kind: "text", row: `${name}: ${variable.name}`, position, text: says, right: says === value,
      about: `what the ${name} of layer ${result.layers[layer]} says; ${variable.name} is ${value}`,
    });
  }
  rows.push({ kind: "begin", position: result.cot_start });
  const first = star(accuracy);
  if (first) {
    const layer = result.layers.indexOf(first.layer);
    rows.push({ kind: "star", ...mapCell(result, variable, layer, first.position), ...dates(variable) });
  }
  if (cursor)
    rows.push({ kind: "cursor", row: rowOf(result, cursor.layer), position: cursor.position });
  show("map", rows, result.positions.symbol, heightOf(rows.filter((r) => r.row)));
  tables.map = layers.flatMap((layer) =>
    positions.map((position) => {
      const heldout = Object.entries(share(variable.heldout, layer, position));
      return {
        model: result.model, seed: result.seed, task: result.task, variable: variable.name,
        ...cell(result, variable, layer, position),
        ...Object.fromEntries(heldout.map(([key, value]) => [`heldout_${key}`, value])),
      };
    }),
  );
  const heldout = variable.heldout ? ` Held-out accuracy: ${summary(variable.heldout, "heldout")}.` : "";
  at("map-summary").textContent =
    `${result.model}, seed ${result.seed}, ${result.task}, variable ${variable.label}: ` +
    `${summary(variable, "plain")}, at τ = ${Number(state.tau).toFixed(2)}.${heldout} ` +
    `${result.n_test} test problems, of whose chains ${percent(result.cot_accuracy)} are right.`;
  at("reading").textContent = cursor ? spoken(result, variable) : "";
}

// The dates of both accuracies of a variable, and the best accuracies before the chain.
function dates(variable) {
  return {
    t_star: star(variable)?.t ?? "never",
    t_star_heldout: variable.heldout ? (star(variable.heldout)?.t ?? "never") : "–",
    before: percent(variable.acc_before),
    heldout_before: percent(variable.heldout ? variable.heldout.acc_before : null),
  };
}

// An accuracy in words; the star in the map is of the one that is chosen.
function summary(accuracy, kind) {
  const first = star(accuracy);
  const mark = kind === state.accuracy ? "★ " : "";
  const when = first
    ? `readable from t* = ${first.t} (${mark}layer ${first.layer}, equation ${first.equation}, ` +
      `accuracy ${percent(first.score)})`
    : "never readable";
  return (
    `${when}, best before the chain of thought ${percent(accuracy.acc_before)}, from there on ` +
    percent(accuracy.acc_after)
  );
}

// The value under the cursor in words.
function spoken(result, variable) {
  const accuracy = accuracyOf(variable, state.accuracy);
  const c = cell(result, variable, cursor.layer, cursor.position);
  const says = reading(accuracy, cursor.layer, cursor.position);
  const heldout = variable.heldout
    ? `, held-out accuracy ${withInterval(share(variable.heldout, cursor.layer, cursor.position))}`
    : "";
  return (
    `Layer ${c.layer}, symbol ${c.symbol} (token ${shown(c.token)}), t = ${c.t}, equation ` +
    `${c.equation}: accuracy ${withInterval(c)}${heldout}, chance ${percent(c.chance)}` +
    (says === "" ? "." : `; in the problem shown, it says ${says} where ${goldValue(variable)} is right.`)
  );
}

function moveCursor(event) {
  const { layers, positions } = chosen();
  const steps = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0],
    Home: [0, -Infinity], End: [0, Infinity],
  };
  if (event.key === "Escape") cursor = null;
  else if (event.key in steps) {
    const [up, right] = steps[event.key];
    const within = (value, n) => Math.max(0, Math.min(n - 1, value));
    const start = star(accuracyOf(chosenVariable(), state.accuracy));
    cursor = cursor
      ? {
          layer: within(cursor.layer + up, layers.length),
          position: within(cursor.position + right, positions.symbol.length),
        }
      : { layer: start ? layers.indexOf(start.layer) : 0, position: start ? start.position : 0 };
  } else return;
  event.preventDefault();
  drawMap();
}

// What the curves are of: {result, variable, line, colour}. Lines are the variables of the chosen
// model in the colours of their roles, or all checked models' and seeds' probes of one variable.
function curvesShown() {
  if (state.lines === "variables")
    return chosen().variables.map((variable) => ({
      result: chosen(), variable, line: variable.label, colour: variable.colour, ceiling: variable.colour,
    }));
  const models = checked("models");
  const seeds = checked("seeds");
  return study.results
    .filter(
      (r) => r.task === state.task && models.includes(r.model) && seeds.includes(String(r.seed)),
    )
    .map((result) => ({
      result, variable: result.variables.find((v) => v.name === state.variable),
      line: result.model, colour: null, ceiling: "#555",
    }))
    .filter(({ variable }) => variable);
}

function drawCurves() {
  const curves = curvesShown();
  const points = [];
  const names = {};
  const begins = [];
  const ceilings = new Map(); // what the text says: the same for all models
  for (const { result, variable, line, ceiling } of curves) {
    const places = result.positions.symbol_index;
    begins.push(places.find((place, p) => p >= result.cot_start && place !== null));
    for (const kind of kindsOf(variable)) {
      const accuracy = accuracyOf(variable, kind);
      places.forEach((place, position) => {
        const best = place === null ? null : bestLayer(accuracy, position);
        if (best === null) return;
        names[place] = result.positions.symbol[position];
        if (variable.ceiling)
          ceilings.set(`${ceiling} ${place}`, { colour: ceiling, place, score: variable.ceiling[position] });
        points.push({
          line, label: variable.label, model: result.model, seed: String(result.seed), task: result.task,
          variable: variable.name, accuracy: ACCURACIES[kind], place,
          ...cell(result, variable, best, position, accuracy),
        });
      });
    }
  }
  const series = (p) => [p.model, p.seed, p.variable, p.accuracy].join(" ");
  const rows = points.map((p) => ({ kind: "point", series: series(p), ...p }));
  rows.push(...[...ceilings.values()].map((c) => ({ kind: "ceiling", ...c })));
  rows.push({ kind: "tau", score: Number(state.tau) });
  if (begins.length) rows.push({ kind: "begin", place: Math.min(...begins) });
  // The chart colours lines in the order in which they come; one without points does not come.
  const colours = unique(points.map((p) => p.line)).map((l) => curves.find((c) => c.line === l).colour);
  views.curves.signal("palette", colours[0] ? colours : modelColours);
  show("curves", rows, names);
  tables.curves = points.map(({ line, label, ...point }) => point);
  at("compared").hidden = state.lines === "variables";
}

function drawTiming() {
  const current = chosen();
  const rows = [];
  for (const result of study.results.filter((r) => r.task === state.task))
    for (const variable of result.variables) {
      const first = star(variable);
      const heldout = star(variable.heldout);
      const lag = (date) => (date && variable.t_text !== null ? date.t - variable.t_text : null);
      rows.push({
        model: result.model, seed: result.seed, task: result.task, variable: variable.name,
        tau: Number(state.tau), t_star: first && first.t, t_star_equation: first && first.equation,
        t_star_heldout: heldout && heldout.t, t_text: variable.t_text, lag: lag(first),
        lag_heldout: lag(heldout), layer: first && first.layer, score: first && first.score,
        acc_before: variable.acc_before, heldout_before: variable.heldout?.acc_before ?? null,
        acc_after: variable.acc_after, heldout_after: variable.heldout?.acc_after ?? null,
        cot_accuracy: result.cot_accuracy, n_test: result.n_test,
        current: result === current && variable.name === state.variable, of: variable,
      });
    }
  const columns = {
    model: "model", seed: "seed", variable: "variable", t_star: "t*", t_star_equation: "t*eq",
    t_star_heldout: "held-out t*", t_text: "t_text", lag: "lag", layer: "layer", score: "score",
    acc_before: "before CoT", heldout_before: "held-out before", acc_after: "in CoT",
    cot_accuracy: "CoT accuracy", n_test: "test rows",
  };
  const shares = ["score", "acc_before", "heldout_before", "acc_after", "cot_accuracy"];
  const heading = document.createElement("tr");
  for (const name of Object.values(columns)) {
    const th = document.createElement("th");
    th.scope = "col";
    th.textContent = name;
    heading.append(th);
  }
  at("timing").tHead.replaceChildren(heading);
  at("timing").tBodies[0].replaceChildren(
    ...rows.map((row) => {
      const tr = document.createElement("tr");
      if (row.current) tr.setAttribute("aria-current", "true");
      for (const key of Object.keys(columns)) {
        const td = tr.insertCell();
        if (key === "variable") td.append(swatch(row.of), row.of.label);
        else
          td.textContent =
            row[key] === null ? "–" : shares.includes(key) ? percent(row[key]) : row[key];
      }
      return tr;
    }),
  );
  tables.timing = rows.map(({ current, of, ...row }) => row);
}

// A patch in the colour of a variable's role.
function swatch(variable) {
  const patch = document.createElement("span");
  patch.className = "swatch";
  patch.style.background = variable.colour;
  return patch;
}

const windowName = (first, last) => (first === last ? `${first}` : `${first}–${last}`);

function drawPatching() {
  const result = chosen();
  at("patching").hidden = !result.patching;
  at("no-patching").hidden = Boolean(result.patching);
  tables.patching = [];
  if (!result.patching) return;
  const { edits, sliding, whole } = result.patching;
  choose("edit", edits);
  // A number that is the same in both problems cannot become the other's.
  const grids = sliding.filter((g) => g.edit === state.edit && g.n > 0);
  choose(
    "answer",
    grids.map((g) => g.answer).sort((a, b) => b - a),
    (number) => `${result.equations[number]} (equation ${number})`,
  );
  const grid = grids.find((g) => String(g.answer) === state.answer);
  const place = { begin: { kind: "begin", equation: 0 }, asked: Number(state.answer) };
  const used = grid ? grid.cells.map(([first, last, equation, score, ci_low, ci_high]) => ({
    first, last, equation, score, ci_low, ci_high,
  })) : [];
  drawUsed(result, grid, used, place);
  drawReadable(result, grid, used, place);
  const parts = [...whole, ...wrongResults(result)].map((part) => ({ kind: "part", ...part }));
  show("whole", parts, {}, heightOf(parts, "spec", 20 + 12 * edits.length));
  tables.patching = used.map((row) => ({
    model: result.model, seed: result.seed, task: result.task, edit: state.edit,
    asked_equation: state.answer, variable: grid.variable, n: grid.n, ...row,
  }));
}

// The rows of a map over equations: its cells, where the chain begins, and the asked equation.
function equationRows(result, cells, place) {
  const named = cells.map((c) => ({ kind: "cell", name: result.equations[c.equation], ...c }));
  return [...named, place.begin, { kind: "asked", equation: place.asked }];
}

function drawUsed(result, grid, used, place) {
  const n = grid ? grid.n : 0;
  const cells = used
    .map((c) => ({ row: windowName(c.first, c.last), n, ...c }))
    .sort((a, b) => b.first - a.first || a.equation - b.equation);
  show("used", equationRows(result, cells, place), result.equations, heightOf(cells));
  at("used-title").textContent = grid
    ? `Used: success rate of patching, ${n} pairs`
    : "Used: no pair is solved in both runs";
}

function drawReadable(result, grid, used, place) {
  const variable = result.variables.find((v) => grid && v.name === grid.variable);
  const equations = Object.keys(result.equations).map(Number).sort((a, b) => a - b);
  // The layers that are patched one by one are shown on both sides.
  const patched = used.filter((c) => c.first === c.last).map((c) => c.first);
  const layers = unique([...result.layers, ...patched]).sort((a, b) => b - a);
  const cells = layers.flatMap((layer) =>
    equations.map((equation) => {
      const index = result.layers.indexOf(layer);
      const inside = result.positions.equation
        .map((e, position) => (e === equation ? position : -1))
        .filter((p) => p >= 0 && variable && index >= 0 && variable.score[index][p] !== null);
      const score = (p) => variable.score[index][p];
      const best = inside.reduce((b, p) => (b === null || score(p) > score(b) ? p : b), null);
      const found = best === null ? { score: null } : cell(result, variable, index, best);
      return { ...found, row: String(layer), equation, n: result.n_test };
    }),
  );
  show("readable", equationRows(result, cells, place), result.equations, heightOf(cells));
  at("readable-title").textContent = variable
    ? `Readable: best probe accuracy for ${variable.name} within the equation`
    : "Readable: the asked number is no variable's value";
}

// Feed a chart; its height is given, or follows from how many places it has along y.
function show(name, rows, names, along = null) {
  const view = views[name].signal("names", names).data("rows", rows);
  if (along !== null) view.height(along);
  view.resize().runAsync();
}

// Height of a map with these rows: so many pixels each.
const heightOf = (cells, field = "row", each = 24) =>
  Math.max(1, unique(cells.map((c) => c[field])).length) * each;

// Offer values in a select, keeping the choice where it is still one of them.
function choose(name, values, label = String) {
  const select = at(name);
  select.replaceChildren(...values.map((value) => new Option(label(value), value)));
  if (values.map(String).includes(state[name])) select.value = state[name];
  state[name] = select.value;
}

// Whether the results are all of one model and seed.
const one = (results) => unique(results.map((r) => `${r.model} ${r.seed}`)).length === 1;

function offerChoices() {
  const results = study.results;
  choose("model", unique(results.map((r) => r.model)));
  const own = results.filter((r) => r.model === state.model);
  choose("seed", unique(own.map((r) => r.seed)));
  const ofSeed = own.filter((r) => String(r.seed) === state.seed);
  choose("task", ofSeed.map((r) => r.task));
  const variables = chosen().variables;
  choose("variable", variables.map((v) => v.name), (name) => variables.find((v) => v.name === name).label);
  at("variable-colour").style.background = chosenVariable().colour;
  choose("accuracy", kindsOf(chosenVariable()), (kind) => ACCURACIES[kind]);
  at("no-heldout").hidden = chosenVariable().heldout !== null;
  offerExamples();
  // The first is the default: with one model and seed there is nothing to compare.
  const lines = { variables: "variables of this model", models: "models and seeds, this variable" };
  const kinds = Object.keys(lines);
  choose("lines", one(results) ? kinds : kinds.reverse(), (kind) => lines[kind]);
  at("tau").value = state.tau;
  at("tau-value").textContent = Number(state.tau).toFixed(2);
}

function checkboxes(name, values) {
  for (const value of values) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value });
    box.checked = true;
    const label = document.createElement("label");
    label.append(box, ` ${value}`);
    at(name).append(label);
  }
  at(name).hidden = values.length < 2;
  at(name).addEventListener("change", drawCurves);
}

const checked = (name) =>
  [...at(name).querySelectorAll("input:checked")].map((box) => box.value);

function draw() {
  offerChoices();
  drawMap();
  drawExample();
  drawCurves();
  drawClocks();
  drawTiming();
  drawPatching();
  drawTable();
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
}

function download(name) {
  const rows = tables[name];
  const columns = Object.keys(rows[0] ?? {});
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  const csv = lines.map((line) => `${line.map(field).join(",")}\n`).join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
  link.download = `${state.task}-${name}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function start() {
  const actions = { export: true, source: false, compiled: false, editor: false };
  for (const [name, spec] of Object.entries(parsed("charts"))) {
    const embedded = await vegaEmbed(`#${name}`, spec, { renderer: "svg", actions });
    views[name] = embedded.view;
  }
  modelColours = views.curves.signal("palette");
  checkboxes("models", unique(study.results.map((r) => r.model)));
  checkboxes("seeds", unique(study.results.map((r) => String(r.seed))));
  const choices = ["model", "seed", "task", "variable", "accuracy", "example", "lines", "edit", "answer", "table"];
  for (const name of [...choices, "tau"])
    at(name).addEventListener("input", () => {
      state[name] = at(name).value;
      if (name !== "tau") cursor = null;
      draw();
    });
  startExamples();
  startClocks();
  at("map").addEventListener("keydown", moveCursor);
  views.map.addEventListener("click", (_event, item) => {
    if (item?.datum?.kind !== "cell") return;
    cursor = { layer: chosen().layers.indexOf(item.datum.layer), position: item.datum.position };
    drawMap();
  });
  for (const button of document.querySelectorAll("[data-csv]"))
    button.addEventListener("click", () => download(button.dataset.csv));
  draw();
  // A chart that was hidden had no width.
  window.dispatchEvent(new Event("resize"));
  document.body.dataset.ready = "true";
}

start();
