"use strict";
// Draws the programs in the element "data": timelines, memtile maps, the layer table.  uPlot has
// the axes, the cursor and the zoom; what is drawn between the axes is drawn here, and only what
// the window shows: layers, instructions or single iterations, as there is room.

const LAYERS = 12; // with more layers in the window, a lane is drawn by layers
const GAP = 7; // between lanes
const STRIP = 17; // the names of the layers, above the lanes
const AXIS = 84;
const COLOURS = {
  LOAD: "#5b8fc7", LOADW: "#d08a3e", LOADFM: "#4aa08c", LOADWDM: "#b98a2f",
  COMP: "#b5526b", WRITEFM: "#7d6bb8", WRITE: "#69788a",
};
const KINDS = {
  input: ["#8fb8dd", "input, from DDR"], tensor: ["#9cc9b4", "made in place"],
  reloaded: ["#e3a69c", "reloaded from DDR"], weights: ["#ecd19c", "weights"],
};
const SUFFIX = "_QuantizeLinear_Output";
const INSTR = { line: 0, lane: 1, layer: 2, stage: 3, text: 4, bytes: 5, locks: 6, bound: 7 };

const byId = (id) => document.getElementById(id);
const short = (name) => name.replace(SUFFIX, "");
const programs = JSON.parse(byId("data").textContent).programs;
const total = Math.max(...programs.map((p) => p.total_us));
const charts = []; // {plot, program, kind, find}
let shown = [0, total];
let memtile = 0; // whose map is shown

// Numbers ----------------------------------------------------------------------------------

function fixed(value, digits) {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function time(us) {
  return us >= 100 || us === 0 ? `${fixed(us, 1)} µs` : us >= 1 ? `${fixed(us, 2)} µs` : `${fixed(us * 1000, 0)} ns`;
}

function scaled(n) {
  for (const [factor, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]])
    if (n >= factor) return fixed(n / factor, n / factor < 10 ? 2 : n / factor < 100 ? 1 : 0) + unit;
  return String(n);
}

const hex = (n) => "0x" + n.toString(16).padStart(5, "0");

// Data -------------------------------------------------------------------------------------

function unpacked(text, type) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new type(bytes.buffer);
}

/** Neighbouring operations of a channel with the same key as one block. */
function blocksOf(program, channel, key) {
  const { start, duration, instruction } = program.ops;
  const blocks = [];
  let last = null;
  for (let i = channel.first; i < channel.end; i++) {
    const name = key(instruction[i]);
    if (last === null || last.name !== name) {
      last = { name, first: i, start: start[i], end: 0, busy: 0 };
      blocks.push(last);
    }
    last.end = start[i] + duration[i];
    last.busy += duration[i];
    last.last = i;
  }
  return blocks.filter((b) => b.end > b.start);
}

/** The blocks of all channels of a lane that are of one layer, as one: the mean of their work. */
function together(blocks, channels) {
  const found = new Map();
  for (const b of blocks) {
    const all = found.get(b.name) || { name: b.name, start: Infinity, end: 0, busy: 0 };
    all.start = Math.min(all.start, b.start);
    all.end = Math.max(all.end, b.end);
    all.busy += b.busy / channels;
    found.set(b.name, all);
  }
  return [...found.values()].sort((a, b) => a.start - b.start);
}

function prepare(program) {
  const o = program.operations;
  program.ops = {
    start: unpacked(o.start, Float64Array), duration: unpacked(o.duration, Float32Array),
    instruction: unpacked(o.instruction, Uint32Array), iteration: unpacked(o.iteration, Uint32Array),
  };
  const layerOf = (instruction) => program.instructions[instruction][INSTR.layer];
  program.channels = program.channels.map(([lane, part, first, end]) => {
    const channel = { lane, part, first, end };
    channel.instructions = blocksOf(program, channel, (i) => i);
    return channel;
  });
  program.lanesByLayer = program.lanes.map((_, lane) => {
    const mine = program.channels.filter((c) => c.lane === lane);
    return together(mine.flatMap((c) => blocksOf(program, c, layerOf)), mine.length);
  });
  const counts = program.lanes.map(
    (_, lane) => program.channels.filter((c) => c.lane === lane).length);
  let y = STRIP + GAP;
  program.rows = counts.map((count) => {
    const height = Math.min(128, Math.max(30, count * (count > 4 ? 5 : 9)));
    const row = { y, height, count: Math.max(1, count) };
    y += height + GAP;
    return row;
  });
  program.height = y;
}

/** What lies in the memtile that is shown. */
const tensors = (program) => program.memtiles[Math.min(memtile, program.memtiles.length - 1)];

/** The first of `count` items, from `first` on, whose end is after `at`. */
function bisect(first, end, endOf, at) {
  while (first < end) {
    const middle = (first + end) >> 1;
    if (endOf(middle) > at) end = middle;
    else first = middle + 1;
  }
  return first;
}

function visible(program, channel, [from, to]) {
  const { start, duration } = program.ops;
  const first = bisect(channel.first, channel.end, (i) => start[i] + duration[i], from);
  const end = bisect(first, channel.end, (i) => start[i], to);
  return [first, end];
}

/** What there is room for: the finest of the three levels. */
function level(program, window, pixels) {
  const layers = program.layers.filter((l) => l.start + l.us > window[0] && l.start < window[1]);
  if (layers.length > LAYERS) return "layers";
  let operations = 0;
  for (const channel of program.channels) {
    const [first, end] = visible(program, channel, window);
    operations += end - first;
  }
  return operations <= pixels * program.channels.length / 6 ? "iterations" : "instructions";
}

// Drawing ----------------------------------------------------------------------------------

const ratio = () => uPlot.pxRatio || devicePixelRatio || 1;

function clipped(u, draw) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  draw(ctx, (t) => u.valToPos(t, "x", true), (y) => u.valToPos(y, "y", true), ratio());
  ctx.restore();
}

function fitted(ctx, text, x, y, width, margin) {
  if (width < 5 * margin) return;
  let words = text;
  while (words.length > 5 && ctx.measureText(words).width > width - margin)
    words = words.slice(0, words.length - 2) + "…";
  if (ctx.measureText(words).width <= width - margin) ctx.fillText(words, x + margin / 2, y);
}

function drawTimeline(u, program) {
  const window = [u.scales.x.min, u.scales.x.max];
  const shownLevel = level(program, window, u.bbox.width / ratio());
  program.level = shownLevel;
  clipped(u, (ctx, X, Y, px) => {
    drawStrip(ctx, X, Y, px, program, window);
    if (shownLevel === "layers") {
      program.rows.forEach((row, lane) => {
        const top = Y(row.y);
        drawBlocks(ctx, X, px, program.lanesByLayer[lane], window, top, Y(row.y + row.height) - top, COLOURS[program.lanes[lane]]);
      });
      return;
    }
    for (const channel of program.channels) {
      const row = program.rows[channel.lane];
      const top = Y(row.y + row.height * channel.part / row.count);
      const height = Y(row.y + row.height * (channel.part + 1) / row.count) - top - (row.height / row.count > 4 ? px : 0);
      const colour = COLOURS[program.lanes[channel.lane]];
      if (shownLevel === "iterations") drawOperations(ctx, X, px, program, channel, window, top, height, colour);
      else drawBlocks(ctx, X, px, channel.instructions, window, top, height, colour);
    }
  });
  tellWindow();
}

function drawStrip(ctx, X, Y, px, program, window) {
  const top = Y(0) + px;
  const height = Y(STRIP) - top;
  ctx.font = `${11 * px}px system-ui, sans-serif`;
  program.layers.forEach((layer, n) => {
    if (layer.start + layer.us <= window[0] || layer.start >= window[1]) return;
    const left = Math.max(X(layer.start), X(window[0]));
    const width = Math.min(X(layer.start + layer.us), X(window[1])) - left;
    ctx.fillStyle = n % 2 ? "#e3e9f0" : "#cfd9e4";
    ctx.fillRect(left, top, width, height);
    if (n % 2) {
      ctx.fillStyle = "#8a9bb00f";
      ctx.fillRect(left, top, width, Y(program.height) - top);
    }
    ctx.fillStyle = "#1d2733";
    fitted(ctx, short(layer.name), left, top + height / 2, width, 8 * px);
  });
}

/** Layers or instructions: the light block is from start to end, the full part of its height
    is the share of that time for which the channel works. */
function drawBlocks(ctx, X, px, blocks, window, top, height, colour) {
  ctx.fillStyle = colour;
  for (const b of blocks) {
    if (b.end <= window[0] || b.start >= window[1]) continue;
    const left = X(b.start);
    const width = Math.max(px * 0.7, X(b.end) - left - px * 0.5);
    const share = Math.min(1, b.busy / (b.end - b.start));
    ctx.globalAlpha = 0.25;
    ctx.fillRect(left, top, width, height);
    ctx.globalAlpha = 1;
    ctx.fillRect(left, top + height * (1 - share), width, height * share);
  }
}

function drawOperations(ctx, X, px, program, channel, window, top, height, colour) {
  const { start, duration, instruction } = program.ops;
  const [first, end] = visible(program, channel, window);
  for (let i = first; i < end; i++) {
    if (duration[i] === 0) continue;
    const left = X(start[i]);
    const width = X(start[i] + duration[i]) - left;
    ctx.fillStyle = colour;
    // The ping and the pong.
    ctx.globalAlpha = program.ops.iteration[i] % 2 ? 0.72 : 1;
    ctx.fillRect(left, top, Math.max(px * 0.6, width - (width > 3 * px ? px * 0.6 : 0)), height);
    ctx.globalAlpha = 1;
    if (height >= 8 * px && width > 46 * px) {
      ctx.fillStyle = "#fff";
      const words = program.instructions[instruction[i]][INSTR.text].split(" ")[0];
      ctx.font = `${Math.min(10 * px, height)}px system-ui, sans-serif`;
      fitted(ctx, `${words} ${program.ops.iteration[i]}`, left, top + height / 2, width, 6 * px);
    }
  }
}

function drawMemtiles(u, program) {
  clipped(u, (ctx, X, Y, px) => {
    ctx.font = `${11 * px}px system-ui, sans-serif`;
    for (const [n, [label, kind, spilled, lo, hi, start, end]] of tensors(program).entries()) {
      if (end < u.scales.x.min || start > u.scales.x.max) continue;
      const left = Math.max(X(start), u.bbox.left - 2 * px);
      const width = Math.max(px, Math.min(X(end), u.bbox.left + u.bbox.width + 2 * px) - left);
      const top = Y(hi);
      const height = Math.max(px, Y(lo) - top);
      ctx.fillStyle = KINDS[kind][0];
      ctx.globalAlpha = n % 2 ? 1 : 0.78;
      ctx.fillRect(left, top, width, height);
      ctx.globalAlpha = 1;
      ctx.lineWidth = spilled ? 2 * px : px * 0.6;
      ctx.strokeStyle = spilled ? "#b3261e" : "#1d273355";
      const inset = ctx.lineWidth / 2;
      ctx.strokeRect(left + inset, top + inset, Math.max(0.1, width - 2 * inset), Math.max(0.1, height - 2 * inset));
      ctx.fillStyle = "#1d2733";
      if (height > 12 * px && width > 34 * px) fitted(ctx, short(label), left, top + height / 2, width, 8 * px);
    }
  });
}

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
      ["serial", `${time(layer.serial)}, bound: ${layer.bound}`],
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

// Layers -----------------------------------------------------------------------------------

const COLUMNS = [
  ["us", "µs", (l) => l.us, (v) => fixed(v, 1)],
  ["serial", "serial µs", (l) => l.serial, (v) => fixed(v, 1)],
  ["bound", "bound", (l) => l.bound, String],
  ["channel", "busiest", (l) => l.channel, String],
  ["busy", "busy µs", (l) => l.busy, (v) => fixed(v, 1)],
  ["macs", "MACs", (l) => l.macs || null, scaled],
  ["density", "density", (l) => l.density, (v) => fixed(v, 2)],
  ["weights", "weights B", (l) => l.weights || null, scaled],
  ["ddr", "DDR B", (l) => l.ddr_in + l.ddr_out || null, scaled],
];
const FEWER = ["us", "serial", "bound", "channel", "density", "weights"];
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
