// The explorer: drawing, moving, folding.
// ---- drawing ----
const canvas = $('canvas'), pen = canvas.getContext('2d');
const view = {
  x: 0,
  y: 0,
  scale: 1
};
let selected = null, selectedEdge = null, litNodes = [], lit = new Set(), hitBoxes = new Set(), waiting = false;
function markBoxes() {  // after nodes were found, or boxes have changed
  lit = new Set(litNodes.map(drawnAs));
  hitBoxes = new Set(hits.map(drawnAs));
  if (selectedEdge)
    selectedEdge = edges.find((e) => e.tail === selectedEdge.tail && e.head === selectedEdge.head) || null;
}
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = () =>
    matchMedia('(prefers-color-scheme: dark)').matches && !document.documentElement.classList.contains('paper');
const heat = (share) => {
  const t = Math.sqrt(Math.min(Math.max(share, 0), 1)), cold = dark() ? [42, 50, 60] : [253, 246, 238],
        hot = [240, 100, 70];
  return 'rgb(' + cold.map((c, i) => Math.round(c + t * (hot[i] - c))).join() + ')';
};
const differs = (id) => id < 0 ? scopes[-1 - id].different > 0 : !isInOther[id];
function fillOf(id) {
  const of = id < 0 ? scopes[-1 - id] : nodes[id], by = $('colour').value;
  if (isOther(id))
    return dark() ? STROKE[OTHER] + '55' : FILL[OTHER];
  if (by === 'step')
    return id < 0 || !stepsOf[id].length ?
        colour('--paper') :
        'hsl(' + stepsOf[id][0].index * 47 % 360 + (dark() ? ' 40% 32%)' : ' 70% 85%)');
  if (by === 'difference')
    return !differs(id) ? colour('--paper') : dark() ? '#7c2d12' : '#fdba74';
  if (by !== 'kind')
    return heatOf(id);
  const kind = id < 0 ? ([...of.kinds].some((k) => k > 3) ? Math.max(...of.kinds) : 3) : of.kind;
  return dark() ? STROKE[kind] + '55' : FILL[kind];
}
const strokeOf = (id) => {
  const kind = id < 0 ? ([...scopes[-1 - id].kinds].some((k) => k > 3) ? Math.max(...scopes[-1 - id].kinds) : 3) :
                        nodes[id].kind;
  return kind === 0 ? colour('--ink') : STROKE[kind];
};
const setFont = (size) => {
  pen.font = 'bold ' + size + 'px sans-serif';
};
function short(text, width) {  // as much of it as fits, in the pen's font
  const whole = pen.measureText(text).width;
  if (whole <= width)
    return text;
  let most = Math.min(Math.ceil(text.length * width / whole), text.length - 1);
  while (most > 1 && pen.measureText(text.slice(0, most) + '…').width > width)
    most--;
  return text.slice(0, most) + '…';
}
// The same after making the font smaller, down to `least`.
function smallerOrShort(text, width, size, least) {
  setFont(size);
  setFont(Math.max(Math.min(size, size * width / pen.measureText(text).width), least));
  return short(text, 1.03 * width);  // widths of letters are rounded
}
function ends(edge) {
  const a = box.get(edge.tail), b = box.get(edge.head), down = a.y + a.h <= b.y;
  const from = [a.x + a.w / 2, down ? a.y + a.h : a.y], to = [b.x + b.w / 2, down ? b.y : b.y + b.h];
  const bend = Math.min(Math.max(Math.abs(to[1] - from[1]) / 2, 14), 120) * (down ? 1 : -1);
  return [from, [from[0], from[1] + bend], [to[0], to[1] - bend], to];
}
const isLitEdge = (edge) => edge === selectedEdge || (lit.has(edge.tail) && lit.has(edge.head)) ||
    edge.tail === selected || edge.head === selected;
function drawEdge(edge, seenBox) {
  const [p, q, r, s] = ends(edge);
  if (Math.max(p[0], s[0]) < seenBox.x || Math.min(p[0], s[0]) > seenBox.x + seenBox.w ||
      Math.max(p[1], s[1]) < seenBox.y || Math.min(p[1], s[1]) > seenBox.y + seenBox.h)
    return;
  const isLit = isLitEdge(edge);
  pen.strokeStyle = pen.fillStyle = isLit ? colourOfMark : colourOfLine;
  pen.lineWidth = isLit ? 2 : 1;
  pen.beginPath();
  pen.moveTo(p[0], p[1]);
  pen.bezierCurveTo(q[0], q[1], r[0], r[1], s[0], s[1]);
  pen.setLineDash(isOther(edge.tail) || isOther(edge.head) ? [5, 3] : []);
  pen.stroke();
  pen.setLineDash([]);
  if (view.scale < 0.25)
    return;
  const way = s[1] > r[1] ? -6 : 6;
  pen.beginPath();
  pen.moveTo(s[0], s[1]);
  pen.lineTo(s[0] - 3.5, s[1] + way);
  pen.lineTo(s[0] + 3.5, s[1] + way);
  pen.fill();
}
function drawBox(id, b) {
  const of = id < 0 ? scopes[-1 - id] : nodes[id], open = id < 0 && of.open;
  pen.beginPath();
  if (pen.roundRect)
    pen.roundRect(b.x, b.y, b.w, b.h, id < 0 || of.kind > 2 ? 6 : 0);
  else
    pen.rect(b.x, b.y, b.w, b.h);
  pen.fillStyle = open ? (dark() ? '#ffffff08' : '#4a7fc10c') : fillOf(id);
  pen.fill();
  const isMarked = id === selected || lit.has(id) || hitBoxes.has(id);
  pen.strokeStyle = isMarked ? colourOfMark : open ? colourOfFrame : strokeOf(id);
  pen.lineWidth = id === selected ? 3 : isMarked ? 2 : id < 0 && !open ? 1.8 : 1;
  pen.setLineDash(isOther(id) ? [5, 3] : []);
  pen.stroke();
  pen.setLineDash([]);
  if (view.scale < 0.12)
    return;
  pen.fillStyle = colourOfInk;
  const name = id < 0 ? (open ? '▾ ' : '▸ ') + of.name : of.name;
  const size = Math.min(Math.max(12, 8.5 / view.scale), 30);  // far away only the name, larger
  setFont(size);
  if (open) {
    pen.fillText(short(name, b.w - 6), b.x + 4, b.y + 10 + size / 2);
    return;
  }
  if (view.scale < 0.5) {  // into half of the gap to its neighbours, too
    const text = smallerOrShort(of.name, b.w + 12, size, Math.min(size, 6 / view.scale));
    pen.fillText(text, b.x + (b.w - pen.measureText(text).width) / 2, b.y + b.h / 2 + size * 0.36);
    return;
  }
  pen.fillText(short(name, b.w - 10), b.x + 8, b.y + 16);
  pen.font = '11px sans-serif';
  pen.fillStyle = colourOfFaint;
  const detail = id < 0 ? of.count + (of.count === 1 ? ' node' : ' nodes') : (of.op + ' ' + of.detail).trim();
  pen.fillText(short(detail, b.w - 10), b.x + 8, b.y + 32);
}
// From far away: rectangles and straight lines, those of a pixel not at all, so that thousands are drawn at once.
function paintFar(all, seen) {
  const least = 1 / view.scale,
        inView = (b) => b.x < seen.x + seen.w && b.x + b.w > seen.x && b.y < seen.y + seen.h && b.y + b.h > seen.y;
  const litEdges = [], byKind = $('colour').value === 'kind';
  let drawn = 0;
  pen.strokeStyle = colourOfLine;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const edge of edges) {
    const a = box.get(edge.tail), b = box.get(edge.head);
    if (isLitEdge(edge))
      litEdges.push(edge);
    else if (Math.abs(a.y - b.y) + Math.abs(a.x - b.x) > 3 * least && (inView(a) || inView(b))) {
      pen.moveTo(a.x + a.w / 2, a.y + a.h / 2);
      pen.lineTo(b.x + b.w / 2, b.y + b.h / 2);
      if (++drawn % 200 === 0) {
        pen.stroke();
        pen.beginPath();
      }
    }
  }
  pen.stroke();
  for (const edge of litEdges)
    drawEdge(edge, seen);
  for (const [id, b] of all) {
    if (id < 0 && scopes[-1 - id].open)
      continue;
    const isMarked = id === selected || lit.has(id) || hitBoxes.has(id), hasBorder = b.h > 3 * least;
    // Without a border a pale colour of a kind is hardly seen.
    pen.fillStyle = isMarked ? colourOfMark : hasBorder || !byKind ? fillOf(id) : strokeOf(id);
    pen.fillRect(b.x, b.y, Math.max(b.w, least), Math.max(b.h, least));
    if (!isMarked && hasBorder) {
      pen.strokeStyle = strokeOf(id);
      pen.lineWidth = least;
      pen.strokeRect(b.x, b.y, b.w, b.h);
    }
  }
}
let colourOfInk, colourOfFaint, colourOfLine, colourOfFrame, colourOfMark;
function paint() {
  waiting = false;
  const density = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * density) || canvas.height !== Math.round(h * density)) {
    canvas.width = Math.round(w * density);
    canvas.height = Math.round(h * density);
  }
  colourOfInk = colour('--ink');
  colourOfFaint = colour('--faint');
  colourOfLine = colour('--line');
  colourOfFrame = colour('--frame');
  colourOfMark = colour('--mark');
  measureBoxes();
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, w, h);
  pen.setTransform(density * view.scale, 0, 0, density * view.scale, density * view.x, density * view.y);
  const seen = {x: -view.x / view.scale, y: -view.y / view.scale, w: w / view.scale, h: h / view.scale};
  const visible = ([, b]) => b.x < seen.x + seen.w && b.x + b.w > seen.x && b.y < seen.y + seen.h && b.y + b.h > seen.y;
  const all = [...box].filter(visible);
  for (const [id, b] of all)
    if (id < 0 && scopes[-1 - id].open)
      drawBox(id, b);
  if (view.scale < 0.12)
    paintFar(all, seen);
  else {
    for (const edge of edges)
      drawEdge(edge, seen);
    for (const [id, b] of all)
      if (!(id < 0 && scopes[-1 - id].open))
        drawBox(id, b);
  }
}
function draw() {
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(paint);
  }
}
function fit() {
  const w = canvas.clientWidth, h = canvas.clientHeight;
  view.scale = Math.min(1.5, w / size.w, h / size.h);
  view.x = (w - size.w * view.scale) / 2;
  view.y = (h - size.h * view.scale) / 2;
  draw();
}
function centre(id) {
  const b = box.get(id);
  if (!b)
    return;
  view.scale = Math.max(view.scale, 0.7);
  view.x = canvas.clientWidth / 2 - (b.x + b.w / 2) * view.scale;
  view.y = canvas.clientHeight / 2 - (b.y + b.h / 2) * view.scale;
  draw();
}
function zoom(factor, x, y) {
  const scale = Math.min(Math.max(view.scale * factor, 0.01), 8);
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  draw();
}

// ---- folding ----
function toggle(k) {  // the header stays where it is on the screen
  const before = box.get(-1 - k);
  scopes[k].open = !scopes[k].open;
  layout();
  const after = box.get(-1 - k);
  view.x += (before.x - after.x) * view.scale;
  view.y += (before.y - after.y) * view.scale;
  draw();
}
function reveal(i) {  // opens the scopes around node i
  for (let k = nodes[i].scope; k > 0; k = scopes[k].parent)
    scopes[k].open = true;
  shown[nodes[i].part] = $(nodes[i].part).checked = true;
  layout();
}
const depthOf = (k) => {
  let depth = 0;
  for (; k > 0; k = scopes[k].parent)
    depth++;
  return depth;
};
function unfold(depth) {
  scopes.forEach((s, k) => {
    s.open = k === 0 || depthOf(k) < depth;
  });
  layout();
}
function start() {  // as deep as the whole still fits the window, or as deep as asked
  let depth = 1;
  unfold(depth);
  while (!data.depth && depth < 12) {
    const open = scopes.filter((s) => s.open).length;
    unfold(depth + 1);
    if (size.w > 1.6 * canvas.clientWidth || size.h > 1.6 * canvas.clientHeight ||
        scopes.filter((s) => s.open).length === open) {
      unfold(depth);
      break;
    }
    depth++;
  }
  if (data.depth)
    unfold(data.depth);
  fit();
}
