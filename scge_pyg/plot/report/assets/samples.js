// Samples as they came, in the order of the nodes, and put where the map has them.
function startSamples() {
  if (!graph || !samples) return;
  byId("samples-section").hidden = false;
  const nodes = graph.columns ? nodesOf("all") : [];
  const { place } = nodes.length ? arranged(nodes, [...Array(Math.min(3, graph.columns)).keys()]) : { place: [] };
  const placed = nodes.length ? ", and with each value at its node's place" : "";
  const told = [`The first ${samples.count} of ${samples.given.toLocaleString("en")} samples, in the order in which the nodes came${placed}.`];
  if (!nodes.length) told.push("Without places there is no order to put them in.");
  else if (nodes.length < graph.nodes) told.push(`${graph.nodes - nodes.length} nodes without a place are left out of the second picture.`);
  if (place.length === 3) told.push("Three coordinates are looked at from aside; a button colours the map by a sample.");
  if (place.length < 2 && nodes.length) told.push("Values are heights; in the second picture they stand in the order of the map.");
  byId("samples-note").textContent = told.join(" ");
  const line = place.length === 1;
  const order = line ? [...nodes.keys()].sort((a, b) => place[0][a] - place[0][b]).map((k) => nodes[k]) : [];
  const after = place.length === 2 ? raster(place, nodes) : null;
  const before = nearSquare(graph.nodes);
  const cards = [];
  for (let s = 0; s < samples.count; s++) {
    const first = line ? curve(s, [...Array(graph.nodes).keys()]) : picture(s, before);
    first.setAttribute("aria-label", `Sample ${s} in the order in which the nodes came`);
    const card = make("div", { class: "sample" }, make("p", {}, `sample ${s}, as it came`), first);
    if (nodes.length) {
      const second = line ? curve(s, order) : after ? picture(s, after) : solid(s, place, nodes);
      second.setAttribute("aria-label", `Sample ${s} with each value at its node's place`);
      card.append(make("p", {}, "put back"), second, make("button", { type: "button", click: () => { map.colorBy(`sample-${s}`); byId("map-section").scrollIntoView(); } }, "on the map"));
    }
    cards.push(card);
  }
  byId("samples").replaceChildren(...cards);
}

function byteOf(s, i, c) { return samples.values[(s * graph.nodes + i) * samples.channels + Math.min(c, samples.channels - 1)]; }

// Node of each pixel of a picture of all nodes, row by row.
function nearSquare(count) {
  let width = Math.ceil(Math.sqrt(count));
  for (let w = width; w <= 1.5 * Math.sqrt(count); w++) if (count % w === 0) { width = w; break; }
  const height = Math.ceil(count / width);
  return { width, height, nodes: new Int32Array(width * height).fill(-1).map((_, p) => (p < count ? p : -1)) };
}

// Node of each pixel: the nearest within one and a half spacings; a pixel a node on a lattice, else finer.
function raster(place, nodes) {
  const [lowY, highY] = span(place[0]), [lowX, highX] = span(place[1]);
  const onLattice = graph.parts.length > 0 && graph.parts.every((part) => part.lattice || !part.dim);
  const extent = Math.max(highX - lowX, highY - lowY, graph.spacing);
  const pixel = onLattice ? graph.spacing : Math.max(graph.spacing / 4, extent / 400);
  const margin = onLattice ? 0 : graph.spacing / 2;
  const size = (low, high) => Math.max(1, Math.round((high - low + 2 * margin) / pixel) + 1);
  const width = size(lowX, highX), height = size(lowY, highY), reach = (onLattice ? 0.75 : 1.5) * graph.spacing / pixel;
  const found = new Int32Array(width * height).fill(-1), distance = new Float32Array(width * height).fill(Infinity);
  nodes.forEach((i, k) => {
    const x = (place[1][k] - lowX + margin) / pixel, y = (place[0][k] - lowY + margin) / pixel;
    for (let row = Math.max(0, Math.ceil(y - reach)); row <= Math.min(height - 1, y + reach); row++)
      for (let column = Math.max(0, Math.ceil(x - reach)); column <= Math.min(width - 1, x + reach); column++) {
        const far = (column - x) ** 2 + (row - y) ** 2, at = row * width + column;
        if (far < distance[at] && far <= (onLattice ? 0.5 : reach ** 2)) { distance[at] = far; found[at] = i; }
      }
  });
  return { width, height, nodes: found };
}

function canvas(width, height, shownWidth) {
  const made = make("canvas", { role: "img", width, height });
  made.style.width = `${shownWidth}px`;
  return made;
}

function picture(s, { width, height, nodes }) {
  const made = canvas(width, height, width >= height ? 150 : Math.max(40, (150 * width) / height));
  made.classList.add("cells"); // what is missing is clear, and shows the colour behind
  const pen = made.getContext("2d"), image = pen.createImageData(width, height);
  nodes.forEach((i, p) => {
    if (i < 0 || !byteOf(s, i, 0)) return;
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = byteOf(s, i, c) - 1;
    image.data[4 * p + 3] = 255;
  });
  pen.putImageData(image, 0, 0);
  return made;
}

function curve(s, order) {
  const made = canvas(560, 150, 280), pen = made.getContext("2d");
  pen.lineWidth = 2;
  for (let c = 0; c < samples.channels; c++) {
    pen.strokeStyle = PALETTE[c];
    pen.beginPath();
    let open = false;
    order.forEach((i, k) => {
      const step = byteOf(s, i, c), x = 5 + (550 * k) / Math.max(1, order.length - 1), y = 145 - (140 * (step - 1)) / 254;
      if (step) pen[open ? "lineTo" : "moveTo"](x, y);
      open = step > 0;
    });
    pen.stroke();
  }
  return made;
}

// Dots in three coordinates seen from aside, the far ones first.
function solid(s, place, nodes) {
  const made = canvas(320, 320, 160), pen = made.getContext("2d");
  const middle = place.map((axis) => { const [low, high] = span(axis); return (low + high) / 2; });
  const at = nodes.map((i, k) => {
    const [x, y, z] = place.map((axis, j) => axis[k] - middle[j]);
    const right = 0.8 * x - 0.6 * y, away = 0.6 * x + 0.8 * y;
    return { i, x: right, y: -0.85 * z + 0.5 * away, depth: 0.5 * z + 0.85 * away };
  }).sort((a, b) => b.depth - a.depth);
  const reach = at.reduce((most, one) => Math.max(most, Math.abs(one.x), Math.abs(one.y)), graph.spacing / 2) + graph.spacing / 2;
  const scale = 156 / reach;
  for (const { i, x, y } of at) {
    if (!byteOf(s, i, 0)) continue;
    const [r, g, b] = [0, 1, 2].map((c) => byteOf(s, i, c) - 1);
    pen.fillStyle = `rgb(${r},${g},${b})`;
    pen.beginPath();
    pen.arc(160 + scale * x, 160 + scale * y, Math.max(1.5, 0.4 * scale * graph.spacing), 0, 7);
    pen.fill();
  }
  return made;
}
