// The content of the page, its arrays as typed arrays, and the small tools that all parts share.
const content = JSON.parse(document.getElementById("content").textContent);
const graph = content.graph;

function decoded(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const kind = { f4: Float32Array, i4: Int32Array, u4: Uint32Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array };
  return new kind[packed.type](bytes.buffer);
}

function allDecoded(arrays) {
  return Object.fromEntries(Object.entries(arrays).map(([name, packed]) => [name, decoded(packed)]));
}

const node = graph ? allDecoded(graph.node) : null;
const edge = graph ? allDecoded(graph.edge) : null;
const samples = graph && graph.samples ? { ...graph.samples, values: decoded(graph.samples.values) } : null;

function once(make) {
  let made;
  return () => (made === undefined ? (made = make()) : made);
}

// Neighbours of node i stand at places first[i] to first[i + 1] of near, the strongest first; pair is the edge of each,
// and order has all edges, the strongest first. Made when something asks for it, which is after the map is drawn.
const around = once(() => neighbours(graph.nodes, edge));

function neighbours(count, { source, target, weight }) {
  const first = new Uint32Array(count + 1);
  for (let e = 0; e < source.length; e++) { first[source[e] + 1]++; first[target[e] + 1]++; }
  for (let i = 0; i < count; i++) first[i + 1] += first[i];
  const next = first.slice(0, count);
  const near = new Uint32Array(2 * source.length);
  const pair = new Uint32Array(2 * source.length);
  const order = Uint32Array.from(source.keys()).sort((a, b) => weight[b] - weight[a] || a - b);
  for (const e of order) {
    near[next[source[e]]] = target[e]; pair[next[source[e]]++] = e;
    near[next[target[e]]] = source[e]; pair[next[target[e]]++] = e;
  }
  return { first, near, pair, order };
}

function neighboursOf(i) {
  const found = [];
  const { first, near, pair } = around();
  for (let at = first[i]; at < first[i + 1]; at++) {
    const other = near[at], e = pair[at];
    const lag = edge.lag ? (other === edge.target[e] ? edge.lag[e] : -edge.lag[e]) : 0;
    found.push({ node: other, weight: edge.weight[e], lag });
  }
  return found;
}

function nameOf(i) { return graph.names ? graph.names[i] : String(i); }
function isPlaced(i) { return graph.columns > 0 && node.live[i] === 1 && dimOf(i) > 0; }
function dimOf(i) {
  const part = graph.parts[node.part[i]];
  return part ? part.dim : graph.dim;
}

function shown(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "?";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1e5 || (size < 1e-3 && size > 0) ? value.toExponential(digits - 1) : value.toFixed(size >= 100 ? 1 : digits);
}

function byId(id) { return document.getElementById(id); }

// An element with text (never markup) or elements inside.
function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...inside.map((one) => (one instanceof Node ? one : String(one))));
  return element;
}

// plotly reads a few tags in its texts; a name is shown as it is
function plain(text) {
  return String(text).replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
}

function table(caption, head, rows) {
  const kind = (column) => (column.text ? { class: "text" } : {});
  const cell = (value) => (value instanceof Node ? value : String(value));
  return make("table", {},
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...head.map((column) => make("th", { scope: "col", ...kind(column) }, column.name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((value, j) => make("td", kind(head[j]), cell(value)))))));
}
