// The tables of the study, as they are: the rows of the chosen model and level.

// The rows of a table as objects; none if the study does not have it.
function tableRows(name) {
  const { columns, rows } = study.tables[name] ?? { columns: [], rows: [] };
  return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]])));
}

const isChosen = (row) => row.model === state.model && row.task === state.task;

// What a cell says: nothing for null, and shares with three digits.
function cellText(value) {
  if (value === null) return "–";
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(3) : String(value);
}

const rowsShown = () => (state.table ? tableRows(state.table).filter(isChosen) : []);

function drawTable() {
  const names = Object.keys(study.tables);
  at("tables-shown").hidden = !names.length;
  at("no-tables").hidden = names.length > 0;
  if (!names.length) return;
  choose("table", names, (name) => name.replace("controls/", "control: ").replaceAll("_", " "));
  const own = rowsShown();
  const columns = study.tables[state.table].columns.filter((name) => !["model", "task"].includes(name));
  at("rows").tHead.replaceChildren(headingRow(columns.map((name) => name.replaceAll("_", " "))));
  at("rows").tBodies[0].replaceChildren(
    ...own.map((row) => {
      const tr = document.createElement("tr");
      for (const name of columns) tr.insertCell().textContent = cellText(row[name]);
      return tr;
    }),
  );
  at("table-summary").textContent = own.length
    ? `${state.model}, ${state.task}: ${count(own.length, "row")}.`
    : `This table has no rows of ${state.model} and ${state.task}.`;
}

// Final answers that follow a wrong result in the chain, as parts of the chart of whole parts.
function wrongResults(result) {
  return tableRows("interventions")
    .filter((row) => isChosen(row) && row.seed === result.seed && row.pairs === "solved")
    .filter((row) => row.intervention === "inconsistent_chain")
    .map((row) => ({
      edit: "wrong result", spec: `wrong ${result.variables[row.variable].name}`, n: row.n,
      score: row.changed, ci_low: row.changed_ci_low, ci_high: row.changed_ci_high,
    }));
}
