// The best layer's accuracy along the positions: of all variables, or of several models and seeds.

// What the curves are of: {result, variable, line, colour}. Lines are the variables of the chosen
// model in the colours of their roles, or the compared models' (or one's seeds') probes of one variable.
function curvesShown() {
  if (state.lines === "variables")
    return chosen().variables.map((variable) => ({
      result: chosen(), variable, line: variable.label, colour: variable.colour, ceiling: variable.colour,
    }));
  const results = study.results.filter(
    (r) => r.task === state.task && isCompared("models", r.model) && isCompared("seeds", r.seed),
  );
  const byModel = unique(results.map((r) => r.model)).length !== 1;
  return results
    .map((result) => ({
      result, variable: result.variables.find((v) => v.name === state.variable), ceiling: "#666666",
      line: byModel ? result.model : `seed ${result.seed}`,
    }))
    .filter(({ variable }) => variable);
}

// Each line's colour and marker. Those of a model or seed do not change when others are left out.
function curveStyles(curves) {
  const { models, seeds } = offered;
  const all =
    state.lines === "variables" ? curves.map((c) => c.line) : [...models, ...seeds.map((seed) => `seed ${seed}`)];
  const number = (line) => (models.includes(line) ? models.indexOf(line) : all.indexOf(line) - models.length);
  return all.map((line, index) =>
    state.lines === "variables" ? { line, ...lineStyle(index), colour: curves[index].colour } : { line, ...lineStyle(number(line)) },
  );
}

function drawCurves() {
  const curves = curvesShown();
  const styles = curveStyles(curves);
  const points = curves.flatMap(curvePoints);
  // A legend needs an entry.
  const visible = points.length ? unique(points.map((p) => p.line)) : ["none"];
  const { positions, cot_start } = chosen();
  show("curves", {
    data: { points, ceilings: ceilingsOf(curves) },
    signals: {
      names: positions.symbol, start: cot_start, tau: state.tau,
      lines: styles.map((s) => s.line), colours: styles.map((s) => s.colour),
      shapes: styles.map((s) => s.shape), visible,
    },
    columns: positions.symbol.length, rows: 1, each: CURVES_HEIGHT,
  });
  at("compared").hidden = state.lines === "variables";
  at("curves-finding").textContent = curvesFinding(curves);
}

// The points of a curve: the best layer's accuracy at each position that completes a symbol.
function curvePoints({ result, variable, line }) {
  const { symbol_index } = result.positions;
  return kindsOf(variable).flatMap((kind) =>
    symbol_index.flatMap((place, position) => {
      const accuracy = accuracyOf(variable, kind);
      const best = place === null ? null : bestLayer(accuracy, position);
      if (best === null) return [];
      const series = [result.model, result.seed, variable.name, kind].join(" ");
      return [{
        line, series, result, variable, accuracy: ACCURACIES[kind], column: columnOf(chosen(), place),
        ...cell(result, variable, best, position, accuracy),
      }];
    }),
  );
}

// What the text says: the same for all models.
function ceilingsOf(curves) {
  const places = new Map();
  for (const { result, variable, ceiling } of curves)
    result.positions.symbol_index.forEach((place, position) => {
      if (place === null || !variable.ceiling) return;
      const column = columnOf(chosen(), place);
      places.set(`${ceiling} ${column}`, { colour: ceiling, column, score: variable.ceiling[position] });
    });
  return [...places.values()];
}

// Which variables are decoded when, or in how many models and seeds one is.
function curvesFinding(curves) {
  const dated = curves.map((curve) => ({ ...curve, first: star(curve.variable) }));
  if (!dated.length) return "No model and seed is chosen.";
  if (state.lines !== "variables") {
    const label = chosenVariable().label;
    const parts = ["before the chain of thought", "in the chain of thought", "nowhere"].map(
      (place) => [place, dated.filter(({ first }) => part(first) === place).length],
    );
    const words = parts.filter(([, n]) => n).map(([place, n]) => `${place} in ${n}`);
    return `At ${tau()}, probes first decode ${label}, ${listed(words)} of ${count(dated.length, "model and seed", "models and seeds")}.`;
  }
  const found = dated.filter(({ first }) => first).sort((a, b) => a.first.t - b.first.t);
  const never = dated.filter(({ first }) => !first).map(({ variable }) => variable.label);
  const order = found.map(({ variable, first }) => `${variable.label}, at t = ${first.t}`);
  return (
    `${whose(chosen())}: ${order.length ? `probes first decode ${order.join("; then ")}` : ""}` +
    `${order.length && never.length ? "; " : ""}${never.length ? `nowhere ${listed(never)}` : ""}.`
  );
}

// All lines at a position.
function tellCurves(column) {
  const { positions, cot_start } = chosen();
  const said = fed.curves.data.points.filter((point) => Math.abs(point.column - column) <= 0.5);
  const ceiling = fed.curves.data.ceilings.find((c) => c.column === column);
  return [
    ["symbol", positions.symbol[column]],
    ["t", column - cot_start],
    ...said.map((point) => [
      `${point.line}${state.lines === "models" && !point.line.startsWith("seed ") && offered.seeds.length > 1 ? `, seed ${point.result.seed}` : ""}` +
        `${point.accuracy === ACCURACIES.plain ? "" : ", held-out"}`,
      `${withInterval(point)}, layer ${point.layer}`,
    ]),
    ...(ceiling && state.lines === "models" ? [["ceiling of the text", percent(ceiling.score)]] : []),
  ];
}

const curvesTable = () =>
  fed.curves.data.points.map(({ result, variable, line, series, column, ...point }) => ({
    model: result.model, seed: result.seed, task: result.task, variable: variable.name, ...point,
  }));

readers.curves = {
  ...byPosition,
  tell: tellCurves,
  start: () => ({ column: chosen().cot_start, row: 0 }),
};
