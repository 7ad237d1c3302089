// The map: nodes at their coordinates, edges on demand, the node under the pointer in words.
const map = (() => {
  if (!graph || !nodesOf("all").length) return null;
  const MANY_EDGES = 20000, FEW_NODES = 1000, start3d = () => ({ eye: { x: 1.8, y: 1.1, z: 0.9 } });
  const div = byId("map"), tip = byId("tip");
  const colors = quantities(), views = viewsOf(graph.columns);
  const webgl = (() => { try { return !!document.createElement("canvas").getContext("webgl"); } catch { return false; } })();
  const usable = webgl ? views : views.filter((view) => view.columns.length < 3);
  const state = { part: "all", color: colors[0], view: usable[0], edges: edge.source.length <= MANY_EDGES, selected: -1 };
  let scene = null, nodesOfTrace = [], hovered = -1, pressed = null, pointer = { x: 0, y: 0 };
  const flat = (name) => (webgl && scene.nodes.length > FEW_NODES ? `${name}gl` : name);

  function arrange() {
    const nodes = nodesOf(state.part);
    const where = new Int32Array(graph.nodes).fill(-1);
    nodes.forEach((i, k) => { where[i] = k; });
    scene = { nodes, where, ...arranged(nodes, state.view.columns), key: `${state.part} ${state.view.key}` };
    scene.lines = null;
  }

  // One coordinate: what the colour means is the height. Two: the first runs down and the second to the right.
  function axesOf(place, values) {
    if (place.length === 1) {
      const low = span(values.filter(Number.isFinite))[0];
      return { x: place[0], y: Float32Array.from(values, (value) => (Number.isFinite(value) ? value : low)) };
    }
    return place.length === 2 ? { x: place[1], y: place[0] } : { x: place[0], y: place[1], z: place[2] };
  }
  function lineTrace(lines, color, width) {
    const kind = lines.axes.length === 3 ? "scatter3d" : flat("scatter");
    const [x, y, z] = lines.axes.length === 2 ? [lines.axes[1], lines.axes[0]] : lines.axes;
    return { type: kind, mode: "lines", x, y, ...(z ? { z } : {}), line: { color, width: z ? 1.5 * width : width }, hoverinfo: "skip", connectgaps: false };
  }
  function linesBetween(place, values, pairs) {
    const drawn = place.length === 1 ? [axesOf(place, values).y, place[0]] : place;
    return segments(scene.where, drawn, pairs);
  }
  function pairsOf(i) { const { first, pair } = around(); return pair.slice(first[i], first[i + 1]); }
  function nodeTrace(axes, kept, marker, size) {
    const pick = (values) => Float32Array.from(kept, (k) => values[k]);
    const three = scene.place.length === 3;
    nodesOfTrace.push(kept.map((k) => scene.nodes[k]));
    return {
      type: three ? "scatter3d" : flat("scatter"), mode: "markers", x: pick(axes.x), y: pick(axes.y), ...(three ? { z: pick(axes.z) } : {}),
      marker: { size, line: { width: 0 }, ...marker }, hoverinfo: "none",
    };
  }
  // Dots cover about half of the distance between neighbours.
  function dotSize() {
    const box = div.getBoundingClientRect();
    const ends = (axis) => { const [low, high] = span(axis); return high - low + graph.spacing; };
    if (scene.place.length === 1) return Math.min(12, Math.max(5, (0.9 * box.width) / (scene.nodes.length + 1)));
    const widths = scene.place.map(ends);
    if (scene.place.length === 3) return Math.min(9, Math.max(2.5, (0.28 * box.height * graph.spacing) / Math.max(...widths)));
    const zoomed = div.layout && div.layout.xaxis.range && div.dataset.scene === scene.key ? Math.abs(div.layout.xaxis.range[1] - div.layout.xaxis.range[0]) : 0;
    const pixels = zoomed ? (box.width - 90) / zoomed : Math.min((box.width - 90) / widths[1], (box.height - 60) / widths[0]);
    return Math.min(22, Math.max(2.5, 0.55 * pixels * graph.spacing));
  }
  function layoutOf() {
    const key = scene.key, one = scene.place.length === 1;
    const named = (j) => (scene.many ? "" : `coordinate ${state.view.columns[j] + 1}`);
    const axis = (text, options) => theme.axis({ title: { text }, zeroline: false, showticklabels: !scene.many, ...options });
    const common = { uirevision: key, hovermode: "closest", dragmode: "pan", margin: { l: 52, r: 10, t: 30, b: 42 } };
    if (scene.place.length === 3) {
      const cube = (j) => axis(named(j), { backgroundcolor: "rgba(0,0,0,0)", showspikes: false });
      return theme.layout({ ...common, dragmode: "turntable", margin: { l: 0, r: 0, t: 0, b: 0 }, scene: { xaxis: cube(0), yaxis: cube(1), zaxis: cube(2), aspectmode: "data", camera: start3d(), uirevision: key } });
    }
    if (one)
      return theme.layout({ ...common, xaxis: axis(scene.many ? "parts side by side" : "coordinate (node spacings)"), yaxis: theme.axis({ title: { text: plain(state.color.name) }, zeroline: false }) });
    return theme.layout({ ...common, xaxis: axis(named(1)), yaxis: axis(named(0), { autorange: "reversed", scaleanchor: "x" }) });
  }

  function draw() {
    if (!scene || scene.key !== `${state.part} ${state.view.key}`) arrange();
    const { nodes, place } = scene, colorOf = state.color.values();
    const values = Float32Array.from(nodes, (i) => colorOf[i]);
    const axes = axesOf(place, values), size = dotSize(), traces = [];
    nodesOfTrace = [];
    const line = (trace) => { traces.push(trace); nodesOfTrace.push(null); };
    if (state.edges) {
      if (!scene.lines || place.length === 1) scene.lines = linesBetween(place, values);
      line(lineTrace(scene.lines, theme.color(place.length === 3 ? "solid" : "edge"), 1));
    }
    const chosen = scene.where[state.selected] ?? -1;
    if (chosen >= 0) line(lineTrace(linesBetween(place, values, pairsOf(state.selected)), theme.color("mark"), 2.5));
    const keys = [...nodes.keys()];
    const unknown = keys.filter((k) => !Number.isFinite(values[k])), known = keys.filter((k) => Number.isFinite(values[k]));
    if (unknown.length) traces.push(nodeTrace(axes, unknown, { color: theme.color("none") }, size));
    if (known.length) traces.push(nodeTrace(axes, known, markerColors(state.color, Float32Array.from(known, (k) => values[k])), size));
    if (chosen >= 0) traces.push(nodeTrace(axes, [chosen], { color: theme.color("mark"), symbol: "circle-open", line: { width: 2.5, color: theme.color("mark") } }, size + 8));
    note(unknown.length);
    const done = Plotly.react(div, traces, layoutOf(), { ...BARS, scrollZoom: true });
    div.dataset.scene = scene.key;
    return done;
  }
  function note(unknown) {
    const told = [];
    if (scene.place.length === 1) told.push("One coordinate runs to the right; the height is what the colour means.");
    if (scene.many) told.push("Parts have frames of their own; they stand side by side, the largest first.");
    if (graph.columns > 3 || !webgl) told.push(webgl ? `Of ${graph.columns} coordinates, those chosen are shown.` : "This browser has no WebGL, so two coordinates are shown at a time.");
    if (unknown) told.push(`Grey: ${unknown.toLocaleString("en")} nodes without a value of ${state.color.name}.`);
    if (state.edges && scene.lines && scene.lines.hidden) told.push(`${scene.lines.hidden.toLocaleString("en")} edges that close a lattice on itself are not drawn.`);
    const flatParts = graph.parts.filter((part) => !part.dim).length;
    if (flatParts) told.push(`${flatParts} of the parts have no geometry; they are in the tables alone.`);
    if (!scene.nodes.length) told.push("No node has a place here.");
    byId("map-note").textContent = told.join(" ");
    div.setAttribute("aria-label", `Map of ${scene.nodes.length} nodes, coloured by ${state.color.name}. Arrow keys move, plus and minus zoom, 0 shows all; every node is in the search and in the table of nodes.`);
  }

  function showTip(i) {
    tip.replaceChildren(...describe(i, 5));
    tip.hidden = false;
    const box = div.parentElement.getBoundingClientRect();
    const left = pointer.x - box.left, top = pointer.y - box.top;
    tip.style.left = `${Math.max(0, left + 16 + tip.offsetWidth > box.width ? left - tip.offsetWidth - 12 : left + 16)}px`;
    tip.style.top = `${Math.max(0, Math.min(top + 12, box.height - tip.offsetHeight))}px`;
  }
  const nodeAt = (event) => { const point = event.points.find((one) => nodesOfTrace[one.curveNumber]); return point ? nodesOfTrace[point.curveNumber][point.pointNumber] : -1; };

  // Zoom by a factor about the middle, or move by a share of what is seen.
  function look(factor, right = 0, up = 0) {
    if (scene.place.length === 3) {
      const { eye } = div.layout.scene.camera || start3d();
      const turn = 2 * right, turned = { x: eye.x * Math.cos(turn) - eye.y * Math.sin(turn), y: eye.x * Math.sin(turn) + eye.y * Math.cos(turn), z: eye.z + up };
      return Plotly.relayout(div, { "scene.camera.eye": Object.fromEntries(Object.entries(turned).map(([key, value]) => [key, factor * value])) });
    }
    const zoomed = (axis, shift) => { const [a, b] = axis.range.map(Number), m = (a + b) / 2 + shift * (b - a), h = (factor * (b - a)) / 2; return [m - h, m + h]; };
    const { xaxis, yaxis } = div.layout;
    return Plotly.relayout(div, { "xaxis.range": zoomed(xaxis, right), "yaxis.range": zoomed(yaxis, up) });
  }
  function whole() {
    if (scene.place.length === 3) return Plotly.relayout(div, { "scene.camera": start3d() });
    return Plotly.relayout(div, { "xaxis.autorange": true, "yaxis.autorange": scene.place.length === 2 ? "reversed" : true });
  }
  function select(i) {
    state.selected = i;
    if (state.part !== "all" && scene.where[i] < 0 && isPlaced(i)) { state.part = "all"; byId("part").value = "all"; }
    return draw();
  }
  function colorBy(key) {
    state.color = colors.find((one) => one.key === key);
    byId("color").value = key;
    return draw();
  }

  function start() {
    byId("map-section").hidden = false;
    byId("color").append(...colors.map((one) => make("option", { value: one.key }, one.name)));
    byId("view").append(...usable.map((view) => make("option", { value: view.key }, view.name)));
    byId("view-label").hidden = usable.length < 2;
    byId("part-label").hidden = graph.parts.length < 2;
    byId("part").append(make("option", { value: "all" }, "all"), ...graph.parts.slice(0, 500).flatMap((part, k) => (part.dim ? [make("option", { value: k }, `${k} (${part.nodes} nodes, ${part.dim}-D)`)] : [])));
    byId("edges").checked = state.edges;
    byId("part").addEventListener("change", (event) => { state.part = event.target.value === "all" ? "all" : Number(event.target.value); draw(); });
    byId("color").addEventListener("change", (event) => colorBy(event.target.value));
    byId("view").addEventListener("change", (event) => { state.view = usable.find((view) => view.key === event.target.value); draw(); });
    byId("edges").addEventListener("change", (event) => { state.edges = event.target.checked; draw(); });
    byId("closer").addEventListener("click", () => look(1 / 1.5));
    byId("farther").addEventListener("click", () => look(1.5));
    byId("whole").addEventListener("click", whole);
    const keys = { "+": [1 / 1.5], "=": [1 / 1.5], "-": [1.5], ArrowLeft: [1, -0.15], ArrowRight: [1, 0.15], ArrowUp: [1, 0, 0.15], ArrowDown: [1, 0, -0.15] };
    div.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "0") whole(); else if (keys[event.key]) { event.preventDefault(); look(...keys[event.key]); }
    });
    div.addEventListener("pointermove", (event) => { pointer = { x: event.clientX, y: event.clientY }; }, true);
    div.addEventListener("pointerleave", () => { tip.hidden = true; });
    const done = draw();
    div.on("plotly_hover", (event) => { hovered = nodeAt(event); if (hovered >= 0) showTip(hovered); });
    div.on("plotly_unhover", () => { hovered = -1; tip.hidden = true; });
    div.on("plotly_click", (event) => { const i = nodeAt(event); if (i >= 0 && scene.place.length < 3) showNode(i); });
    // in three coordinates plotly misses short clicks
    div.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; }, true);
    div.addEventListener("pointerup", (event) => {
      const still = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 4;
      if (still && hovered >= 0 && scene.place.length === 3) showNode(hovered);
    }, true);
    let timer = 0, last = 0;
    div.on("plotly_relayout", () => {
      clearTimeout(timer);
      if (scene.place.length === 2) timer = setTimeout(() => { const size = Math.round(2 * dotSize()) / 2; if (size !== last) { last = size; draw(); } }, 120);
    });
    theme.onChange(draw);
    return done;
  }
  return { start, select, colorBy, arranged: () => scene };
})();
