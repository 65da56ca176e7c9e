'use strict';
(() => {
  const data = JSON.parse(document.getElementById('graph').textContent);
  const $ = (id) => document.getElementById(id);
  const HEIGHT = 40, PAD = 14, HEAD = 24, KINDS = ['input', 'variable', 'constant', 'forward', 'gradient', 'optimizer'];
  const FILL = ['#ffffff', '#e2f3e4', '#f1f2f4', '#e3eefb', '#fdeadd', '#f2e8f9'];
  const STROKE = ['#1d2b3a', '#4f9d5b', '#a3abb6', '#4a7fc1', '#d9813f', '#8e5bb5'];

  // ---- the graph: a box is a node (id >= 0) or a scope (id = -1 - k) ----
  const scopes = data.scopes.map(([parent, name, width, separator]) => ({ parent, name, width, separator, boxes: [], open: false, count: 0, time: 0, bytes: 0, kinds: new Set(), parts: new Set() }));
  const nodes = data.nodes.map(([scope, kind, name, op, detail, shape, width, bytes, inputs, forward, time]) =>
    ({ scope, kind, name, op, detail, shape, width, bytes, inputs, forward, time: time || 0, users: [],
      part: kind === 5 ? 'optimizer' : kind === 4 || forward >= 0 ? 'gradient' : 'forward' }));
  scopes.forEach((s, k) => { if (k) scopes[s.parent].boxes.push(-1 - k); });
  nodes.forEach((n, i) => {
    scopes[n.scope].boxes.push(i);
    for (const input of n.inputs) nodes[input].users.push(i);
    for (let k = n.scope; k >= 0; k = scopes[k].parent) {
      const s = scopes[k];
      s.count++; s.time += n.time; s.bytes += Math.max(n.bytes, 0); s.kinds.add(n.kind); s.parts.add(n.part);
    }
  });
  scopes[0].open = true;
  const total = scopes[0].time, hasTimes = total > 0;
  const fullName = (id) => {
    let name = id < 0 ? scopes[-1 - id].name : nodes[id].name;
    for (let k = id < 0 ? scopes[-1 - id].parent : nodes[id].scope; k > 0; k = scopes[k].parent) name = scopes[k].name + scopes[k].separator + name;
    return name;
  };

  // ---- layout: that of folded scopes was made when the page was written; open ones push their neighbours aside ----
  const box = new Map(); // id -> {x, y, w, h}, the top left corner
  const shown = { forward: true, gradient: true, optimizer: true };
  const isShown = (id) => id < 0 ? [...scopes[-1 - id].parts].some((part) => shown[part]) : shown[nodes[id].part];

  function arrange(k) {
    const s = scopes[k], at = data.layout[k], rows = new Map();
    s.boxes.forEach((id, i) => {
      if (!isShown(id)) return;
      const inner = id < 0 && scopes[-1 - id].open ? arrange(-1 - id) : { w: id < 0 ? scopes[-1 - id].width : nodes[id].width, h: HEIGHT };
      const b = { id, x: at[2 * i], y: at[2 * i + 1], w: inner.w, h: inner.h };
      if (!rows.has(b.y)) rows.set(b.y, []);
      rows.get(b.y).push(b);
    });
    const placed = [];
    let bottom = 0, last = null, least = Infinity, most = -Infinity;
    for (const y of [...rows.keys()].sort((a, b) => a - b)) {
      const row = rows.get(y).sort((a, b) => a.x - b.x), height = Math.max(...row.map((b) => b.h));
      const top = last === null ? 0 : bottom + Math.max(y - last - HEIGHT, 14);
      let right = -Infinity, moved = 0;
      for (const b of row) {
        const x = Math.max(b.x, right + 14 + b.w / 2);
        moved += b.x - x;
        right = x + b.w / 2;
        b.x = x;
      }
      for (const b of row) {
        b.x += moved / row.length;
        b.y = top + height / 2;
        least = Math.min(least, b.x - b.w / 2);
        most = Math.max(most, b.x + b.w / 2);
        placed.push(b);
      }
      bottom = top + height;
      last = y;
    }
    if (!placed.length) least = most = 0;
    s.inner = placed.map((b) => ({ id: b.id, x: b.x - b.w / 2 - least + PAD, y: b.y - b.h / 2 + PAD + HEAD, w: b.w, h: b.h }));
    return { w: Math.max(most - least + 2 * PAD, s.width), h: bottom + 2 * PAD + HEAD };
  }
  function place(k, x, y) {
    for (const b of scopes[k].inner) {
      box.set(b.id, { x: x + b.x, y: y + b.y, w: b.w, h: b.h });
      if (b.id < 0 && scopes[-1 - b.id].open) place(-1 - b.id, x + b.x, y + b.y);
    }
  }
  const drawnAs = (i) => { // the box that stands for node i
    let id = i;
    for (let k = nodes[i].scope; k > 0; k = scopes[k].parent) if (!scopes[k].open) id = -1 - k;
    return id;
  };
  let size = { w: 0, h: 0 }, edges = [];
  function layout() {
    box.clear();
    size = arrange(0);
    place(0, 0, 0);
    const seen = new Map();
    nodes.forEach((n, i) => {
      const head = drawnAs(i);
      if (!box.has(head)) return;
      for (const input of n.inputs) {
        const tail = drawnAs(input);
        if (tail === head || !box.has(tail)) continue;
        const key = tail + ' ' + head, edge = seen.get(key);
        if (edge) edge.carried.push(input); else seen.set(key, { tail, head, carried: [input] });
      }
    });
    edges = [...seen.values()];
    draw();
  }

  // ---- drawing ----
  const canvas = $('canvas'), pen = canvas.getContext('2d');
  const view = { x: 0, y: 0, scale: 1 };
  let selected = null, selectedEdge = null, lit = new Set(), waiting = false;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = () => matchMedia('(prefers-color-scheme: dark)').matches;
  const heat = (share) => {
    const t = Math.sqrt(Math.min(Math.max(share, 0), 1)), cold = dark() ? [42, 50, 60] : [253, 246, 238], hot = [240, 100, 70];
    return 'rgb(' + cold.map((c, i) => Math.round(c + t * (hot[i] - c))).join() + ')';
  };
  let largest = { time: 1, bytes: 1 };
  function measure() {
    largest = { time: 1e-9, bytes: 1 };
    for (const id of box.keys()) {
      const of = id < 0 ? scopes[-1 - id] : nodes[id];
      if (id < 0 && of.open) continue;
      largest.time = Math.max(largest.time, of.time);
      largest.bytes = Math.max(largest.bytes, of.bytes);
    }
  }
  function fillOf(id) {
    const of = id < 0 ? scopes[-1 - id] : nodes[id], by = $('colour').value;
    if (by !== 'kind') return heat(of[by] / largest[by]);
    const kind = id < 0 ? ([...of.kinds].some((k) => k > 3) ? Math.max(...of.kinds) : 3) : of.kind;
    return dark() ? STROKE[kind] + '55' : FILL[kind];
  }
  const strokeOf = (id) => {
    const kind = id < 0 ? ([...scopes[-1 - id].kinds].some((k) => k > 3) ? Math.max(...scopes[-1 - id].kinds) : 3) : nodes[id].kind;
    return kind === 0 ? colour('--ink') : STROKE[kind];
  };
  const short = (text, width) => { const most = Math.floor(width / 6.8); return text.length > most ? text.slice(0, Math.max(most - 1, 1)) + '…' : text; };
  function ends(edge) {
    const a = box.get(edge.tail), b = box.get(edge.head), down = a.y + a.h <= b.y;
    const from = [a.x + a.w / 2, down ? a.y + a.h : a.y], to = [b.x + b.w / 2, down ? b.y : b.y + b.h];
    const bend = Math.min(Math.max(Math.abs(to[1] - from[1]) / 2, 14), 120) * (down ? 1 : -1);
    return [from, [from[0], from[1] + bend], [to[0], to[1] - bend], to];
  }
  function drawEdge(edge, seenBox) {
    const [p, q, r, s] = ends(edge);
    if (Math.max(p[0], s[0]) < seenBox.x || Math.min(p[0], s[0]) > seenBox.x + seenBox.w ||
        Math.max(p[1], s[1]) < seenBox.y || Math.min(p[1], s[1]) > seenBox.y + seenBox.h) return;
    const isLit = edge === selectedEdge || (lit.has(edge.tail) && lit.has(edge.head)) || edge.tail === selected || edge.head === selected;
    pen.strokeStyle = pen.fillStyle = isLit ? colourOfMark : colourOfLine;
    pen.lineWidth = isLit ? 2 : 1;
    pen.beginPath();
    pen.moveTo(p[0], p[1]);
    pen.bezierCurveTo(q[0], q[1], r[0], r[1], s[0], s[1]);
    pen.stroke();
    if (view.scale < 0.25) return;
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
    if (pen.roundRect) pen.roundRect(b.x, b.y, b.w, b.h, id < 0 || of.kind > 2 ? 6 : 0); else pen.rect(b.x, b.y, b.w, b.h);
    pen.fillStyle = open ? (dark() ? '#ffffff08' : '#4a7fc10c') : fillOf(id);
    pen.fill();
    pen.strokeStyle = id === selected || lit.has(id) ? colourOfMark : open ? colourOfFrame : strokeOf(id);
    pen.lineWidth = id === selected ? 3 : lit.has(id) ? 2 : id < 0 && !open ? 1.8 : 1;
    pen.stroke();
    if (view.scale < 0.3) return;
    pen.fillStyle = colourOfInk;
    if (open) {
      pen.font = 'bold 12px sans-serif';
      pen.fillText(short('▾ ' + of.name, b.w - 10), b.x + 8, b.y + 16);
      return;
    }
    pen.font = 'bold 12px sans-serif';
    pen.fillText(short(id < 0 ? '▸ ' + of.name : of.name, b.w - 10), b.x + 8, b.y + 16);
    pen.font = '11px sans-serif';
    pen.fillStyle = colourOfFaint;
    pen.fillText(short(id < 0 ? of.count + ' nodes' : (of.op + ' ' + of.detail).trim(), b.w - 10), b.x + 8, b.y + 32);
  }
  let colourOfInk, colourOfFaint, colourOfLine, colourOfFrame, colourOfMark;
  function paint() {
    waiting = false;
    const density = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * density) || canvas.height !== Math.round(h * density)) {
      canvas.width = Math.round(w * density);
      canvas.height = Math.round(h * density);
    }
    colourOfInk = colour('--ink'); colourOfFaint = colour('--faint'); colourOfLine = colour('--line');
    colourOfFrame = colour('--frame'); colourOfMark = colour('--mark');
    measure();
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, w, h);
    pen.setTransform(density * view.scale, 0, 0, density * view.scale, density * view.x, density * view.y);
    const seen = { x: -view.x / view.scale, y: -view.y / view.scale, w: w / view.scale, h: h / view.scale };
    const visible = ([, b]) => b.x < seen.x + seen.w && b.x + b.w > seen.x && b.y < seen.y + seen.h && b.y + b.h > seen.y;
    const all = [...box].filter(visible);
    for (const [id, b] of all) if (id < 0 && scopes[-1 - id].open) drawBox(id, b);
    for (const edge of edges) drawEdge(edge, seen);
    for (const [id, b] of all) if (!(id < 0 && scopes[-1 - id].open)) drawBox(id, b);
  }
  function draw() { if (!waiting) { waiting = true; requestAnimationFrame(paint); } }
  function fit() {
    const w = canvas.clientWidth, h = canvas.clientHeight;
    view.scale = Math.min(1.5, w / size.w, h / size.h);
    view.x = (w - size.w * view.scale) / 2;
    view.y = (h - size.h * view.scale) / 2;
    draw();
  }
  function centre(id) {
    const b = box.get(id);
    if (!b) return;
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
  function toggle(k) { // the header stays where it is on the screen
    const before = box.get(-1 - k);
    scopes[k].open = !scopes[k].open;
    layout();
    const after = box.get(-1 - k);
    view.x += (before.x - after.x) * view.scale;
    view.y += (before.y - after.y) * view.scale;
    draw();
  }
  function reveal(i) { // opens the scopes around node i
    for (let k = nodes[i].scope; k > 0; k = scopes[k].parent) scopes[k].open = true;
    shown[nodes[i].part] = $(nodes[i].part).checked = true;
    layout();
  }
  const depthOf = (k) => { let depth = 0; for (; k > 0; k = scopes[k].parent) depth++; return depth; };
  function unfold(depth) { scopes.forEach((s, k) => { s.open = k === 0 || depthOf(k) < depth; }); layout(); }
  function start() { // as deep as the whole still fits the window, or as deep as asked
    let depth = 1;
    unfold(depth);
    while (!data.depth && depth < 12) {
      const open = scopes.filter((s) => s.open).length;
      unfold(depth + 1);
      if (size.w > 1.6 * canvas.clientWidth || size.h > 1.6 * canvas.clientHeight || scopes.filter((s) => s.open).length === open) { unfold(depth); break; }
      depth++;
    }
    if (data.depth) unfold(data.depth);
    fit();
  }

  // ---- the panel ----
  const panel = $('panel');
  const element = (tag, text, parent) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; parent.append(e); return e; };
  const bytesText = (n) => n < 0 ? 'unknown' : n < 1024 ? n + ' B' : n < 1048576 ? (n / 1024).toFixed(1) + ' KiB' : (n / 1048576).toFixed(1) + ' MiB';
  const timeText = (t) => (t < 1000 ? t.toFixed(1) + ' µs' : (t / 1000).toFixed(2) + ' ms') + ', ' + (100 * t / total).toFixed(1) + ' %';
  function link(id, parent) {
    const a = element('a', fullName(id), element('li', undefined, parent));
    a.href = '#';
    a.onclick = (event) => { event.preventDefault(); if (id >= 0) reveal(id); select(id); centre(id); };
  }
  function list(heading, ids) {
    if (!ids.length) return;
    element('h3', heading + ' (' + ids.length + ')', panel);
    const ul = element('ul', undefined, panel);
    for (const id of ids.slice(0, 60)) link(id, ul);
    if (ids.length > 60) element('li', 'and ' + (ids.length - 60) + ' more', ul);
  }
  function rows(pairs) {
    const dl = element('dl', undefined, panel);
    for (const [name, value] of pairs) if (value !== '') { element('dt', name, dl); element('dd', value, dl); }
  }
  function showNode(i) {
    const n = nodes[i];
    rows([['op', n.op], ['attributes', n.detail], ['shape', n.shape], ['memory', bytesText(n.bytes)], ['kind', KINDS[n.kind]], ['time', hasTimes ? timeText(n.time) : '']]);
    if (n.forward >= 0) list('gradient of', [n.forward]);
    list('inputs', n.inputs);
    list('users', n.users);
    list('its gradient', nodes.flatMap((m, j) => m.forward === i ? [j] : []));
    element('p', 'Shift-click another box: lights the ways from one to the other.', panel);
  }
  function showScope(k) {
    const s = scopes[k], ops = new Map();
    nodes.forEach((n) => { for (let j = n.scope; j >= 0; j = scopes[j].parent) if (j === k) ops.set(n.op, (ops.get(n.op) || 0) + 1); });
    rows([['nodes', String(s.count)], ['values', bytesText(s.bytes)], ['time', hasTimes ? timeText(s.time) : '']]);
    element('h3', 'ops', panel);
    const ul = element('ul', undefined, panel);
    for (const [op, count] of [...ops].sort((a, b) => b[1] - a[1])) element('li', op + ' ' + count, ul);
  }
  function showGraph() {
    element('h2', data.title, panel);
    rows([['nodes', String(nodes.length)], ['scopes', String(scopes.length - 1)], ['time', hasTimes ? (total / 1000).toFixed(2) + ' ms' : '']]);
    element('h3', 'colours', panel);
    const ul = element('ul', undefined, panel);
    KINDS.forEach((kind, i) => {
      const li = element('li', undefined, ul), swatch = element('span', undefined, li);
      swatch.className = 'swatch';
      swatch.style.background = FILL[i];
      swatch.style.borderColor = STROKE[i];
      li.append(kind + ' ' + nodes.filter((n) => n.kind === i).length);
    });
    if (hasTimes) {
      const slow = nodes.map((n, i) => i).sort((a, b) => nodes[b].time - nodes[a].time).slice(0, 15).filter((i) => nodes[i].time > 0);
      list('slowest', slow);
    }
  }
  function select(id) {
    selected = id;
    selectedEdge = null;
    panel.textContent = '';
    if (id === null) { lit = new Set(); showGraph(); } else {
      element('h2', fullName(id), panel);
      if (id < 0) showScope(-1 - id); else showNode(id);
    }
    draw();
  }
  function selectEdge(edge) {
    select(null);
    selectedEdge = edge;
    panel.textContent = '';
    element('h2', 'edge', panel);
    list('from', [edge.tail]);
    list('to', [edge.head]);
    list('carries', [...new Set(edge.carried)]);
    const bytes = [...new Set(edge.carried)].reduce((sum, i) => sum + Math.max(nodes[i].bytes, 0), 0);
    rows([['memory', bytesText(bytes)], ['shapes', [...new Set(edge.carried.map((i) => nodes[i].shape))].slice(0, 8).join(', ')]]);
    draw();
  }
  const inside = (id) => id >= 0 ? [id] : nodes.flatMap((n, i) => {
    for (let k = n.scope; k >= 0; k = scopes[k].parent) if (k === -1 - id) return [i];
    return [];
  });
  function reach(from, next) {
    const seen = new Set(from), todo = [...from];
    while (todo.length) for (const i of next(nodes[todo.pop()])) if (!seen.has(i)) { seen.add(i); todo.push(i); }
    return seen;
  }
  function lightPath(a, b) {
    const way = (from, to) => { const down = reach(inside(from), (n) => n.users), up = reach(inside(to), (n) => n.inputs); return [...down].filter((i) => up.has(i)); };
    let on = way(a, b);
    if (!on.length) on = way(b, a);
    lit = new Set(on.map(drawnAs));
    panel.textContent = '';
    element('h2', on.length ? on.length + ' nodes lie between' : 'no way leads from one to the other', panel);
    list('ends', [a, b]);
    list('between', on);
    draw();
  }

  // ---- searching ----
  let hits = [], hit = -1;
  function search() {
    const text = $('search').value.trim().toLowerCase();
    hits = text ? nodes.flatMap((n, i) => (fullName(i) + ' ' + n.op + ' ' + n.shape).toLowerCase().includes(text) ? [i] : []) : [];
    hit = -1;
    $('hits').textContent = text ? hits.length + ' hits' : '';
  }
  function step(by) {
    if (!hits.length) return;
    hit = hit < 0 ? (by > 0 ? 0 : hits.length - 1) : (hit + by + hits.length) % hits.length;
    $('hits').textContent = (hit + 1) + ' of ' + hits.length;
    reveal(hits[hit]);
    select(hits[hit]);
    centre(hits[hit]);
  }

  // ---- what the user does ----
  function boxAt(x, y) {
    const wx = (x - view.x) / view.scale, wy = (y - view.y) / view.scale;
    let found = null;
    for (const [id, b] of box) {
      if (wx < b.x || wx > b.x + b.w || wy < b.y || wy > b.y + b.h) continue;
      if (id < 0 && scopes[-1 - id].open && wy > b.y + HEAD) continue; // only the header of an open scope
      found = id;
    }
    return found;
  }
  function edgeAt(x, y) {
    const wx = (x - view.x) / view.scale, wy = (y - view.y) / view.scale;
    let best = null, least = 6 / view.scale;
    for (const edge of edges) {
      const [p, q, r, s] = ends(edge);
      for (let t = 0; t <= 1; t += 1 / 24) {
        const u = 1 - t, a = u * u * u, b = 3 * u * u * t, c = 3 * u * t * t, d = t * t * t;
        const away = Math.hypot(a * p[0] + b * q[0] + c * r[0] + d * s[0] - wx, a * p[1] + b * q[1] + c * r[1] + d * s[1] - wy);
        if (away < least) { least = away; best = edge; }
      }
    }
    return best;
  }
  let drag = null;
  const local = (event) => { const r = canvas.getBoundingClientRect(); return [event.clientX - r.left, event.clientY - r.top]; };
  canvas.addEventListener('pointerdown', (event) => { drag = { at: local(event), moved: 0 }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) return;
    const [x, y] = local(event);
    drag.moved += Math.abs(x - drag.at[0]) + Math.abs(y - drag.at[1]);
    view.x += x - drag.at[0];
    view.y += y - drag.at[1];
    drag.at = [x, y];
    draw();
  });
  canvas.addEventListener('pointerup', (event) => {
    const wasClick = drag && drag.moved < 5, [x, y] = local(event);
    drag = null;
    if (!wasClick) return;
    const id = boxAt(x, y), edge = id === null ? edgeAt(x, y) : null;
    if (event.shiftKey && id !== null && selected !== null) lightPath(selected, id);
    else if (edge) selectEdge(edge);
    else {
      lit = new Set();
      select(id);
      if (id !== null && id < 0) toggle(-1 - id);
    }
  });
  canvas.addEventListener('wheel', (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 500), ...local(event)); }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const move = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (move) { view.x += move[0]; view.y += move[1]; draw(); }
    else if (event.key === '+' || event.key === '=') zoom(1.25, ...middle);
    else if (event.key === '-') zoom(0.8, ...middle);
    else if (event.key === 'f') fit();
    else if (event.key === 'n') step(1);
    else if (event.key === 'p') step(-1);
    else if (event.key === '/') $('search').focus();
    else if (event.key === 'Escape') select(null);
    else if ((event.key === 'Enter' || event.key === ' ') && selected !== null && selected < 0) toggle(-1 - selected);
    else return;
    event.preventDefault();
  });
  $('search').addEventListener('input', search);
  $('search').addEventListener('keydown', (event) => { if (event.key === 'Enter') { event.preventDefault(); step(event.shiftKey ? -1 : 1); } });
  $('after').onclick = () => step(1);
  $('before').onclick = () => step(-1);
  $('colour').onchange = draw;
  for (const name of ['forward', 'gradient', 'optimizer']) $(name).onchange = () => { shown[name] = $(name).checked; layout(); };
  let level = 1;
  $('less').onclick = () => { level = 1; unfold(1); fit(); };
  $('more').onclick = () => { level++; unfold(level); fit(); };
  $('fit').onclick = fit;
  $('help').onclick = () => {
    select(null);
    element('h3', 'keys', panel);
    rows([['click', 'folds or unfolds a scope; shows a node or an edge'], ['shift-click', 'lights the ways between two boxes'], ['drag, arrows', 'move'],
      ['wheel, + -', 'zoom'], ['f', 'fit'], ['/', 'search'], ['Enter, n, p', 'next and previous hit'], ['Space', 'folds the chosen scope'], ['Esc', 'nothing chosen']]);
  };
  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  if (!hasTimes) $('colour').querySelector('[value=time]').disabled = true;
  $('title').textContent = data.title;
  if (data.error) { const p = element('p', data.error, document.querySelector('header')); p.className = 'error'; }
  if (!nodes.some((n) => n.kind === 4)) $('gradient').disabled = true;
  if (!nodes.some((n) => n.kind === 5)) $('optimizer').disabled = true;
  select(null);
  start();

  // For tests and bookmarks: explorer.search('relu'), explorer.toggle('conv1'), explorer.boxes().
  globalThis.explorer = {
    search: (text) => { $('search').value = text; search(); step(1); return hits.length; },
    toggle: (name) => { const k = scopes.findIndex((s, j) => j && fullName(-1 - j) === name); if (k > 0 && box.has(-1 - k)) toggle(k); return k > 0 && scopes[k].open; },
    select: (name) => { const i = nodes.findIndex((n, j) => fullName(j) === name); if (i >= 0) { reveal(i); select(i); } return panel.textContent; },
    path: (a, b) => { const find = (name) => nodes.findIndex((n, j) => fullName(j) === name); lightPath(find(a), find(b)); return lit.size; },
    boxes: () => [...box.keys()].filter((id) => !(id < 0 && scopes[-1 - id].open)).length,
    unfold, fit,
  };
})();
