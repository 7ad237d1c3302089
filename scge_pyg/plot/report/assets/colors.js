// What the colour of a node can mean: one number a node, NaN where there is none, made when it is chosen.
function quantities() {
  const live = (value) => once(() => Float32Array.from({ length: graph.nodes }, (_, i) => (node.live[i] ? value(i) : NaN)));
  const found = [{ key: "confidence", name: "confidence", values: () => node.confidence, range: [0, 1] }];
  if (node.gain) found.push({ key: "gain", name: "held-out gain (nats)", values: () => node.gain });
  if (graph.parts.length > 1) found.push({ key: "part", name: "part", values: live((i) => node.part[i]), steps: true });
  if (new Set(graph.parts.map((part) => part.dim)).size > 1)
    found.push({ key: "dim", name: "dimension of the part", values: live((i) => (node.part[i] < graph.parts.length ? dimOf(i) : NaN)), steps: true });
  if (node.sign.some((sign, i) => node.live[i] && sign < 1))
    found.push({ key: "sign", name: "sign (-1: inverted)", values: live((i) => node.sign[i]), range: [-1, 1] });
  found.push({ key: "degree", name: "number of neighbours", values: live((i) => around().first[i + 1] - around().first[i]) });
  found.push({ key: "coupling", name: "mean coupling to neighbours", values: live(meanCoupling) });
  for (let s = 0; samples && s < samples.count; s++)
    found.push({ key: `sample-${s}`, name: `sample ${s}`, values: live((i) => sampleValue(s, i)), range: [samples.low, samples.high] });
  return found;
}

function meanCoupling(i) {
  const { first, pair } = around();
  let sum = 0;
  for (let at = first[i]; at < first[i + 1]; at++) sum += edge.weight[pair[at]];
  return sum / (first[i + 1] - first[i]);
}

// Mean over the channels of a sample at a node.
function sampleValue(s, i) {
  let sum = 0;
  for (let c = 0; c < samples.channels; c++) {
    const step = samples.values[(s * graph.nodes + i) * samples.channels + c];
    if (!step) return NaN;
    sum += samples.low + ((step - 1) / 254) * (samples.high - samples.low);
  }
  return sum / samples.channels;
}

// Marker options for the values of shown nodes; ten colours in turn where a number is a label.
function markerColors(quantity, values) {
  const bar = { title: { text: plain(quantity.name), side: "right" }, thickness: 12, len: 0.85, outlinewidth: 0 };
  if (quantity.steps) {
    const top = values.reduce((most, value) => Math.max(most, value), 0);
    const low = values.reduce((least, value) => Math.min(least, value), Infinity);
    if (top - low > 9) return { color: Array.from(values, (value) => PALETTE[value % 10]) };
    const count = Math.max(1, top - low + 1);
    const scale = [];
    for (let n = 0; n < count; n++) scale.push([n / count, PALETTE[(low + n) % 10]], [(n + 1) / count, PALETTE[(low + n) % 10]]);
    return { color: values, colorscale: scale, cmin: low - 0.5, cmax: top + 0.5, showscale: true, colorbar: { ...bar, dtick: 1, tick0: 0 } };
  }
  const [low, high] = quantity.range || span(values);
  return { color: values, colorscale: "Viridis", cmin: low, cmax: high, showscale: true, colorbar: bar };
}

function span(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  return high > low ? [low, high] : low < Infinity ? [low - 0.5, low + 0.5] : [0, 1];
}
