// The examples: test rows, wrong chains first, with what the probes say of the chosen one.

// The place of the chosen example; 0 if there are none, as the map then shows the first test row.
const exampleIndex = () =>
  Math.max(0, chosen().examples.findIndex((example) => String(example.row) === state.example));

// What a probe says of the shown test row, as text; empty where the row has no such position.
function reading(accuracy, layer, position) {
  const says = accuracy.readings[layer][exampleIndex()][position];
  return says === "." ? "" : says;
}

const goldValue = (variable) => String(variable.values[exampleIndex()]);

// The value that the model wrote for a variable; null if it wrote none, or there is no example.
function writtenValue(result, variable) {
  const example = result.examples[exampleIndex()];
  return example ? example.written[result.variables.indexOf(variable)] : null;
}

// A name or a number is one symbol.
const symbolsOf = (text) => text.match(/[A-Za-z]+|[0-9]+|[^ ]/g) ?? [];

// The text at each position. Tokens are stored of the first test row only, so that a row's own
// symbols are put where its tokens complete them if it is split like the gold chain; of free text,
// its spans.
function textsShown(result) {
  const { token, symbol_index } = result.positions;
  const example = result.examples[exampleIndex()];
  if (!example) return token.map(shown);
  if (example.spans) return token.map((_, position) => example.spans[position] ?? "");
  const symbols = symbolsOf(example.source + example.generation);
  if (example.ended) symbols.push("⏎");
  let read = 0;
  return symbol_index.map((index, position) => {
    if (index === null) return read < symbols.length ? shown(token[position]) : "";
    const text = symbols.slice(read, index + 1).join("");
    read = index + 1;
    return text;
  });
}

function rightOrWrong(example) {
  if (!example.correct)
    return example.gold === null ? "the gold chain, which the model would not write" : "a wrong chain";
  if (example.aligned) return "a right chain";
  return example.spans ? "another chain than the gold one, with its answer" : "a right chain, in other tokens than the gold chain";
}

function offerExamples() {
  const { examples } = chosen();
  const label = (row) => {
    const index = examples.findIndex((example) => example.row === row);
    const example = examples[index];
    const kind = example.correct ? "right" : "WRONG";
    return `${index + 1} of ${examples.length}, ${kind}: row ${row}, ${example.source}`;
  };
  choose("example", examples.map((example) => example.row), label);
}

// The kind of a reading: it decides its colour.
function readingKind(says, gold, written) {
  if (says === "") return "none";
  if (says === gold) return "gold";
  return says === written ? "written" : "other";
}

function drawExample() {
  offerExamples();
  const result = chosen();
  const variable = chosenVariable();
  const example = result.examples[exampleIndex()];
  at("examples-shown").hidden = !example;
  at("no-examples").hidden = Boolean(example);
  if (!example) return;
  const gold = goldValue(variable);
  const written = writtenValue(result, variable);
  at("example-summary").textContent =
    `Row ${example.row}: ${rightOrWrong(example)}. ${variable.label}, is ${gold}; ` +
    (example.spans ? "what a chain in free text says of it is not read." :
      written === null ? "the model wrote no value of it." : `the model wrote ${written}.`);
  at("example-problem").textContent = example.source;
  writeChain("example-written", example.generation, example.gold);
  for (const id of ["example-gold", "example-gold-name"]) at(id).hidden = example.gold === null;
  writeChain("example-gold", example.gold ?? "", example.generation);
  at("unaligned").hidden = example.aligned || example.gold === null || Boolean(example.spans);
  at("examples-finding").textContent = examplesFinding(result);
  const differs = written !== null && written !== gold;
  at("gold-key").textContent = gold;
  at("written-key").textContent = differs ? written : "";
  at("written-legend").hidden = !differs;
  drawReadings(result, variable, gold, differs ? written : null);
}

// How many chains are right, of all and of those shown.
function examplesFinding({ examples, cot_accuracy, n_test, ...result }) {
  const wrong = examples.filter((example) => !example.correct).length;
  return (
    `${whose(result)}: the model writes a correct chain for ${(100 * cot_accuracy).toFixed(1)} % of ` +
    `${count(n_test, "test problem")}. Shown: ${count(examples.length, "example")}, ` +
    `${wrong ? `${wrong} of them wrong, which come first` : "none of them wrong"}.`
  );
}

// A chain, in which equations or sentences are marked that differ from those in the same place of another.
function writeChain(id, chain, other) {
  const [separator, written] = (other ?? chain).includes(",") ? [",", " , "] : [".", ". "];
  const compared = other === null ? null : other.split(separator);
  const equations = chain.split(separator).map((equation, index, all) => {
    const differs = compared && symbolsOf(equation).join() !== symbolsOf(compared[index] ?? "").join();
    const part = document.createElement(differs ? "mark" : "span");
    part.textContent = equation.trim();
    return index < all.length - 1 ? [part, written] : [part];
  });
  at(id).replaceChildren(...equations.flat());
}

// The table of layers and positions.
function drawReadings(result, variable, gold, written) {
  const accuracy = accuracyOf(variable, state.accuracy);
  const texts = textsShown(result);
  const heading = headingRow(["layer", ...texts]);
  heading.children[1 + result.cot_start]?.classList.add("begin");
  at("readings").tHead.replaceChildren(heading);
  const layers = result.layers.map((_, layer) => layer).reverse();
  at("readings").tBodies[0].replaceChildren(
    ...layers.map((layer) => {
      const tr = document.createElement("tr");
      tr.append(headerCell(result.layers[layer], "row"));
      texts.forEach((_text, position) => {
        const says = reading(accuracy, layer, position);
        const td = tr.insertCell();
        td.textContent = says;
        td.className = readingKind(says, gold, written);
        if (position === result.cot_start) td.classList.add("begin");
      });
      return tr;
    }),
  );
}

// Mark the token positions that are read in the charts, in the heading.
function markReadings(positions) {
  const [first, last] = positions ?? [Infinity, -Infinity];
  const marked = [...at("readings").querySelectorAll("th.read")];
  const cells = [...(at("readings").tHead.rows[0]?.cells ?? [])].slice(first + 1, last + 2);
  for (const th of marked) if (!cells.includes(th)) th.classList.remove("read");
  for (const th of cells) th.classList.add("read");
}

// The probe whose reading an event is on, as a place of the map.
function readingAt(event) {
  const td = event.target.closest("#readings td");
  if (!td) return null;
  return { chart: "map", column: td.cellIndex - 1, row: td.parentElement.sectionRowIndex };
}

function examplesTable() {
  const result = chosen();
  const variable = chosenVariable();
  if (!result.examples.length) return [];
  const texts = textsShown(result);
  const accuracy = accuracyOf(variable, state.accuracy);
  const layers = result.layers.map((_, layer) => layer).reverse();
  return layers.flatMap((layer) =>
    texts.map((text, position) => ({
      model: result.model, seed: result.seed, task: result.task, row: Number(state.example),
      variable: variable.name, probe: ACCURACIES[state.accuracy], layer: result.layers[layer],
      position, t: position - result.cot_start, symbol: result.positions.symbol[position], text,
      prediction: reading(accuracy, layer, position), gold: goldValue(variable),
      written: writtenValue(result, variable),
    })),
  );
}

// Go on to another example; after the last comes the first.
function stepExample(step) {
  const { examples } = chosen();
  const next = (exampleIndex() + step + examples.length) % examples.length;
  state.example = String(examples[next].row);
  draw();
}

function startExamples() {
  at("previous-example").addEventListener("click", () => stepExample(-1));
  at("next-example").addEventListener("click", () => stepExample(1));
  at("readings").addEventListener("pointermove", (event) => point(readingAt(event)));
  at("readings").addEventListener("pointerleave", () => point(null));
}
