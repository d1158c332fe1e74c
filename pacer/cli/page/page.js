// Draws each picture of the page where it belongs. Expressions are interpreted, never compiled:
// the page's policy forbids eval. The figures are in the tables, should a picture fail.
"use strict";
const shared = {
  background: "transparent",
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  view: { stroke: null },
  axis: {
    domainColor: "var(--line)", gridColor: "var(--line)", tickColor: "var(--line)",
    labelColor: "var(--muted)", titleColor: "var(--muted)", labelFontSize: 11, titleFontSize: 11,
    titleFontWeight: "normal", labelPadding: 6,
  },
};
const specs = JSON.parse(document.getElementById("specs").textContent);
const drawn = Object.entries(specs).map(([name, spec]) =>
  vegaEmbed(document.getElementById(name), spec, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, config: shared,
  }).catch((error) => {
    document.getElementById(name).textContent = "This picture could not be drawn; its figures are below.";
    console.error(name, error);
  }));
Promise.all(drawn).then(() => { document.documentElement.dataset.drawn = drawn.length; });
