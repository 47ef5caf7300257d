// The map: accuracy of each probe of a variable, layers by positions, with an example below it.

// What the map was last drawn of: its cells are kept while this is the same.
let mapOf = null;
let mapCells = [];
// How many rows a line of text takes: those of many layers are low, and words are upright.
let textRows = 1;

// Rows of the map: layers from the highest on, then the example and what probes say of it.
const layerOf = (row) => chosen().layers.length - 1 - row;
const rowOf = (layer) => chosen().layers.length - 1 - layer;

function drawMap() {
  const result = chosen();
  const variable = chosenVariable();
  const { layers, positions, cot_start } = result;
  const accuracy = accuracyOf(variable, state.accuracy);
  const first = star(accuracy);
  const key = [result.model, result.seed, result.task, variable.name, state.accuracy].join("\n");
  const isNew = key !== mapOf;
  if (isNew) {
    mapOf = key;
    mapCells = layers.flatMap((_, layer) =>
      positions.symbol.map((_symbol, column) => ({
        column, row: rowOf(layer), value: share(accuracy, layer, column).score,
      })),
    );
  }
  const stars = first ? [{ column: first.position, row: rowOf(layers.indexOf(first.layer)) }] : [];
  const each = Math.max(9, Math.min(24, MAP_HEIGHT / layers.length));
  const longest = Math.max(...textsShown(result).map(({ length }) => length));
  textRows = Math.ceil((longest > 2 ? Math.min(60, 7 * longest + 4) : 14) / each);
  const named = (name) => Array.from({ length: textRows }, (_, row) => (row === textRows - 1 ? name : ""));
  const row_names = [...layers.toReversed(), ...named("example"), ...named("probe says")];
  show("map", {
    data: { cells: mapCells, texts: mapTexts(), stars },
    signals: isNew ? { names: positions.symbol, row_names, start: cot_start, text_rows: textRows } : {},
    columns: positions.symbol.length, rows: row_names.length, each,
  });
  at("map-finding").textContent = mapFinding(result, variable);
  at("map-summary").textContent = mapSummary(result, variable);
}

// The example, and what a layer's probes say of it: the layer of the cursor, else the best one.
function mapTexts() {
  const result = chosen();
  const variable = chosenVariable();
  const accuracy = accuracyOf(variable, state.accuracy);
  const row = result.layers.length + (textRows - 1) / 2;
  const written = textsShown(result).map((text, column) => ({ column, row, text }));
  const said = written.map(({ column }) => {
    const layer = cursorLayer() ?? bestLayer(accuracy, column);
    const says = layer === null ? "" : reading(accuracy, layer, column);
    return { column, row: row + textRows, text: says, right: says === "" ? null : says === goldValue(variable) };
  });
  return [...written, ...said];
}

function cursorLayer() {
  const layer = state.cursor?.chart === "map" ? layerOf(state.cursor.row) : -1;
  return layer < 0 ? null : layer;
}

// When a variable is decoded, in a sentence.
function mapFinding(result, variable) {
  const decoded = (first, accuracy) =>
    first
      ? `at t = ${first.t}, ${part(first)} (layer ${first.layer}, accuracy ${percent(first.score)})`
      : `nowhere (best accuracy ${percent(highest(accuracy))})`;
  const plain = star(variable);
  const sentence = `${whose(result)}: probes first decode ${variable.label}, ${decoded(plain, variable)}`;
  if (!variable.heldout) return `${sentence}.`;
  const heldout = star(variable.heldout);
  return `${sentence}; on expressions that they were not trained on, ${decoded(heldout, variable.heldout)}.`;
}

const highest = ({ acc_before, acc_after }) => Math.max(acc_before ?? 0, acc_after ?? 0);

function mapSummary(result, variable) {
  const best = (accuracy) => `${percent(accuracy.acc_before)} before the chain of thought, ${percent(accuracy.acc_after)} in it`;
  const heldout = variable.heldout ? ` Best held-out accuracy: ${best(variable.heldout)}.` : "";
  const correct = result.cot_accuracy === null ? "" :
    ` The model writes a correct chain for ${(100 * result.cot_accuracy).toFixed(1)} % of ` +
    `${count(result.n_test, "test problem")}.`;
  return (
    `★: t* of the ${ACCURACIES[state.accuracy]} at ${tau()}. Best accuracy: ${best(variable)}.${heldout}${correct}`
  );
}

// One probe in words.
function tellMap(position, row) {
  const result = chosen();
  const variable = chosenVariable();
  const layer = layerOf(row);
  const { symbol, token, equation } = result.positions;
  const where = [
    ["symbol", `${symbol[position]} (token ${shown(token[position])})`],
    ["t", position - result.cot_start],
    ["equation", `${result.equations[equation[position]] ?? "–"} (${equation[position]})`],
  ];
  if (layer < 0) {
    const place = position + (row < result.layers.length + textRows ? 0 : result.positions.symbol.length);
    return [["text", fed.map.data.texts[place].text], ...where];
  }
  const says = reading(accuracyOf(variable, state.accuracy), layer, position);
  return [
    ["layer", result.layers[layer]],
    ...where,
    ["accuracy", withInterval(share(variable, layer, position))],
    ...(variable.heldout ? [["held-out accuracy", withInterval(share(variable.heldout, layer, position))]] : []),
    ["chance", percent(variable.chance)],
    ...(says === "" ? [] : [["probe says", `${says}, ${variable.name} is ${goldValue(variable)}`]]),
  ];
}

function mapTable() {
  const result = chosen();
  const variable = chosenVariable();
  return result.layers.flatMap((_, layer) =>
    result.positions.symbol.map((_symbol, position) => ({
      model: result.model, seed: result.seed, task: result.task, variable: variable.name,
      ...cell(result, variable, layer, position),
      ...Object.fromEntries(
        Object.entries(share(variable.heldout, layer, position)).map(([key, value]) => [`heldout_${key}`, value]),
      ),
    })),
  );
}

readers.map = {
  ...byPosition,
  tell: tellMap,
  start() {
    const first = star(accuracyOf(chosenVariable(), state.accuracy));
    const { layers } = chosen();
    return first
      ? { column: first.position, row: rowOf(layers.indexOf(first.layer)) }
      : { column: 0, row: rowOf(0) };
  },
  // The row below the map has what the cursor's layer says.
  moved: () => show("map", { data: { texts: mapTexts() } }),
};
