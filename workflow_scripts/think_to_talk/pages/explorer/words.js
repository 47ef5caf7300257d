// Numbers and dates in words.

const shown = (token) => token.trim() || (token.includes("\n") ? "⏎" : "␣");
const percent = (value) => (value === null ? "–" : value.toFixed(3));
const withInterval = ({ score, ci_low, ci_high }) =>
  score === null ? "–" : `${percent(score)} (95 % interval ${percent(ci_low)} to ${percent(ci_high)})`;
const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
const tau = () => `τ = ${state.tau.toFixed(2)}`;
const windowName = (first, last) => (first === last ? `${first}` : `${first}–${last}`);

// Whose figures a sentence is about.
const whose = (result) => `${result.model}, seed ${result.seed}, ${result.task}`;

// Where a date is: "before the chain of thought", "in it", or "nowhere".
const part = (first) => (first === null ? "nowhere" : first.t < 0 ? "before the chain of thought" : "in the chain of thought");

// Words as a list: "a, b and c".
const listed = (words) =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

// A patch in the colour of a variable's role.
function swatch(variable) {
  const patch = document.createElement("span");
  patch.className = "swatch";
  patch.style.background = variable.colour;
  return patch;
}

function headerCell(text, scope) {
  const th = document.createElement("th");
  th.scope = scope;
  th.textContent = text;
  return th;
}

// The heading of a table: a row of names.
function headingRow(names) {
  const tr = document.createElement("tr");
  tr.append(...names.map((name) => headerCell(name, "col")));
  return tr;
}

// The numbers of a model's equations, in the order of writing.
const equationsOf = (result) => Object.keys(result.equations).map(Number).sort((a, b) => a - b);

// The equations of the chosen level, without a chat template between them (-0.5), and its variables with their roles.
function drawLevel() {
  const { equations, variables } = chosen();
  const numbers = equationsOf(chosen());
  const separator = Object.values(equations).some((equation) => equation.includes(" ")) ? ". " : " , ";
  const written = (within) => numbers.filter(within).map((number) => equations[number]).join(separator);
  at("level-problem").textContent = written((number) => number <= -1);
  at("level-chain").textContent = written((number) => number >= 0);
  at("level-roles").replaceChildren(
    ...variables.flatMap((variable, index) => [index ? "; " : "", swatch(variable), ` ${variable.label}`]),
  );
}
