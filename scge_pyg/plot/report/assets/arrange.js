// Where nodes are drawn: the coordinates that were chosen, parts side by side in rows, the largest first.
function viewsOf(columns) {
  if (columns <= 2) return [{ key: "all", name: columns === 1 ? "one" : "1 and 2", columns: columns === 1 ? [0] : [0, 1] }];
  const views = [];
  for (let a = 0; a < columns; a++)
    for (let b = a + 1; b < columns; b++)
      for (let c = b + 1; c < columns; c++) views.push({ columns: [a, b, c] });
  for (let a = 0; a < columns; a++) for (let b = a + 1; b < columns; b++) views.push({ columns: [a, b] });
  return views.map((view) => ({
    ...view, key: view.columns.join("-"), name: view.columns.map((c) => c + 1).join(", ").replace(/, (\d+)$/, " and $1"),
  }));
}

// Nodes of one part, or of all, that have a place.
function nodesOf(part) {
  const nodes = [];
  for (let i = 0; i < graph.nodes; i++) if (isPlaced(i) && (part === "all" || node.part[i] === part)) nodes.push(i);
  return nodes;
}

// Coordinates [axis][k] of the k-th node; a part stands where it is if it is alone.
function arranged(nodes, columns) {
  const place = columns.map((c) => Float32Array.from(nodes, (i) => node.pos[i * graph.columns + c]));
  const blocks = new Map();
  nodes.forEach((i, k) => {
    const block = node.part[i] < graph.parts.length ? node.part[i] : graph.parts.length;
    if (!blocks.has(block)) blocks.set(block, []);
    blocks.get(block).push(k);
  });
  if (blocks.size > 1) sideBySide([...blocks.entries()].sort((a, b) => a[0] - b[0]), place);
  return { place, many: blocks.size > 1 };
}

function sideBySide(blocks, place) {
  const gap = 2 * graph.spacing;
  const [down, right] = place.length > 1 ? [place[0], place[1]] : [null, place[0]];
  const boxes = blocks.map(([number, members]) => {
    if (number === graph.parts.length) inRows(members, place);
    for (const axis of place) {
      const low = members.reduce((least, k) => Math.min(least, axis[k]), Infinity);
      for (const k of members) axis[k] -= low;
    }
    const extent = (axis) => (axis ? members.reduce((most, k) => Math.max(most, axis[k]), 0) : 0);
    return { members, width: extent(right) + gap, height: extent(down) + gap };
  });
  const area = boxes.reduce((sum, box) => sum + box.width * box.height, 0);
  const widest = Math.max(...boxes.map((box) => box.width), 1.35 * Math.sqrt(area));
  let x = 0, y = 0, row = 0;
  for (const { members, width, height } of boxes) {
    if (down && x > 0 && x + width > widest + 1e-6) { x = 0; y += row; row = 0; }
    for (const k of members) { right[k] += x; if (down) down[k] += y; }
    x += width;
    row = Math.max(row, height);
  }
}

// Nodes that are joined to no other have no common frame: rows of them.
function inRows(members, place) {
  const side = place.length > 1 ? Math.ceil(Math.sqrt(members.length)) : members.length;
  members.forEach((k, n) => {
    place.forEach((axis) => { axis[k] = 0; });
    place[Math.min(1, place.length - 1)][k] = graph.spacing * (n % side);
    if (place.length > 1) place[0][k] = graph.spacing * Math.floor(n / side);
  });
}

// Ends of the edges between shown nodes, a gap after each, as plotly draws lines; those that close a ring are left out.
function segments(where, place, pairs = null) {
  const axes = place.map(() => []);
  let hidden = 0;
  const count = pairs ? pairs.length : edge.source.length;
  for (let n = 0; n < count; n++) {
    const e = pairs ? pairs[n] : n;
    const a = where[edge.source[e]], b = where[edge.target[e]];
    if (a < 0 || b < 0) continue;
    if (edge.wraps && edge.wraps[e]) { hidden++; continue; }
    axes.forEach((axis, j) => axis.push(place[j][a], place[j][b], null));
  }
  return { axes, hidden };
}
