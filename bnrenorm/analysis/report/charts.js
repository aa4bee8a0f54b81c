// The charts: draw each Bokeh document, fill its sources with the chosen frame, switch variants and scales.
(() => {
  "use strict";
  const nan = (column) => column.map((value) => (value === null ? NaN : Array.isArray(value) ? nan(value) : value));

  function show(chart) {
    const key = chart.selects.map((select) => select.selectedIndex).join(",");
    const { sources, axis, alt } = chart.frames[key];
    for (const [name, columns] of Object.entries(sources)) {
      const filled = Object.entries(columns).map(([column, values]) => [column, nan(values)]);
      chart.document.get_model_by_name(name).data = Object.fromEntries(filled);
    }
    for (const plot of chart.plots)
      for (const y of plot.left) if (axis && y.axis_label !== undefined) y.axis_label = axis;
    chart.element.querySelector(".plot").setAttribute("aria-label", alt);
    const seen = chart.element.querySelector(".seen");
    if (seen) seen.textContent = alt;
  }

  function toggle(chart, button) {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", isOn);
    for (const plot of chart.plots)
      for (const drawn of plot.renderers) if (drawn.name === button.dataset.tag) drawn.visible = isOn;
  }

  async function draw(element, index) {
    const { item, frames } = JSON.parse(element.querySelector("script").textContent);
    const target = element.querySelector(".plot");
    target.id = `plot-${index}`;
    await Bokeh.embed.embed_item(item, target.id);
    const document_ = Bokeh.documents[Bokeh.documents.length - 1];
    const plots = ["linear", "log"].map((name) => document_.get_model_by_name(name)).filter(Boolean);
    const selects = [...element.querySelectorAll(".controls select")];
    const chart = { element, frames, plots, selects, document: document_ };
    for (const select of selects) select.addEventListener("change", () => show(chart));
    for (const button of element.querySelectorAll(".legend button"))
      button.addEventListener("click", () => toggle(chart, button));
    element.querySelector("[data-reset]").addEventListener("click", () => plots.forEach((plot) => plot.reset.emit()));
    element.querySelector("[data-log]")?.addEventListener("change", (event) => {
      plots[0].visible = !event.target.checked;
      plots[1].visible = event.target.checked;
    });
    element.querySelector(".controls").hidden = false;
  }

  async function drawAll() {
    Bokeh.set_log_level("error"); // it warns of every hidden logarithmic plot that it has no range yet
    let index = 0;
    for (const element of document.querySelectorAll("[data-chart]")) await draw(element, index++);
    document.documentElement.dataset.drawn = index;
  }

  drawAll();
})();
