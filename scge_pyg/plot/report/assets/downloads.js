// Files made from what the page holds: the graph as it was saved, nodes and edges as tables.
function save(name, parts, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function cell(text, mark = ",") {
  const value = String(text);
  return value.includes('"') || value.includes(mark) || /[\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
function figure(value, digits) { return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : ""; }

// The columns of nodes.csv of `scge discover`, and the gain where nodes were judged.
function nodeTable() {
  const axes = Array.from({ length: graph.columns }, (_, c) => "xyzw"[c] || `axis ${c}`);
  const lines = [["node", "name", ...axes, "component", "confidence", "sign", "neighbours", ...(node.gain ? ["gain"] : [])].join(",")];
  for (let i = 0; i < graph.nodes; i++) {
    const place = axes.map((_, c) => figure(node.pos[i * graph.columns + c], 6));
    const near = neighboursOf(i).map((one) => cell(nameOf(one.node), ";")).join(";");
    const gain = node.gain ? [figure(node.gain[i], 6)] : [];
    lines.push([i, cell(nameOf(i)), ...place, node.part[i], figure(node.live[i] ? node.confidence[i] : 0, 4), node.sign[i], cell(near), ...gain].join(","));
  }
  return `${lines.join("\n")}\n`;
}

function edgeTable() {
  const lines = [`source,target,weight${edge.lag ? ",lag" : ""}`];
  for (let e = 0; e < edge.source.length; e++)
    lines.push([cell(nameOf(edge.source[e])), cell(nameOf(edge.target[e])), figure(edge.weight[e], 6), ...(edge.lag ? [edge.lag[e]] : [])].join(","));
  return `${lines.join("\n")}\n`;
}

async function graphFile() {
  const bytes = decoded({ type: "u1", data: graph.file });
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function startDownloads() {
  byId("downloads-section").hidden = false;
  byId("save-nodes").addEventListener("click", () => save("nodes.csv", [nodeTable()], "text/csv"));
  byId("save-edges").addEventListener("click", () => save("edges.csv", [edgeTable()], "text/csv"));
  byId("save-graph").addEventListener("click", async () => save("graph.safetensors", [await graphFile()], "application/octet-stream"));
}
