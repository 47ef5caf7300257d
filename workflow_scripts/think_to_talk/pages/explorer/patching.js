// Patching: what it changes at the equations, beside what probes decode there; and whole parts.

function drawPatching() {
  const result = chosen();
  at("patching").hidden = !result.patching;
  at("no-patching").hidden = Boolean(result.patching);
  if (!result.patching) return;
  const { edits, sliding } = result.patching;
  choose("edit", edits);
  // A number that is the same in both problems cannot become the other's.
  const grids = sliding.filter((g) => g.edit === state.edit && g.n > 0);
  const asked = grids.map((g) => g.answer).sort((a, b) => b - a);
  choose("answer", asked, (number) => `${result.equations[number]} (equation ${number})`);
  const grid = chosenGrid();
  drawPatched(result, grid);
  drawReadable(result, grid);
  drawWhole(result);
}

const chosenGrid = () =>
  chosen().patching.sliding.find(
    (g) => g.n > 0 && g.edit === state.edit && String(g.answer) === state.answer,
  );

const patchedCells = (grid) =>
  (grid?.cells ?? []).map(([first, last, equation, score, ci_low, ci_high]) => ({
    first, last, equation, score, ci_low, ci_high, name: windowName(first, last),
  }));

// A map of equations: cells are {name: of their row, order: of rows, equation, score, ...}.
function showEquations(name, result, cells, names) {
  const equations = equationsOf(result);
  const placed = cells
    .map((c) => ({ ...c, column: equations.indexOf(c.equation), row: names.indexOf(c.name), value: c.score }))
    .filter((c) => c.column >= 0);
  show(name, {
    data: { cells: placed },
    signals: {
      names: equations.map((number) => result.equations[number]), row_names: names,
      start: equations.indexOf(0), asked: equations.indexOf(Number(state.answer)),
    },
    columns: equations.length, rows: Math.max(1, names.length), each: Math.max(9, Math.min(24, MAP_HEIGHT / names.length)),
  });
}

function drawPatched(result, grid) {
  const cells = patchedCells(grid).sort((a, b) => b.first - a.first);
  showEquations("patched", result, cells, unique(cells.map((c) => c.name)));
  at("patched-title").textContent = grid
    ? `Changed by patches: success rate, ${count(grid.n, "pair")}`
    : "Changed by patches: no pair is solved in both runs";
  at("patching-finding").textContent = cells.length ? patchedFinding(result, grid, cells) : "";
}

// Those with the highest share, which may be several, by name: "a, b and 3 others".
function highestShares(cells, nameOf) {
  const best = cells.reduce((b, c) => (b === null || c.score > b.score ? c : b), null);
  const names = unique(cells.filter((c) => c.score === best.score).map(nameOf));
  const others = names.length > 3 ? [count(names.length - 2, "other")] : [];
  return { best, names: listed([...names.slice(0, others.length ? 2 : 3), ...others]) };
}

function patchedFinding(result, grid, cells) {
  const nameOf = (c) =>
    `${c.first === c.last ? "layer" : "layers"} ${c.name} at ${result.equations[c.equation]} (equation ${c.equation})`;
  const { best, names } = highestShares(cells, nameOf);
  const asked = `the number of ${result.equations[grid.answer]}`;
  if (!best.score) return `${whose(result)}: no patch of a single equation changes ${asked}.`;
  return (
    `${whose(result)}: of patches of single equations, those of ${names} change ${asked} most often, in ` +
    `${withInterval(best)} of ${count(grid.n, "pair")}.`
  );
}

function drawReadable(result, grid) {
  const variable = result.variables.find((v) => grid && v.name === grid.variable);
  // The layers that are patched one by one are shown on both sides.
  const patched = patchedCells(grid).filter((c) => c.first === c.last).map((c) => c.first);
  const layers = unique([...result.layers, ...patched]).sort((a, b) => b - a);
  const cells = layers.flatMap((layer) =>
    equationsOf(result).map((equation) => ({ ...bestWithin(result, variable, layer, equation), equation, name: String(layer) })),
  );
  showEquations("readable", result, cells, layers.map(String));
  at("readable-title").textContent = variable
    ? `Readable: best probe accuracy for ${variable.label}, within the equation`
    : "Readable: the asked number is no variable's value";
}

// The best probe of a layer within an equation; its score is null if there is none.
function bestWithin(result, variable, layer, equation) {
  const index = result.layers.indexOf(layer);
  if (!variable || index < 0) return { score: null };
  const inside = result.positions.equation.flatMap((number, position) => (number === equation ? [position] : []));
  const best = inside.reduce((b, position) => {
    const found = share(variable, index, position);
    return found.score !== null && (b === null || found.score > b.score) ? found : b;
  }, null);
  return best ?? { score: null };
}

// What the place of a map of equations has.
const tellEquation = (name, what) => (column, row) => {
  const found = fed[name].data.cells.find((c) => c.column === column && c.row === row);
  const { names, row_names } = fed[name].signals;
  const number = equationsOf(chosen())[column];
  return [
    ["layer", row_names[row] ?? "–"], ["equation", `${names[column]} (${number})`],
    [what, found ? withInterval(found) : "–"],
  ];
};

function drawWhole(result) {
  const { whole } = result.patching;
  const parts = [...whole, ...wrongResults(result)];
  const specs = unique(parts.map((p) => p.spec));
  const edits = unique(parts.map((p) => p.edit));
  const place = (p) => specs.indexOf(p.spec) + (edits.indexOf(p.edit) + 0.5) / edits.length - 0.5;
  const styles = edits.map((_, index) => lineStyle(index));
  show("whole", {
    data: { parts: parts.filter((p) => p.score !== null).map((p) => ({ ...p, place: place(p) })) },
    signals: {
      row_names: specs, edits, colours: styles.map((s) => s.colour), shapes: styles.map((s) => s.shape),
    },
    columns: 1, rows: Math.max(1, specs.length), each: 14 + 12 * edits.length,
  });
  const counted = whole.filter((p) => p.score !== null);
  at("whole-finding").textContent = counted.length ? wholeFinding(result, counted) : "";
}

function wholeFinding(result, whole) {
  const { best, names } = highestShares(whole, (p) => `${p.spec} (edit ${p.edit})`);
  if (!best.score) return `${whose(result)}: no patch of a whole part in all layers changes the final answer.`;
  return (
    `${whose(result)}: of whole parts that are patched in all layers, ${names} change the final answer most ` +
    `often, in ${withInterval(best)} of ${count(best.n, "pair")}.`
  );
}

function tellWhole(_column, row) {
  const spec = fed.whole.signals.row_names[row];
  const parts = fed.whole.data.parts.filter((p) => p.spec === spec);
  return [
    ["patched", spec],
    ...parts.map((p) => [`share of ${count(p.n, "pair")}, ${p.edit}`, withInterval(p)]),
  ];
}

function patchingTable() {
  const result = chosen();
  const grid = chosenGrid();
  return patchedCells(grid).map(({ name, ...row }) => ({
    model: result.model, seed: result.seed, task: result.task, variable: grid.variable, edit: state.edit,
    asked_equation: state.answer, n: grid.n, ...row,
  }));
}

function readableTable() {
  const result = chosen();
  const grid = chosenGrid();
  return fed.readable.data.cells.map(({ equation, name, score, ci_low, ci_high }) => ({
    model: result.model, seed: result.seed, task: result.task, variable: grid?.variable ?? null, layer: name,
    equation, score, ci_low, ci_high,
  }));
}

function wholeTable() {
  const result = chosen();
  return fed.whole.data.parts.map(({ place, ...row }) => ({
    model: result.model, seed: result.seed, task: result.task, ...row,
  }));
}

// Where the asked equation is patched.
const startOfEquations = () => ({ column: equationsOf(chosen()).indexOf(Number(state.answer)), row: 0 });

readers.readable = { ...byEquation, tell: tellEquation("readable", "accuracy"), start: startOfEquations };
readers.patched = { ...byEquation, tell: tellEquation("patched", "success rate"), start: startOfEquations };
readers.whole = { positions: () => null, tell: tellWhole, start: () => ({ column: 0, row: 0 }) };
