// The charts: Vega views that are fed with rows, and laid out so that columns are below each other.

const charts = JSON.parse(at("charts").textContent);
const views = {};
// What each chart shows: {data: {set: rows}, signals: {name: value}, columns, rows, each}, where
// `each` is the height of a row.
const fed = {};
const stale = new Set();

// Charts whose columns are the token positions of the chosen model.
const BY_POSITION = ["map", "curves", "clocks"];

// Pixels: a column is at least so wide (on a phone, so that a finger meets it), a map at most so
// high, and a chart whose rows are no grid so high.
const COLUMN = 11;
const COLUMN_OF_PHONE = 14;
const MAP_HEIGHT = 640;
const CURVES_HEIGHT = 230;
// Around a chart, in all.
const MARGIN = 20;
const PHONE = window.matchMedia("(max-width: 760px)");

// Paul Tol's muted scheme, told apart by colour-blind readers. The page's style replaces it on a dark screen.
const COLOURS = [
  "#332288", "#cc6677", "#117733", "#882255", "#44aa99", "#aa4499", "#999933", "#88ccee", "#ddcc77",
];
const SHAPES = [
  "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
  "triangle-left", "M-1,-1L1,1M1,-1L-1,1L-0.6,1L1,-0.6L1,-1L-1,0.6Z",
];

// Colour and marker of the line with this number: no two of 81 have the same of both.
function lineStyle(index) {
  const round = Math.floor(index / SHAPES.length);
  return { colour: COLOURS[index % COLOURS.length], shape: SHAPES[(index + round) % SHAPES.length] };
}

const drawing = (name) => at(name).querySelector(".drawing");

async function viewOf(spec, element) {
  const options = { mode: "vega", renderer: "svg", actions: false, tooltip: false, hover: false, defaultStyle: false };
  return (await vegaEmbed(element, spec, options)).view;
}

async function startViews() {
  for (const [name, spec] of Object.entries(charts)) views[name] = await viewOf(spec, drawing(name));
  new ResizeObserver(layOutAll).observe(document.querySelector("main"));
  PHONE.addEventListener("change", layOutAll);
}

// Feed a chart. What is the same object as before is left alone. A chart of another size or with
// other names is drawn by the next `layOutStale`, others at once.
function show(name, { data = {}, signals = {}, ...size }) {
  const before = fed[name] ?? { data: {}, signals: {} };
  const now = { ...before, ...size, data: { ...before.data, ...data } };
  now.signals = { ...before.signals, ...signals, columns: now.columns, rows: now.rows };
  fed[name] = now;
  const changed = feed(views[name], now, before);
  if (changed) stale.add(name);
  else views[name].run();
}

// Whether signals changed, on which a chart's size depends.
function feed(view, now, before = { data: {}, signals: {} }) {
  for (const [set, rows] of Object.entries(now.data)) if (rows !== before.data[set]) view.data(set, rows);
  const changed = Object.entries(now.signals).filter(([signal, value]) => value !== before.signals[signal]);
  for (const [signal, value] of changed) view.signal(signal, value);
  return changed.length > 0;
}

function layOutStale() {
  const groups = [BY_POSITION, ...Object.keys(views).filter((n) => !BY_POSITION.includes(n)).map((n) => [n])];
  for (const group of groups) if (group.some((name) => stale.has(name))) layOut(group);
  stale.clear();
}

function layOutAll() {
  for (const name of Object.keys(views)) stale.add(name);
  layOutStale();
}

// Lay charts out so that their columns are below each other. Where there is too little room for
// columns, the charts can be scrolled.
function layOut(group) {
  const drawn = group.filter((name) => fed[name] && at(name).offsetParent);
  const room = (name) => at(name).parentElement.clientWidth;
  for (const name of drawn) {
    const { rows, each } = fed[name];
    views[name].signal("legend_columns", Math.max(1, Math.floor(room(name) / 200)));
    views[name].height(rows * each).resize().run();
  }
  const left = Math.max(...drawn.map((name) => views[name].origin()[0]));
  const least = PHONE.matches ? COLUMN_OF_PHONE : COLUMN;
  for (const name of drawn) {
    const columns = group === BY_POSITION ? fed[name].columns : 1;
    const width = Math.max(room(name) - left - MARGIN, columns * least, 200);
    fed[name].scrolls = width + left + MARGIN > room(name);
    if (width !== views[name].width()) views[name].width(width).resize().run();
    align(name, left);
  }
}

// Put a chart's columns where those of others are, and tell the page's style where that is.
function align(name, left) {
  const view = views[name];
  const { columns, rows } = fed[name];
  const [own, top] = view.origin();
  const padding = view.padding();
  drawing(name).style.marginLeft = `${left - own}px`;
  const place = {
    left: left + padding.left, top: top + padding.top, column: view.width() / columns, row: view.height() / rows, height: view.height(),
  };
  for (const [key, value] of Object.entries(place)) at(name).style.setProperty(`--${key}`, `${value}px`);
}
