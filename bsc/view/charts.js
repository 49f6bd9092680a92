// Charts -----------------------------------------------------------------------------------

function options(program, height, y, hooks) {
  return {
    width: chartWidth(), height,
    legend: { show: false },
    cursor: {
      y: false, points: { show: false }, drag: { x: true, y: false, dist: 4 },
      sync: { key: "time", scales: ["x", null], filters: { sub: (type) => type === "mousemove" || type === "mouseleave" } },
    },
    scales: { x: { time: false, range: (_, min, max) => [min, max] }, y: y.scale },
    axes: [
      { stroke: "#5b6776", grid: { stroke: "#e8ecf0", width: 1 }, ticks: { stroke: "#c3ccd6", width: 1, size: 5 },
        size: 30, font: "12px system-ui, sans-serif", values: (_, at) => at.map((t) => `${t.toLocaleString("en", { maximumFractionDigits: 4 })} µs`), space: 90 },
      { stroke: "#1d2733", grid: { show: false }, ticks: { show: false }, size: AXIS, gap: 6, font: "12px system-ui, sans-serif", ...y.axis },
    ],
    series: [{}, { show: true, paths: () => null, points: { show: false } }],
    hooks: {
      draw: [hooks.draw],
      setScale: [(u, key) => key === "x" && follow(u.scales.x.min, u.scales.x.max)],
      ready: [(u) => watch(u, hooks.find)],
    },
  };
}

const chartWidth = () => Math.max(500, document.querySelector("main").clientWidth - 40);

function addChart(section, title, program, kind, height, y, draw, find) {
  const heading = document.createElement("h2");
  heading.textContent = title;
  const box = document.createElement("div");
  box.dataset.chart = kind;
  section.append(heading, box);
  const plot = new uPlot(options(program, height, y, { draw, find }), [[0, total], [0, 0]], box);
  charts.push({ plot, program, kind, find });
}

function addTimeline(program) {
  const centres = program.rows.map((row) => row.y + row.height / 2);
  const y = {
    scale: { range: () => [0, program.height], dir: -1 },
    axis: { splits: () => centres, values: () => program.lanes },
  };
  const title = `Timeline: ${program.name}, ${time(program.total_us)}`;
  addChart(byId("timelines"), title, program, "timeline", program.height + 34, y,
    (u) => drawTimeline(u, program), (t, at, perPixel) => findOperation(program, t, at, perPixel));
}

function addMemtiles(program) {
  // Of memtiles that are nearly empty, what is used.
  const used = Math.max(...tensors(program).map(([, , , , hi]) => hi));
  const size = used > program.memtile_bytes / 4 ? program.memtile_bytes : used;
  const step = size / 4;
  const y = {
    scale: { range: () => [0, size] },
    axis: { splits: () => [0, 1, 2, 3, 4].map((n) => n * step), values: (_, at) => at.map((a) => `${fixed(a / 1024, size < 32768 ? 2 : 0)} KB`), grid: { stroke: "#e8ecf0", width: 1 } },
  };
  addChart(byId("memtiles"), `Memtile: ${program.name}, address by time, ${fixed(program.memtile_bytes / 1024, 0)} KB in all`, program, "memtiles", 250, y,
    (u) => drawMemtiles(u, program), (t, at) => findTensor(program, t, at));
}

/** All charts show the same window. */
let following = false;
function follow(from, to) {
  if (following) return;
  following = true;
  shown = [from, to];
  for (const { plot } of charts) plot.setScale("x", { min: from, max: to });
  following = false;
  tellWindow();
}

function zoom(from, to) {
  const width = Math.min(total, Math.max(to - from, 0.005));
  const left = Math.min(Math.max(0, from), total - width);
  follow(left, left + width);
}

function zoomBy(factor, at = (shown[0] + shown[1]) / 2) {
  zoom(at - (at - shown[0]) * factor, at + (shown[1] - at) * factor);
}

function pan(share) {
  const by = (shown[1] - shown[0]) * share;
  zoom(shown[0] + by, shown[1] + by);
}

function tellWindow() {
  const levels = [...new Set(programs.map((p) => p.level))].filter(Boolean).join(" and ");
  byId("window").textContent = `${time(shown[0])} to ${time(shown[1])}, by ${levels}`;
}

// Hover ------------------------------------------------------------------------------------

function watch(u, find) {
  u.over.addEventListener("mousemove", (event) => {
    const t = u.posToVal(event.offsetX, "x");
    const perPixel = (u.scales.x.max - u.scales.x.min) / u.over.clientWidth;
    showTip(find(t, u.posToVal(event.offsetY, "y"), perPixel), event);
  });
  u.over.addEventListener("mouseleave", () => { byId("tip").hidden = true; });
  u.over.addEventListener("wheel", (event) => {
    if (!(event.ctrlKey || event.shiftKey || event.metaKey)) return;
    event.preventDefault();
    const turn = event.deltaY || event.deltaX;
    zoomBy(turn < 0 ? 1 / 1.4 : 1.4, u.posToVal(event.offsetX, "x"));
  }, { passive: false });
}

function showTip(found, event) {
  const tip = byId("tip");
  tip.hidden = found === null;
  if (found === null) return;
  const title = document.createElement("b");
  title.textContent = found.title;
  const list = document.createElement("dl");
  for (const [name, value] of found.rows) {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    list.append(dt, dd);
  }
  tip.replaceChildren(title, list);
  if (found.code) {
    const code = document.createElement("code");
    code.textContent = found.code;
    tip.append(code);
  }
  const { width, height } = tip.getBoundingClientRect();
  const right = event.clientX + 16 + width > innerWidth;
  const below = event.clientY + 16 + height > innerHeight;
  tip.style.left = `${Math.max(4, right ? event.clientX - 12 - width : event.clientX + 16)}px`;
  tip.style.top = `${Math.max(4, below ? event.clientY - 12 - height : event.clientY + 16)}px`;
}

function findOperation(program, t, y, perPixel) {
  if (y < STRIP) return findLayer(program, t);
  const lane = program.rows.findIndex((row) => y >= row.y && y < row.y + row.height);
  if (lane < 0) return null;
  const row = program.rows[lane];
  const part = Math.floor((y - row.y) / row.height * row.count);
  const channel = program.channels.find((c) => c.lane === lane && c.part === part);
  if (!channel) return null;
  const { start, duration } = program.ops;
  // What is nearest, within two pixels.
  const [first, end] = visible(program, channel, [t - 2 * perPixel, t + 2 * perPixel]);
  let best = -1;
  let distance = Infinity;
  for (let i = first; i < end && i < first + 2000; i++) {
    const away = Math.max(start[i] - t, t - start[i] - duration[i], 0);
    if (duration[i] > 0 && away < distance) [best, distance] = [i, away];
  }
  return best < 0 ? null : tellOperation(program, channel, best);
}

function tellOperation(program, channel, i) {
  const { start, duration, instruction, iteration } = program.ops;
  const row = program.instructions[instruction[i]];
  const block = channel.instructions.filter((b) => b.name === instruction[i]);
  const from = Math.min(...block.map((b) => b.start));
  const to = Math.max(...block.map((b) => b.end));
  const busy = block.reduce((sum, b) => sum + b.busy, 0);
  const lane = program.lanes[channel.lane];
  const where = lane === "COMP" ? "core" : lane === "LOADWDM" ? "row channel" : "column";
  const layer = program.layers[row[INSTR.layer]];
  return {
    title: `${row[INSTR.text].split(" ")[0]}, line ${row[INSTR.line]}, ${where} ${channel.part}`,
    rows: [
      ["layer", short(layer ? layer.name : "") + (row[INSTR.stage] ? `, ${row[INSTR.stage]}` : "")],
      ["iteration", `${iteration[i]}: ${time(start[i])} to ${time(start[i] + duration[i])} (${time(duration[i])})`],
      ["instruction", `${time(from)} to ${time(to)}, at work for ${time(busy)}`],
      ["bytes", lane === "COMP" ? "none moved" : `${row[INSTR.bytes].toLocaleString("en")} in all columns and iterations`],
      ["locks", row[INSTR.locks] || "none"],
      ["bound", row[INSTR.bound]],
    ],
    code: row[INSTR.text],
  };
}

function findLayer(program, t) {
  const layer = program.layers.find((l) => t >= l.start && t < l.start + l.us);
  if (!layer) return null;
  return {
    title: short(layer.name),
    rows: [
      ["operation", layer.op],
      ["time", `${time(layer.us)}, from ${time(layer.start)}`],
      ["bound", layer.bound],
      ["serial", time(layer.serial)],
      ["busiest", `${layer.channel}, ${time(layer.busy)}`],
      ["MACs", layer.macs ? scaled(layer.macs) : "none"],
      ["density", layer.density === null ? "no weights" : fixed(layer.density, 2)],
    ],
  };
}

function findTensor(program, t, address) {
  const found = tensors(program).filter(([, , , lo, hi, start, end]) => address >= lo && address < hi && t >= start && t <= end);
  if (!found.length) return null;
  const [label, kind, spilled, lo, hi, start, end] = found[found.length - 1];
  return {
    title: short(label),
    rows: [
      ["kind", KINDS[kind][1] + (spilled ? ", spilled to DDR" : "")],
      ["address", `${hex(lo)} to ${hex(hi)}`],
      ["bytes", `${(hi - lo).toLocaleString("en")} of the memtile`],
      ["lives", `${time(start)} to ${time(end)}`],
    ],
  };
}
