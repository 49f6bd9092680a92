// Layers -----------------------------------------------------------------------------------

const COLUMNS = [
  ["us", "µs", (l) => l.us, (v) => fixed(v, 1)],
  ["bound", "bound", (l) => l.bound, String],
  ["serial", "serial µs", (l) => l.serial, (v) => fixed(v, 1)],
  ["channel", "busiest", (l) => l.channel, String],
  ["busy", "busy µs", (l) => l.busy, (v) => fixed(v, 1)],
  ["macs", "MACs", (l) => l.macs || null, scaled],
  ["density", "density", (l) => l.density, (v) => fixed(v, 2)],
  ["weights", "weights B", (l) => l.weights || null, scaled],
  ["ddr", "DDR B", (l) => l.ddr_in + l.ddr_out || null, scaled],
];
const FEWER = ["us", "bound", "serial", "channel", "density", "weights"];
const SUMS = ["us", "serial", "macs", "weights", "ddr"];

function layerTable() {
  const rows = programs[0].layers.map((layer, n) => ({ n, name: layer.name, op: layer.op, of: [layer] }));
  if (programs.length > 1) {
    programs[1].layers.forEach((layer) => {
      const twin = rows.find((r) => r.name === layer.name && r.op === layer.op && !r.of[1]);
      if (twin) twin.of[1] = layer;
      else rows.push({ n: rows.length, name: layer.name, op: layer.op, of: [undefined, layer] });
    });
  }
  const columns = [
    { key: "n", title: "#", of: (r) => r.n, show: (v) => String(v + 1) },
    { key: "name", title: "layer", word: true, of: (r) => short(r.name), show: String },
    { key: "op", title: "op", word: true, of: (r) => r.op, show: String },
  ];
  const wanted = programs.length > 1 ? COLUMNS.filter(([key]) => FEWER.includes(key)) : COLUMNS;
  programs.forEach((program, p) => wanted.forEach(([key, title, of, show], n) => columns.push({
    key: `${key}${p}`, title, show, first: n === 0, word: ["bound", "channel"].includes(key),
    of: (r) => (r.of[p] ? of(r.of[p]) : null), sum: SUMS.includes(key),
  })));
  if (programs.length > 1) columns.push({
    key: "ratio", title: "ratio of µs", first: true, show: (v) => fixed(v, 2),
    of: (r) => (r.of[0] && r.of[1] && r.of[0].us ? r.of[1].us / r.of[0].us : null),
  });
  return { rows, columns, wanted };
}

function cell(kind, column, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (column.word) made.classList.add("word");
  if (column.first) made.classList.add("first");
  return made;
}

function fillTable({ rows, columns, wanted }) {
  const [head, body, foot] = ["thead", "tbody", "tfoot"].map((part) => byId("table").querySelector(part));
  if (programs.length > 1) {
    const line = head.insertRow();
    line.append(Object.assign(document.createElement("th"), { colSpan: 3 }));
    for (const program of programs)
      line.append(Object.assign(document.createElement("th"), { colSpan: wanted.length, className: "group", textContent: program.name }));
  }
  const line = head.insertRow();
  for (const column of columns) {
    const th = cell("th", column, column.title);
    th.dataset.key = column.key;
    th.addEventListener("click", () => sortBy(column, th));
    line.append(th);
  }
  for (const row of rows) {
    const tr = body.insertRow();
    for (const column of columns) {
      const value = column.of(row);
      tr.append(cell("td", column, value === null ? "" : column.show(value)));
    }
    tr.addEventListener("click", () => zoomTo(row));
    row.tr = tr;
  }
  const sums = foot.insertRow();
  for (const column of columns) {
    const sum = column.sum && rows.reduce((s, r) => s + (column.of(r) || 0), 0);
    sums.append(cell("td", column, column.sum ? column.show(sum) : column.key === "name" ? "total" : ""));
  }

  function sortBy(column, th) {
    const up = th.getAttribute("aria-sort") === "descending" || (!th.hasAttribute("aria-sort") && (column.word || column.key === "n"));
    for (const other of line.cells) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const missing = (v) => v === null;
    rows.sort((a, b) => {
      const [x, y] = [column.of(a), column.of(b)];
      if (missing(x) || missing(y)) return missing(x) - missing(y) || a.n - b.n;
      const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
      return (up ? order : -order) || a.n - b.n;
    });
    body.append(...rows.map((r) => r.tr));
  }
  return rows;
}

function zoomTo(row) {
  const layers = row.of.filter(Boolean);
  const from = Math.min(...layers.map((l) => l.start));
  const to = Math.max(...layers.map((l) => l.start + l.us));
  const margin = Math.max(0.04 * (to - from), 0.01);
  zoom(from - margin, to + margin);
  for (const tr of byId("table").querySelectorAll("tr.on")) tr.classList.remove("on");
  row.tr.classList.add("on");
  byId("layers").value = String(row.n);
}
