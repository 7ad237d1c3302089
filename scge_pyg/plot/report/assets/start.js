// What the page shows first stands first; a failure of one section is said and leaves the others.
function startVerdict() {
  byId("verdict").hidden = false;
  const lone = graph.nodes - graph.live ? ` (${shown(graph.live)} live)` : "";
  const parts = graph.parts.length > 1 ? `, ${shown(graph.parts.length)} parts` : "";
  byId("facts").textContent = `${shown(graph.nodes)} node${graph.nodes === 1 ? "" : "s"}${lone}, ${shown(graph.edges)} edges${parts}`;
  byId("words").append(
    ...graph.verdict.map((text) => make("p", {}, text)),
    ...content.warnings.map((text) => make("p", { class: "warning" }, text)),
    ...graph.notes.map((text) => make("p", { class: "note" }, text)),
  );
  if (!map && edge.source.length) byId("words").append(make("p", {}, "There is no map; the strongest couplings are listed below."));
}

function startAbout() {
  const told = [...content.missing];
  if (content.file) told.push(`The graph is that of ${content.file}.`);
  if (graph && !samples) told.push("No samples were given, so none are shown before and after.");
  byId("about").hidden = !told.length && !Object.keys(content.texts).length;
  byId("missing").append(...told.map((text) => make("li", {}, text)));
  for (const [name, text] of Object.entries(content.texts)) byId("texts").append(make("details", {}, make("summary", {}, name), make("pre", { tabindex: 0 }, text)));
}

async function started(what, start) {
  await new Promise((next) => setTimeout(next)); // the map answers the pointer while the rest is made
  try { await start(); } catch (error) {
    byId("failed").hidden = false;
    byId("failed").append(`The section on ${what} failed: ${error.message}. `);
    console.error(error);
  }
}

(async () => {
  if (graph) {
    await started("the verdict", startVerdict);
    if (map) await started("the map", map.start);
    performance.mark("map-ready");
    document.documentElement.dataset.map = "ready";
    await started("nodes", startNodes);
    await started("the gain", startGain);
    await started("samples", startSamples);
    await started("downloads", startDownloads);
  }
  await started("metrics", startMetrics);
  await started("the run", startAbout);
  document.documentElement.dataset.page = "ready";
})();
