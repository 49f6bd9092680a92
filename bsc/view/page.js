// The page ---------------------------------------------------------------------------------

function summary() {
  byId("title").textContent = programs.map((p) => p.name).join(" and ");
  document.title = `${byId("title").textContent} · bsc view`;
  byId("summary").textContent = programs
    .map((p) => `${programs.length > 1 ? `${p.name}: ` : ""}${time(p.total_us)} on ${p.machine}, lower bound ${time(p.lower_bound_us)}`)
    .join(" · ");
}

function note(section, text) {
  const made = document.createElement("p");
  made.className = "note";
  made.textContent = text;
  section.append(made);
}

function key(section) {
  const made = document.createElement("p");
  made.className = "key";
  const picker = document.createElement("select");
  const count = Math.max(...programs.map((p) => p.memtiles.length));
  picker.append(...Array.from({ length: count }, (_, n) => new Option(`memtile ${n}`, String(n))));
  picker.id = "memtile";
  picker.addEventListener("change", () => {
    memtile = Number(picker.value);
    for (const { plot, kind } of charts) if (kind === "memtiles") plot.redraw();
  });
  made.append(picker, " ");
  const add = (words, colour) => {
    const span = document.createElement("span");
    const box = document.createElement("i");
    if (colour) box.style.background = colour;
    else box.className = "spilled";
    span.append(box, words);
    made.append(span);
  };
  for (const [colour, words] of Object.values(KINDS)) add(words, colour);
  add("spilled to DDR");
  section.append(made);
}

function start() {
  summary();
  programs.forEach(prepare);
  note(byId("timelines"), "Drag to zoom, double-click for the whole network, Ctrl or Shift and wheel to zoom "
    + "about the pointer, + − and arrow keys. A row is a channel, link or core, and a lane one row while "
    + "many layers are shown; the full part of a block is the share of its time at work.");
  programs.forEach(addTimeline);
  key(byId("memtiles"));
  programs.forEach(addMemtiles);
  const rows = fillTable(layerTable());
  const picker = byId("layers");
  picker.append(new Option("…", ""), ...[...rows].sort((a, b) => a.n - b.n).map((r) => new Option(short(r.name), String(r.n))));
  picker.addEventListener("change", () => picker.value && zoomTo(rows.find((r) => String(r.n) === picker.value)));
  const whole = () => { picker.value = ""; zoom(0, total); };
  const acts = { whole, in: () => zoomBy(0.5), out: () => zoomBy(2), left: () => pan(-0.3), right: () => pan(0.3) };
  for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
  const keys = { "+": acts.in, "=": acts.in, "-": acts.out, ArrowLeft: acts.left, ArrowRight: acts.right, 0: whole };
  addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener("resize", () => {
    for (const { plot } of charts) plot.setSize({ width: chartWidth(), height: plot.height });
  });
  zoom(0, total);
}

// For scripts: the window, what is drawn, and where.
window.bscView = { programs, charts, tensors, zoom, window: () => shown, level: () => programs.map((p) => p.level) };
start();
