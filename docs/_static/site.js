// formulas change the height of a page after the browser has gone to its anchor
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
});
