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
