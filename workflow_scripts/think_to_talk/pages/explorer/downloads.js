// Downloads: a chart as a picture with its title and legend, and what it shows as a table.

// {name of a section or chart: {what: it shows, of: the choices that it depends on, rows(): its
// table, title(): of its picture}}
const OF_VARIABLE = ["model", "seed", "task", "variable"];
const OF_RESULT = ["model", "seed", "task"];
const text = (id) => at(id).textContent.trim();
const downloads = {
  map: {
    what: () => `${ACCURACIES[state.accuracy]} map`, of: OF_VARIABLE, rows: () => mapTable(), title: () => text("map-finding"),
  },
  curves: {
    what: () => (state.lines === "variables" ? "accuracy of variables" : "accuracy of models"),
    of: () => (state.lines === "variables" ? OF_RESULT : ["task", "variable"]),
    rows: () => curvesTable(), title: () => text("curves-finding"),
  },
  clocks: { what: () => "clocks", of: OF_RESULT, rows: () => clockTable(), title: () => text("clocks-finding") },
  examples: { what: () => `example ${state.example}`, of: OF_VARIABLE, rows: () => examplesTable() },
  timing: { what: () => `timing tau ${state.tau}`, of: ["task"], rows: () => timingTable() },
  readable: {
    what: () => "readable by equation", of: OF_RESULT, rows: () => readableTable(), title: () => text("readable-title"),
  },
  patched: {
    what: () => `patching ${state.edit} equation ${state.answer}`, of: OF_RESULT, rows: () => patchingTable(),
    title: () => text("patching-finding") || text("patched-title"),
  },
  whole: { what: () => "patching whole parts", of: OF_RESULT, rows: () => wholeTable(), title: () => text("whole-finding") },
  rows: { what: () => state.table, of: ["model", "task"], rows: () => rowsShown() },
};

// A file's name: the choices that it depends on, and what it shows.
function fileName(name, extension) {
  const { of, what } = downloads[name];
  const parts = (typeof of === "function" ? of() : of).map((choice) => (choice === "seed" ? `seed-${state.seed}` : state[choice]));
  const words = [...parts, what()].map((part) => part.replaceAll(/[^\p{L}\p{N}.=-]+/gu, "-"));
  return `${words.join("_")}.${extension}`;
}

function save(name, extension, url) {
  const link = Object.assign(document.createElement("a"), { href: url, download: fileName(name, extension) });
  link.click();
  URL.revokeObjectURL(url);
}

const saveText = (name, extension, type, content) =>
  save(name, extension, URL.createObjectURL(new Blob([content], { type })));

function saveTable(name) {
  const rows = downloads[name].rows();
  const columns = Object.keys(rows[0] ?? {});
  const field = (value) => {
    const written = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
  };
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  saveText(name, "csv", "text/csv", lines.map((line) => `${line.map(field).join(",")}\n`).join(""));
}

// Lines of a title that is as wide as a chart.
const titleLines = (title, width) => wrapped(title, Math.floor(width / 7));

// The chart as it is drawn on white, with its title.
async function printed(name) {
  const seen = views[name];
  const title = { text: titleLines(downloads[name].title(), seen.width() + seen.origin()[0]), frame: "bounds" };
  const spec = { ...charts[name], title, padding: 12, background: "white" };
  const view = await viewOf(spec, document.createElement("div"));
  feed(view, fed[name]);
  return view.width(seen.width()).height(seen.height()).resize().runAsync();
}

const pictures = {
  // Three pixels for one: for print.
  png: async (view) => view.toImageURL("png", 3),
  svg: async (view) => view.toImageURL("svg"),
};

function startDownloads() {
  for (const button of document.querySelectorAll("[data-csv]"))
    button.addEventListener("click", () => saveTable(button.dataset.csv));
  for (const [extension, urlOf] of Object.entries(pictures))
    for (const button of document.querySelectorAll(`[data-${extension}]`))
      button.addEventListener("click", async () => {
        const name = button.dataset[extension];
        save(name, extension, await urlOf(await printed(name)));
      });
}
