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
