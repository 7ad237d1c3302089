// Light or dark, as the system has it or as chosen; charts are drawn anew when it changes.
const theme = (() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const choice = byId("theme");
  const redraws = [];

  function stored() {
    try { return localStorage.getItem("scge-report-theme") || "auto"; } catch { return "auto"; }
  }
  function apply() {
    const isDark = choice.value === "dark" || (choice.value === "auto" && dark.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    for (const redraw of redraws) redraw();
  }
  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }
  function axis(options = {}) {
    return { gridcolor: color("grid"), zerolinecolor: color("grid"), linecolor: color("line"), automargin: true, ...options };
  }
  function layout(options = {}) {
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: color("text"), size: 12 },
      margin: { l: 48, r: 12, t: 28, b: 40 }, showlegend: false,
      modebar: { bgcolor: "rgba(0,0,0,0)", color: color("none"), activecolor: color("accent") },
      hoverlabel: { bgcolor: color("back"), bordercolor: color("line"), font: { color: color("text") } }, ...options,
    };
  }
  choice.value = stored();
  choice.addEventListener("change", () => {
    try { localStorage.setItem("scge-report-theme", choice.value); } catch { /* a page without storage forgets it */ }
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
  return { color, axis, layout, onChange: (redraw) => redraws.push(redraw) };
})();

const PALETTE = ["#3b82c4", "#e1812c", "#4a9c59", "#c44e52", "#8d6cab", "#937860", "#d683b8", "#8c9196", "#b5a03a", "#3fa7b5"];
// of plotly's buttons, none that sends what is drawn to a server
const UNWANTED = [
  "sendChartToCloud", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "resetCameraLastSave3d",
  "resetCameraDefault3d", "orbitRotation",
];
const BARS = { displaylogo: false, responsive: true, plotlyServerURL: "", showSendToCloud: false, modeBarButtonsToRemove: UNWANTED };
