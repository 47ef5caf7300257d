// The study's data, and what follows from it alone.

const at = (id) => document.getElementById(id);
const unique = (values) => [...new Set(values)];

// The study is in the page as gzip in base64.
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(at(id).textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const study = await unpacked("study");

// Either accuracy of a variable has the same keys. Some variables have no held-out one.
const ACCURACIES = { plain: "accuracy", heldout: "held-out accuracy" };
const accuracyOf = (variable, kind) => (kind === "heldout" ? variable.heldout : variable);
const kindsOf = (variable) => Object.keys(ACCURACIES).filter((kind) => accuracyOf(variable, kind));

// The accuracy of a probe and its interval; all null without probe.
function share(accuracy, layer, position) {
  const place = accuracy ? accuracy.shares[layer][position] : null;
  const [score, ci_low, ci_high] = place === null ? [null, null, null] : study.shares[place];
  return { score, ci_low, ci_high };
}

// The first record of the best layer's accuracy above a threshold: t*. Null if there is none.
function starAt(accuracy, tau) {
  const record = accuracy?.records.find(([, , score]) => score > tau);
  if (!record) return null;
  const [position, layer, score, t, equation] = record;
  return { position, layer, score, t, equation };
}

// The layer (its index) with the highest accuracy at a position, the lowest such; null without any.
function bestLayer(accuracy, position) {
  let best = null;
  let highest = -1;
  accuracy.shares.forEach((row, layer) => {
    const score = row[position] === null ? -1 : study.shares[row[position]][0];
    if (score > highest) [best, highest] = [layer, score];
  });
  return best;
}

// One probe, with all that is said of it.
function cell(result, variable, layer, position, accuracy = variable) {
  const { symbol, token, equation } = result.positions;
  return {
    layer: result.layers[layer],
    position,
    t: position - result.cot_start,
    equation: equation[position],
    symbol: symbol[position],
    token: token[position],
    ...share(accuracy, layer, position),
    chance: variable.chance,
  };
}

// The position at which a symbol is complete. Where no token ends with it, as in another model's
// tokens, a place between the positions around it.
function columnOf(result, place) {
  const { symbol_index } = result.positions;
  const exact = symbol_index.indexOf(place);
  if (exact >= 0) return exact;
  const later = symbol_index.findIndex((index) => index !== null && index > place);
  return (later < 0 ? symbol_index.length : later) - 0.5;
}
