// Gain by dimension, the table of last values, and the curves of metrics.
function startGain() {
  const draw = () => {
    const { fit } = graph;
    if (!fit.verdict || !fit.gain_by_columns.length) { byId("gain-figure").hidden = true; return; }
    const columns = fit.gain_by_columns.map((_, k) => k + 1);
    const bars = { type: "bar", x: columns, y: fit.gain_by_columns, marker: { color: columns.map((k) => (k === fit.columns ? theme.color("accent") : theme.color("none"))) }, hovertemplate: "%{x} columns: %{y:.3f} nats<extra></extra>" };
    const level = (y, text, dash) => (y === null ? [] : [{ y, text, dash }]);
    const levels = [...level(fit.ceiling, "best partners without a map", "dash"), ...level(fit.chance, "partners at random", "dot")];
    const shapes = levels.map(({ y, dash }) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { dash, width: 1.5, color: theme.color("mark") } }));
    const annotations = levels.map(({ y, text }) => ({ xref: "paper", x: 1, y, text, showarrow: false, xanchor: "right", yanchor: "bottom", font: { size: 11, color: theme.color("mark") }, bgcolor: theme.color("back"), opacity: 0.85 }));
    const top = Math.max(...levels.map((one) => one.y), ...fit.gain_by_columns.filter((gain) => gain !== null));
    const low = Math.min(0, ...levels.map((one) => one.y), ...fit.gain_by_columns.filter((gain) => gain !== null));
    Plotly.react("gain", [bars], theme.layout({
      margin: { l: 50, r: 8, t: 8, b: 38 }, shapes, annotations, bargap: 0.35,
      xaxis: theme.axis({ title: { text: "columns of the map" }, dtick: 1 }), yaxis: theme.axis({ title: { text: `nats a ${fit.unit}` }, range: [low, low + 1.18 * (top - low || 1)] }),
    }), { ...BARS, displayModeBar: false });
    byId("gain").setAttribute("aria-label", `Held-out gain by columns: ${fit.gain_by_columns.map((gain, k) => `${k + 1}: ${shown(gain)}`).join(", ")}; ceiling ${shown(fit.ceiling)}, chance ${shown(fit.chance)}.`);
  };
  draw();
  theme.onChange(draw);
}

// "train/loss_epoch", "val_loss": one chart for "loss", a curve for each.
function familyOf(name) {
  return name.replace(/_(step|epoch)$/, "").replace(/^(train|val|valid|validation|test|fit)[_/.]/, "");
}

function startMetrics() {
  if (!content.metrics.length) return;
  byId("curves-section").hidden = false;
  const names = [...new Set(content.metrics.flatMap((run) => Object.keys(run.curves)))];
  const last = (run, name) => (run.curves[name] && run.curves[name].value.length ? shown(run.curves[name].value.at(-1), 4) : "");
  const many = content.metrics.length > 1;
  const head = many ? [{ name: "run", text: true }, ...names.map((name) => ({ name }))] : [{ name: "metric", text: true }, { name: "last" }, { name: "values" }];
  const rows = many
    ? content.metrics.map((run) => [run.name, ...names.map((name) => last(run, name))])
    : names.map((name) => [name, last(content.metrics[0], name), shown(content.metrics[0].curves[name].points)]);
  byId("comparison").append(table(many ? "The last value of each metric, a row for each run" : "The last value of each metric, and how many there are", head, rows));

  const drawn = names.filter((name) => content.metrics.some((run) => run.curves[name] && run.curves[name].value.length > 1));
  const families = [...new Set(drawn.map(familyOf))];
  const axis = byId("axis");
  const has = (key) => content.metrics.some((run) => Object.values(run.curves).some((curve) => curve[key] && curve[key].some((at) => at !== null)));
  for (const key of ["step", "epoch"]) if (!has(key)) axis.querySelector(`[value=${key}]`).remove();
  byId("axis-label").hidden = axis.options.length < 2;
  if (!families.length) { byId("curves").append(make("p", { class: "note" }, "No metric has more than one value, so there are no curves.")); return; }
  const boxes = families.map((family) => { const box = make("div", { class: "chart", role: "img" }); byId("curves").append(box); return { family, box }; });
  const draw = () => {
    for (const { family, box } of boxes) {
      const traces = content.metrics.flatMap((run) => drawn.filter((name) => familyOf(name) === family && run.curves[name]).map((name) => {
        const { value, points, ...axes } = run.curves[name];
        const x = axes[axis.value] || value.map((_, k) => k);
        return { type: "scatter", mode: value.length > 60 ? "lines" : "lines+markers", x, y: value, name: plain(many ? `${run.name}: ${name}` : name), marker: { size: 4 } };
      }));
      Plotly.react(box, traces, theme.layout({
        title: { text: plain(family), font: { size: 14 } }, showlegend: traces.length > 1, legend: { orientation: "h", y: -0.3, yanchor: "top" }, colorway: PALETTE,
        margin: { l: 52, r: 10, t: 34, b: 70 }, xaxis: theme.axis({ title: { text: axis.value || "row" } }), yaxis: theme.axis(),
      }), BARS);
      box.setAttribute("aria-label", `Curves of ${family}; the last values are in the table above.`);
    }
  };
  draw();
  axis.addEventListener("change", draw);
  theme.onChange(draw);
}
