// t* of all models, seeds and variables of the chosen level, at the chosen threshold.

const TIMING_COLUMNS = {
  model: "model", seed: "seed", variable: "variable", t_star: "t*", t_star_equation: "t*eq",
  t_star_heldout: "held-out t*", t_text: "t_text", lag: "lag", layer: "layer", score: "score",
  acc_before: "before CoT", heldout_before: "held-out before", acc_after: "in CoT",
  cot_accuracy: "CoT accuracy", n_test: "test rows",
};
const TIMING_SHARES = ["score", "acc_before", "heldout_before", "acc_after", "cot_accuracy"];

const timedResults = () => study.results.filter((r) => r.task === state.task);

// The row of a variable.
function timingRow(result, variable) {
  const first = star(variable);
  const heldout = star(variable.heldout);
  const lag = (date) => (date && variable.t_text !== null ? date.t - variable.t_text : null);
  return {
    model: result.model, seed: result.seed, task: result.task, variable: variable.name, tau: state.tau,
    t_star: first && first.t, t_star_equation: first && first.equation,
    t_star_heldout: heldout && heldout.t, t_text: variable.t_text, lag: lag(first),
    lag_heldout: lag(heldout), layer: first && first.layer, score: first && first.score,
    acc_before: variable.acc_before, heldout_before: variable.heldout?.acc_before ?? null,
    acc_after: variable.acc_after, heldout_after: variable.heldout?.acc_after ?? null,
    cot_accuracy: result.cot_accuracy, n_test: result.n_test,
  };
}

const timingTable = () =>
  timedResults().flatMap((result) => result.variables.map((variable) => timingRow(result, variable)));

function drawTiming() {
  at("timing").tHead.replaceChildren(headingRow(Object.values(TIMING_COLUMNS)));
  at("timing").tBodies[0].replaceChildren(
    ...timedResults().flatMap((result) => result.variables.map((variable) => timingLine(result, variable))),
  );
  at("timing-finding").textContent = timingFinding();
}

// A line of the table. A click anywhere in it, or its button, chooses its variable.
function timingLine(result, variable) {
  const row = timingRow(result, variable);
  const tr = document.createElement("tr");
  const isChosen = result === chosen() && variable === chosenVariable();
  if (isChosen) tr.setAttribute("aria-current", "true");
  for (const key of Object.keys(TIMING_COLUMNS)) {
    const td = tr.insertCell();
    if (key === "variable") td.append(swatch(variable), chooser(variable, isChosen));
    else if (row[key] === null) td.textContent = "–";
    // That of a chat template, which is between two.
    else if (key === "t_star_equation" && !Number.isInteger(row[key])) td.textContent = result.equations[row[key]];
    else td.textContent = TIMING_SHARES.includes(key) ? percent(row[key]) : row[key];
  }
  tr.addEventListener("click", () => {
    Object.assign(state, { model: result.model, seed: String(result.seed), variable: variable.name });
    draw();
    at("timing").querySelector("[aria-current] button").focus();
  });
  return tr;
}

function chooser(variable, isChosen) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "link" });
  button.textContent = variable.label;
  button.setAttribute("aria-pressed", isChosen);
  return button;
}

// Where the variables of the level are decoded, and in how many models and seeds.
function timingFinding() {
  const results = timedResults();
  const labels = unique(results.flatMap((r) => r.variables.map((v) => v.label)));
  const clauses = labels.map((label) => {
    const own = results.flatMap((r) => r.variables.filter((v) => v.label === label));
    const places = own.map((variable) => part(star(variable)));
    const words = unique(places).map((place) => `${place} in ${places.filter((p) => p === place).length} of ${own.length}`);
    return `${label}, ${listed(words)}`;
  });
  return `At ${tau()}, over ${count(results.length, "model and seed", "models and seeds")}, probes first decode ${clauses.join("; ")}.`;
}
