// Reading charts: pointer and keyboard move over the places of a chart, a panel beside it says what
// is there, and a line marks the same token position, or equation, in all charts.

// {chart: {tell(column, row): [[what, value], ...] or null, start(): {column, row},
// positions(column): the first and last token position that a column stands for, or null}}; the map's
// has `moved()` as well, called when the cursor has moved
const readers = {};

// What the pointer is at, as the cursor of the keyboard: {chart, column, row}, or null.
let pointed = null;
let writing = null;

const within = (value, n) => Math.max(0, Math.min(n - 1, value));

const isInside = ({ chart, column, row }) =>
  chart in readers && chart in fed && column < fed[chart].columns && row < fed[chart].rows;

// A chart that stands for token positions, one by one.
const byPosition = { positions: (column) => [column, column] };

// A chart that stands for the equations of the chosen model: a column has the positions of one.
const byEquation = {
  positions(column) {
    const { equation } = chosen().positions;
    const number = equationsOf(chosen())[column];
    return [equation.indexOf(number), equation.lastIndexOf(number)];
  },
};

// The columns of a chart that have some of these token positions; null if none has.
function columnsAt(name, [first, last]) {
  if (BY_POSITION.includes(name)) return [first, last];
  if (readers[name].positions !== byEquation.positions) return null;
  const { equation } = chosen().positions;
  const numbers = equationsOf(chosen());
  const places = [equation[first], equation[last]].map((number) => numbers.indexOf(number));
  return places.includes(-1) ? null : places;
}

// Show what is read: what the pointer is at, else what the keyboard is at.
function drawReading() {
  const reading = pointed ?? state.cursor;
  const positions = reading && readers[reading.chart].positions(reading.column);
  for (const name of Object.keys(readers)) {
    const isRead = reading?.chart === name;
    const columns = positions && columnsAt(name, positions);
    put(name, ".line", columns && { column: columns[0], columns: columns[1] - columns[0] + 1 });
    put(name, ".box", isRead ? reading : null);
    // Curves are read at the position of any chart.
    const column = isRead ? reading.column : name === "curves" && positions ? positions[0] : null;
    tell(name, column === null ? null : readers[name].tell(column, isRead ? reading.row : 0));
  }
  markReadings(positions);
}

// Where an outline of a chart is, in columns and rows; it is hidden without place.
function put(name, outline, place) {
  const element = at(name).querySelector(outline);
  element.hidden = !place;
  for (const [key, value] of Object.entries(place ?? {})) element.style.setProperty(`--${key}-at`, value);
}

// Put words into a chart's panel. Values that are shares come with their interval.
function tell(name, said) {
  const entries = (said ?? []).flatMap(([what, value]) => {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = what;
    dd.textContent = value;
    return [dt, dd];
  });
  at(`${name}-reading`).replaceChildren(...entries);
  at(`${name}-hint`).hidden = entries.length > 0;
}

// The place of a chart that the pointer is at; null outside of its columns and rows.
function placeAt(name, event) {
  const view = views[name];
  const area = at(name).getBoundingClientRect();
  const style = at(name).style;
  const from = (edge, key) => edge - parseFloat(style.getPropertyValue(`--${key}`));
  const { columns, rows } = fed[name];
  const column = Math.floor((from(event.clientX - area.left, "left") / view.width()) * columns);
  const row = Math.floor((from(event.clientY - area.top, "top") / view.height()) * rows);
  const place = { chart: name, column, row };
  return column >= 0 && row >= 0 && isInside(place) ? place : null;
}

function point(place) {
  if (String(Object.values(place ?? {})) === String(Object.values(pointed ?? {}))) return;
  pointed = place;
  drawReading();
}

function setCursor(place) {
  pointed = null;
  state.cursor = place;
  readers.map.moved();
  drawReading();
  // Keys that are held down would write it too often for the browser.
  clearTimeout(writing);
  writing = setTimeout(writeAddress, 150);
}

function moveCursor(name, event) {
  const steps = {
    ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    Home: [-Infinity, 0], End: [Infinity, 0],
  };
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape") setCursor(null);
  else if (event.key in steps) {
    const [right, down] = steps[event.key];
    const { columns, rows } = fed[name];
    const { cursor } = state;
    const start = readers[name].start();
    setCursor(
      cursor?.chart === name
        ? { chart: name, column: within(cursor.column + right, columns), row: within(cursor.row + down, rows) }
        : { chart: name, column: within(start.column, columns), row: within(start.row, rows) },
    );
    scrollTo(name, state.cursor.column);
  } else return;
  event.preventDefault();
}

// Scroll a chart so that a column is to be seen.
function scrollTo(name, column) {
  if (!fed[name].scrolls) return;
  const scroller = at(name).parentElement;
  const value = (key) => parseFloat(at(name).style.getPropertyValue(`--${key}`));
  const x = value("left") + (column + 0.5) * value("column");
  const hidden = x < scroller.scrollLeft + 40 || x > scroller.scrollLeft + scroller.clientWidth - 40;
  if (hidden) scroller.scrollLeft = x - scroller.clientWidth / 2;
}

// Charts by position are scrolled together.
function scrollTogether(event) {
  for (const name of BY_POSITION) at(name).parentElement.scrollLeft = event.target.scrollLeft;
}

function startReaders() {
  for (const name of Object.keys(readers)) {
    at(name).addEventListener("pointermove", (event) => point(placeAt(name, event)));
    at(name).addEventListener("pointerleave", () => point(null));
    at(name).addEventListener("keydown", (event) => moveCursor(name, event));
    at(name).addEventListener("click", (event) => {
      const place = placeAt(name, event);
      if (place) setCursor(place);
    });
  }
  for (const name of BY_POSITION) at(name).parentElement.addEventListener("scroll", scrollTogether);
}
