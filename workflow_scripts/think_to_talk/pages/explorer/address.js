// What is chosen. All of it is in the page's address, which can be kept as a bookmark.

// Choices of selects, by the select's name, in the order in which they depend on each other.
const CHOICES = [
  "model", "seed", "task", "variable", "accuracy", "example", "lines", "edit", "answer", "table",
];
// What is compared in the chart of curves: models and seeds, by the name of their check boxes.
const COMPARED = ["models", "seeds"];

// {name of a choice: string; tau: number; models, seeds: strings, or null for all;
// cursor: {chart, column, row}, the place of a chart that the keyboard is at, or null}
let state = {};

const offered = {
  models: unique(study.results.map((r) => r.model)),
  seeds: unique(study.results.map((r) => String(r.seed))),
};

const chosen = () =>
  study.results.find(
    (r) => r.model === state.model && String(r.seed) === state.seed && r.task === state.task,
  );
const chosenVariable = () => chosen().variables.find((v) => v.name === state.variable);
const star = (accuracy) => starAt(accuracy, state.tau);
const isCompared = (name, value) => !state[name] || state[name].includes(String(value));

// A number within [0, 1], else the study's threshold.
function threshold(text) {
  const tau = Number(text);
  return text?.trim() && tau >= 0 && tau <= 1 ? tau : study.threshold;
}

function cursorOf(text) {
  const found = /^([a-z]+),(\d+),(\d+)$/.exec(text ?? "");
  return found && { chart: found[1], column: Number(found[2]), row: Number(found[3]) };
}

// What the address does not say, or says wrongly, is left to the defaults.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  state = { tau: threshold(given.get("tau")), cursor: cursorOf(given.get("cursor")) };
  for (const name of CHOICES) if (given.has(name)) state[name] = given.get(name);
  for (const name of COMPARED) {
    const values = given.getAll(name).filter((value) => offered[name].includes(value));
    state[name] = given.has(name) && (values.length || given.get(name) === "") ? values : null;
  }
}

function writeAddress() {
  const kept = CHOICES.filter((name) => state[name]).map((name) => [name, state[name]]);
  kept.push(["tau", state.tau]);
  for (const name of COMPARED)
    if (state[name]) kept.push(...(state[name].length ? state[name] : [""]).map((value) => [name, value]));
  if (state.cursor) kept.push(["cursor", [state.cursor.chart, state.cursor.column, state.cursor.row]]);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

// Offer values in a select, keeping the choice where it is one of them. Else it is the preferred
// one, or the first.
function choose(name, values, label = String, preferred = null) {
  const select = at(name);
  const texts = values.map(String);
  select.replaceChildren(...values.map((value) => new Option(label(value), value)));
  const choice = [state[name], String(preferred)].find((value) => texts.includes(value));
  if (choice !== undefined) select.value = choice;
  state[name] = select.value;
}

function offerChoices() {
  const { opening, results } = study;
  choose("model", offered.models, String, opening.model);
  const own = results.filter((r) => r.model === state.model);
  choose("seed", unique(own.map((r) => r.seed)), String, opening.seed);
  const ofSeed = own.filter((r) => String(r.seed) === state.seed);
  choose("task", ofSeed.map((r) => r.task), String, opening.task);
  const { variables } = chosen();
  const label = (name) => variables.find((v) => v.name === name).label;
  const preferred = state.task === opening.task ? opening.variable : null;
  choose("variable", variables.map((v) => v.name), label, preferred);
  at("variable-colour").style.background = chosenVariable().colour;
  choose("accuracy", kindsOf(chosenVariable()), (kind) => ACCURACIES[kind]);
  at("no-heldout").hidden = chosenVariable().heldout !== null;
  // The first is the default: with one model and seed there is nothing to compare.
  const lines = { variables: "variables of this model", models: "models and seeds, this variable" };
  const kinds = Object.keys(lines);
  const one = offered.models.length * offered.seeds.length === 1;
  choose("lines", one ? kinds : kinds.reverse(), (kind) => lines[kind]);
  at("tau").value = state.tau;
  at("tau-value").textContent = state.tau.toFixed(2);
  for (const name of COMPARED)
    for (const box of at(name).querySelectorAll("input")) box.checked = isCompared(name, box.value);
}

// A check box per value, if there are several.
function offerCompared(name) {
  for (const value of offered[name]) {
    const label = document.createElement("label");
    label.append(Object.assign(document.createElement("input"), { type: "checkbox", value }), ` ${value}`);
    at(name).append(label);
  }
  at(name).hidden = offered[name].length < 2;
  at(name).addEventListener("change", () => {
    const boxes = [...at(name).querySelectorAll("input")];
    const checked = boxes.filter((box) => box.checked).map((box) => box.value);
    state[name] = checked.length === boxes.length ? null : checked;
    draw();
  });
}

function startChoices() {
  for (const name of COMPARED) offerCompared(name);
  for (const name of CHOICES)
    at(name).addEventListener("input", () => {
      state[name] = at(name).value;
      draw();
    });
  at("tau").addEventListener("input", () => {
    state.tau = Number(at("tau").value);
    draw();
  });
  window.addEventListener("hashchange", () => {
    readAddress();
    draw();
  });
}
