// The tables: sort by a column, turn pages, save as CSV, Markdown or LaTeX. `analysis/report/tables.py` has the same rules.
(() => {
  "use strict";
  const PRINTED = 1000; // rows of a table on paper
  const HUGE = 1e6, TINY = 1e-3, NOISE = 1e-12; // numbers.py

  function text(cell, digits) {
    if (cell === null) return "";
    const isTiny = typeof cell === "number" && cell && Math.abs(cell) < 1e-4; // Python writes 1e-05
    if (digits === null) return isTiny ? cell.toExponential().replace(/e-(\d)$/, "e-0$1") : String(cell);
    if (cell === "nan") return "NaN";
    if (cell === "inf" || cell === "-inf") return cell.replace("inf", "∞");
    if (typeof cell === "string") return cell;
    const size = Math.abs(cell), shown = cell * (1 + NOISE);
    if (digits >= 0 && size < HUGE) return shown.toFixed(digits);
    if (cell && !(TINY <= size && size < HUGE)) return shown.toExponential(2).replace("e+", "e");
    return String(Number(shown.toPrecision(-digits)));
  }

  const number = (cell) => (typeof cell === "number" ? cell : cell === "inf" ? Infinity : cell === "-inf" ? -Infinity : NaN);

  function compare(a, b, sign) {
    const [x, y] = [number(a), number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return sign * (x - y);
    if (!Number.isNaN(x) || !Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // what is no number comes last
    return sign * String(a ?? "").localeCompare(String(b ?? ""), undefined, { numeric: true });
  }

  const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
  const escaped = {
    csv: (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value),
    markdown: (value) => value.replace(/[\\|`*_<>[\]$&]/g, "\\$&"),
    latex: (value) => value.replace(/[\\~^&%$#_{}]/g, (sign) => LATEX[sign] ?? `\\${sign}`),
  };

  function written(kind, table) {
    const head = table.columns.map((column) => escaped[kind](column.name));
    const cell = (value, i) => (kind === "csv" ? String(value ?? "") : text(value, table.columns[i].digits));
    const rows = table.rows.map((row) => row.map((value, i) => escaped[kind](cell(value, i))));
    if (kind === "csv") return [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
    const isNumber = table.columns.map((column) => column.digits !== null);
    if (kind === "markdown") {
      const rule = isNumber.map((right) => (right ? "---:" : "---"));
      return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n") + "\n";
    }
    const lines = [head, ...rows].map((row) => `${row.join(" & ")} \\\\`);
    const layout = isNumber.map((right) => (right ? "r" : "l")).join("");
    return [`\\begin{tabular}{${layout}}`, "\\hline", lines[0], "\\hline", ...lines.slice(1), "\\hline", "\\end{tabular}", ""].join("\n");
  }

  function save(name, content) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/plain;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const ENDING = { csv: "csv", markdown: "md", latex: "tex" };

  function enliven(element) {
    const source = element.querySelector("script");
    if (!source) return;
    const table = JSON.parse(source.textContent);
    const body = element.querySelector("tbody"), heads = [...element.querySelectorAll("thead th")];
    let first = 0;

    function fill(from = first, rows = table.page) {
      body.replaceChildren(...table.rows.slice(from, from + rows).map((row) => {
        const line = document.createElement("tr");
        row.forEach((cell, i) => {
          const { digits } = table.columns[i];
          const place = document.createElement(i ? "td" : "th");
          if (!i) place.scope = "row";
          place.textContent = text(cell, digits);
          if (digits !== null) place.className = "number";
          line.append(place);
        });
        return line;
      }));
    }

    function sort(i) {
      const descending = heads[i].getAttribute("aria-sort") === "ascending";
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      heads[i].setAttribute("aria-sort", descending ? "descending" : "ascending");
      table.rows.sort((a, b) => compare(a[i], b[i], descending ? -1 : 1));
      first = 0;
      fill();
      count();
    }

    heads.forEach((head, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(i));
      head.replaceChildren(button);
    });

    const pager = element.querySelector(".pager"), range = document.createElement("span"), turns = [];
    function count() {
      range.textContent = `rows ${first + 1} to ${Math.min(first + table.page, table.rows.length)} of ${table.rows.length}`;
      turns.forEach(([button, by]) => button.setAttribute("aria-disabled", !isThere(first + by)));
    }
    const isThere = (row) => row >= 0 && row < table.rows.length;
    if (table.rows.length > table.page) {
      for (const [label, by] of [["Previous", -table.page], ["Next", table.page]]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = label;
        button.addEventListener("click", () => {
          if (!isThere(first + by)) return; // not `disabled`, which would lose the focus
          first += by;
          fill();
          count();
        });
        turns.push([button, by]);
      }
      range.setAttribute("aria-live", "polite");
      pager.append(turns[0][0], " ", range, " ", turns[1][0]);
      count();
      const cut = document.createElement("p");
      cut.textContent = `Rows 1 to ${PRINTED} of ${table.rows.length}: the files of the run folder have all.`;
      window.addEventListener("beforeprint", () => {
        fill(0, PRINTED);
        if (table.rows.length > PRINTED) element.append(cut);
      });
      window.addEventListener("afterprint", () => {
        fill();
        cut.remove();
      });
    }

    for (const button of element.querySelectorAll("[data-format]"))
      button.addEventListener("click", () => {
        const kind = button.dataset.format;
        save(`${table.key}.${ENDING[kind]}`, written(kind, table));
      });
    element.querySelector(".tools").hidden = false;
  }

  document.querySelectorAll("[data-table]").forEach(enliven);
  document.querySelectorAll("[data-file]").forEach((element) => {
    const button = element.querySelector("button"), name = element.dataset.file.split("/").pop();
    button.addEventListener("click", () => save(name, element.querySelector("pre").textContent));
    button.parentElement.hidden = false;
  });
  let closed = []; // what is opened for the paper alone
  window.addEventListener("beforeprint", () => {
    closed = [...closed, ...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => (details.open = true));
  });
  window.addEventListener("afterprint", () => closed.splice(0).forEach((details) => (details.open = false)));
})();
