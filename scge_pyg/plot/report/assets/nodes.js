// One node in words, the search for it, and the tables of parts, couplings and nodes.
function describe(i, most) {
  const part = graph.parts[node.part[i]];
  const near = neighboursOf(i);
  const facts = [];
  if (!node.live[i]) facts.push("not live");
  else facts.push(`confidence ${shown(node.confidence[i], 2)}`);
  if (node.gain && Number.isFinite(node.gain[i])) facts.push(`gain ${shown(node.gain[i])} nats`);
  if (graph.parts.length > 1 && node.live[i]) facts.push(part ? `part ${node.part[i]}` : "joined to no other");
  if (node.live[i] && node.sign[i] < 0) facts.push("inverted");
  const told = near.slice(0, most).map((one) => `${nameOf(one.node)} (${shown(one.weight)})`).join(", ");
  const rest = near.length > most ? ` and ${near.length - most} more` : "";
  return [
    make("strong", {}, nameOf(i)),
    make("p", {}, facts.join(", ")),
    make("p", {}, near.length ? `neighbours (coupling): ${told}${rest}` : "no neighbours"),
  ];
}

function showNode(i) {
  const place = [];
  if (isPlaced(i)) for (let c = 0; c < graph.columns; c++) place.push(shown(node.pos[i * graph.columns + c], 2));
  const near = neighboursOf(i);
  const facts = [["number", i], ["place", place.length ? place.join(", ") : "none"]];
  if (node.live[i]) facts.push(["confidence", shown(node.confidence[i], 2)]); else facts.push(["live", "no"]);
  if (node.gain) facts.push(["held-out gain", Number.isFinite(node.gain[i]) ? `${shown(node.gain[i])} nats` : "not judged"]);
  if (graph.parts.length > 1) facts.push(["part", node.part[i] < 0 ? "none" : node.part[i]]);
  if (node.live[i] && node.sign[i] < 1) facts.push(["sign", node.sign[i] < 0 ? "inverted" : "undecided"]);
  const lag = (one) => (one.lag ? `, ${one.lag > 0 ? "+" : ""}${one.lag} steps` : "");
  byId("details").replaceChildren(
    make("h3", {}, nameOf(i)),
    make("dl", {}, ...facts.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, value)])),
    make("p", { class: "note" }, near.length ? `${near.length} neighbours, by coupling:` : "It has no neighbours."),
    make("ul", {}, ...near.slice(0, 100).map((one) => make("li", {}, link(one.node), make("span", {}, `${shown(one.weight)}${lag(one)}`)))),
  );
  if (map) map.select(i);
  const box = byId("node").getBoundingClientRect();
  if (box.bottom < 60 || box.top > innerHeight - 60) byId("map-section").scrollIntoView();
}
function link(i) { return make("button", { type: "button", click: () => showNode(i) }, nameOf(i)); }

function startNodes() {
  if (!map) {
    for (const id of ["map-controls", "map-note", "map-box"]) byId(id).hidden = true;
    byId("map-title").textContent = "One node";
    byId("map-section").hidden = false;
  }
  byId("find").addEventListener("input", (event) => {
    const sought = event.target.value.trim().toLowerCase();
    const found = [];
    for (let i = 0; sought && i < graph.nodes && found.length < 12; i++) if (nameOf(i).toLowerCase() === sought || String(i) === sought) found.push(i);
    for (let i = 0; sought && i < graph.nodes && found.length < 12; i++) if (!found.includes(i) && nameOf(i).toLowerCase().includes(sought)) found.push(i);
    byId("found").replaceChildren(...found.map((i) => make("li", {}, link(i))));
    if (sought && !found.length) byId("found").append(make("li", { class: "note" }, "no such node"));
  });
  byId("find").addEventListener("keydown", (event) => { if (event.key === "Enter") byId("found").querySelector("button")?.click(); });
  showParts();
  showCouplings();
  showRows(0);
}

function showParts() {
  if (graph.parts.length < 2) return;
  const head = [{ name: "part" }, { name: "nodes" }, { name: "dimension" }, { name: "lattice", text: true }, { name: "verdict", text: true }, { name: "ratio" }, { name: "gain" }, { name: "ceiling" }];
  const most = 50;
  const rows = graph.parts.slice(0, most).map((part, k) => {
    const ratio = part.ratio === null || part.ratio === undefined ? "" : `${shown(part.ratio)} ± ${shown(part.error)}`;
    return [k, shown(part.nodes), part.dim || "none", part.lattice || "none", part.verdict || "not judged", ratio, part.verdict ? shown(part.gain) : "", part.verdict ? shown(part.ceiling) : ""];
  });
  const more = graph.parts.length > most ? `; the ${most} largest of ${graph.parts.length}` : "";
  byId("parts").append(table(`Connected parts of at least two nodes${more}`, head, rows));
}

function showCouplings() {
  if (!edge.source.length) return;
  byId("edges-section").hidden = false;
  const count = Math.min(map ? 10 : 100, edge.source.length);
  const head = [{ name: "node", text: true }, { name: "node", text: true }, { name: "coupling" }, ...(edge.lag ? [{ name: "steps behind" }] : [])];
  const rows = Array.from(around().order.slice(0, count), (e) => [link(edge.source[e]), link(edge.target[e]), shown(edge.weight[e]), ...(edge.lag ? [edge.lag[e]] : [])]);
  byId("couplings").append(table(`The ${count} strongest of ${shown(edge.source.length)} pairs`, head, rows));
}

const ROWS = 25;
function showRows(from) {
  byId("nodes-section").hidden = false;
  const to = Math.min(graph.nodes, from + ROWS);
  const places = Array.from({ length: graph.columns }, (_, c) => ({ name: "xyzw"[c] || `axis ${c}` }));
  const head = [{ name: "node" }, { name: "name", text: true }, ...places, { name: "part" }, { name: "confidence" }, ...(node.gain ? [{ name: "gain" }] : []), { name: "neighbours", text: true }];
  const rows = [];
  for (let i = from; i < to; i++) {
    const place = places.map((_, c) => (isPlaced(i) ? shown(node.pos[i * graph.columns + c], 2) : ""));
    const near = neighboursOf(i).slice(0, 8).map((one) => nameOf(one.node)).join(", ");
    rows.push([i, link(i), ...place, node.part[i] < 0 ? "not live" : node.part[i], node.live[i] ? shown(node.confidence[i], 2) : "", ...(node.gain ? [Number.isFinite(node.gain[i]) ? shown(node.gain[i]) : ""] : []), near]);
  }
  byId("rows").replaceChildren(table("Places, confidence and up to eight neighbours of each node", head, rows));
  byId("rows-shown").textContent = `${from + 1} to ${to} of ${graph.nodes.toLocaleString("en")}`;
  byId("rows-before").disabled = from === 0;
  byId("rows-after").disabled = to === graph.nodes;
  byId("rows-before").onclick = () => showRows(Math.max(0, from - ROWS));
  byId("rows-after").onclick = () => showRows(from + ROWS);
}
