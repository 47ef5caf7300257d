// The page: everything that is shown follows from the state and from the study's data.

function draw() {
  offerChoices();
  drawLevel();
  drawExample();
  drawMap();
  drawCurves();
  drawClocks();
  drawTiming();
  drawPatching();
  drawTable();
  layOutStale();
  // A place of another level, or of no chart, may not be there.
  if (state.cursor && !isInside(state.cursor)) {
    state.cursor = null;
    readers.map.moved();
  }
  drawReading();
  writeAddress();
}

async function start() {
  readAddress();
  startChoices();
  startExamples();
  await startViews();
  startReaders();
  startDownloads();
  draw();
  document.body.dataset.ready = "true";
}

start();
