// The explorer: the panel beside the drawing, searching, and what mouse and keys do.
// ---- the panel ----
const panel = $('panel');
const element = (tag, text, parent) => {
  const e = document.createElement(tag);
  if (text !== undefined)
    e.textContent = text;
  parent.append(e);
  return e;
};
const bytesText = (n) => n < 0 ? 'unknown' :
    n < 1024                   ? n + ' B' :
    n < 1048576                ? (n / 1024).toFixed(1) + ' KiB' :
                                 (n / 1048576).toFixed(1) + ' MiB';
const timeText = (t) =>
    (t < 1000 ? t.toFixed(1) + ' µs' : (t / 1000).toFixed(2) + ' ms') + ', ' + (100 * t / total).toFixed(1) + ' %';
function link(id, parent, text) {
  const a = element('a', text || fullName(id), element('li', undefined, parent));
  a.href = '#';
  a.onclick = (event) => {
    event.preventDefault();
    if (id >= 0)
      reveal(id);
    select(id);
    centre(id);
  };
}
function list(heading, ids, textOf) {
  if (!ids.length)
    return;
  element('h3', heading + ' (' + ids.length + ')', panel);
  const ul = element('ul', undefined, panel);
  ids.slice(0, 60).forEach((id, k) => link(id, ul, textOf && textOf(id, k)));
  if (ids.length > 60)
    element('li', 'and ' + (ids.length - 60) + ' more', ul);
}
function rows(pairs) {
  const dl = element('dl', undefined, panel);
  for (const [name, value] of pairs)
    if (value !== '') {
      element('dt', name, dl);
      element('dd', value, dl);
    }
}
let pathStart = null;
function offerPath(id) {
  const button = element('button', pathStart === null ? 'Light the ways from here' : 'Light the ways to here', panel);
  button.type = 'button';
  button.onclick = () => fromOrTo(id);
  if (pathStart !== null)
    element('p', 'from ' + fullName(pathStart), panel);
}
function fromOrTo(id) {
  if (pathStart === null || pathStart === id) {
    pathStart = id;
    select(id);
    element('p', 'Now choose the other end, and press the button again (or w).', panel);
    return;
  }
  const start = pathStart;
  pathStart = null;
  lightPath(start, id);
}
const INPUT_NAMES = 'abcdefgh';
function showNode(i) {
  const n = nodes[i];
  rows([
    ['op', n.op], ['attributes', n.detail], ['shape', n.shape], ['memory', bytesText(n.bytes)], ['kind', KINDS[n.kind]],
    ['time', hasTimes ? timeText(n.time) : '']
  ]);
  if (n.forward >= 0)
    list('gradient of', [n.forward]);
  const several = n.formula >= 0 && n.inputs.length > 1;
  list('inputs', n.inputs, (j, k) => (several ? INPUT_NAMES[k] + ': ' : '') + fullName(j) + ' ' + nodes[j].shape);
  list('users', n.users);
  if (n.formula >= 0) {
    element('h3', 'formula of its gradient', panel);
    for (const line of data.formulas[n.formula].split('\n'))
      element('code', line, element('p', undefined, panel));
    element(
        'p', (several ? 'a, b, … are its inputs' : 'x is its input') + ', y its value, dy the gradient of y.', panel);
  }
  list('its gradient', nodes.flatMap((m, j) => m.forward === i ? [j] : []));
  offerPath(i);
}
function showScope(k) {
  const s = scopes[k], ops = new Map();
  nodes.forEach((n) => {
    for (let j = n.scope; j >= 0; j = scopes[j].parent)
      if (j === k)
        ops.set(n.op, (ops.get(n.op) || 0) + 1);
  });
  rows([['nodes', String(s.count)], ['values', bytesText(s.bytes)], ['time', hasTimes ? timeText(s.time) : '']]);
  element('h3', 'ops', panel);
  const ul = element('ul', undefined, panel);
  for (const [op, count] of [...ops].sort((a, b) => b[1] - a[1]))
    element('li', op + ' ' + count, ul);
  offerPath(-1 - k);
}
function showGraph() {
  element('h2', data.title, panel);
  rows([
    ['nodes', String(nodes.length)], ['scopes', String(scopes.length - 1)],
    ['time', hasTimes ? (total / 1000).toFixed(2) + ' ms' : '']
  ]);
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
    const slow = nodes.map((n, i) => i)
                     .sort((a, b) => nodes[b].time - nodes[a].time)
                     .slice(0, 15)
                     .filter((i) => nodes[i].time > 0);
    list('slowest', slow);
  }
}
function select(id) {
  selected = id;
  selectedEdge = null;
  panel.textContent = '';
  if (id === null) {
    litNodes = [];
    markBoxes();
    showGraph();
  } else {
    element('h2', fullName(id), panel);
    if (id < 0)
      showScope(-1 - id);
    else
      showNode(id);
  }
  draw();
}
function selectEdge(edge) {
  select(null);
  selectedEdge = edge;
  panel.textContent = '';
  const producers = [...new Set(edge.carried.map(([from]) => from))];
  element('h2', 'edge', panel);
  const bytes = producers.reduce((sum, i) => sum + Math.max(nodes[i].bytes, 0), 0);
  rows([
    ['from', fullName(edge.tail)], ['to', fullName(edge.head)], ['bytes', bytesText(bytes)],
    ['shapes', [...new Set(producers.map((i) => nodes[i].shape))].slice(0, 8).join(', ')]
  ]);
  list(
      producers.length > 1 ? 'producers' : 'producer', producers,
      (i) => fullName(i) + ' ' + nodes[i].shape + ', ' + bytesText(nodes[i].bytes));
  list('consumers', [...new Set(edge.carried.map(([, to]) => to))]);
  draw();
}
const inside = (id) => id >= 0 ? [id] : nodes.flatMap((n, i) => {
  for (let k = n.scope; k >= 0; k = scopes[k].parent)
    if (k === -1 - id)
      return [i];
  return [];
});
function reach(from, next) {
  const seen = new Set(from), todo = [...from];
  while (todo.length)
    for (const i of next(nodes[todo.pop()]))
      if (!seen.has(i)) {
        seen.add(i);
        todo.push(i);
      }
  return seen;
}
function lightPath(a, b) {
  const way = (from, to) => {
    const down = reach(inside(from), (n) => n.users), up = reach(inside(to), (n) => n.inputs);
    return [...down].filter((i) => up.has(i));
  };
  let on = way(a, b);
  if (!on.length)
    on = way(b, a);
  litNodes = on;
  markBoxes();
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
  const told = (n, i) => (fullName(i) + ' ' + n.op + ' ' + n.shape + ' ' + n.shape.replace(/×/g, 'x')).toLowerCase();
  hits = text ? nodes.flatMap((n, i) => told(n, i).includes(text) ? [i] : []) : [];
  hit = -1;
  markBoxes();
  draw();
  $('hits').textContent = text ? hits.length + ' hits' : '';
}
function step(by) {
  if (!hits.length)
    return;
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
    if (wx < b.x || wx > b.x + b.w || wy < b.y || wy > b.y + b.h)
      continue;
    if (id < 0 && scopes[-1 - id].open && wy > b.y + HEAD)
      continue;  // only the header of an open scope
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
      const away =
          Math.hypot(a * p[0] + b * q[0] + c * r[0] + d * s[0] - wx, a * p[1] + b * q[1] + c * r[1] + d * s[1] - wy);
      if (away < least) {
        least = away;
        best = edge;
      }
    }
  }
  return best;
}
// The nearest box in that direction from the chosen one, or the topmost: what lies aside counts three times.
function chooseNext(dx, dy) {
  const middle = (b) => [b.x + b.w / 2, b.y + Math.min(b.h, HEIGHT) / 2];
  const from = selected !== null && box.get(selected);
  let best = null, least = Infinity;
  for (const [id, b] of box) {
    const [x, y] = from ? middle(b).map((v, i) => v - middle(from)[i]) : [b.x, b.y];
    const ahead = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
    const away = from ? ahead + 3 * aside : x + 10 * y;
    if (id !== selected && (!from || ahead > 1) && away < least) {
      best = id;
      least = away;
    }
  }
  if (best === null)
    return;
  select(best);
  centre(best);
}
let drag = null;
const local = (event) => {
  const r = canvas.getBoundingClientRect();
  return [event.clientX - r.left, event.clientY - r.top];
};
canvas.addEventListener('pointerdown', (event) => {
  drag = {at: local(event), moved: 0};
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener('pointermove', (event) => {
  if (!drag)
    return;
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
  if (!wasClick)
    return;
  const id = boxAt(x, y), edge = id === null ? edgeAt(x, y) : null;
  if (event.shiftKey && id !== null && selected !== null)
    lightPath(selected, id);
  else if (edge)
    selectEdge(edge);
  else {
    litNodes = [];
    markBoxes();
    select(id);
    if (id !== null && id < 0)
      toggle(-1 - id);
  }
});
canvas.addEventListener('wheel', (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 500), ...local(event));
}, {passive: false});
canvas.addEventListener('keydown', (event) => {
  const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
  const move = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60]}[event.key];
  if (move && event.shiftKey)
    chooseNext(-Math.sign(move[0]), -Math.sign(move[1]));
  else if (move) {
    view.x += move[0];
    view.y += move[1];
    draw();
  } else if (event.key === '+' || event.key === '=')
    zoom(1.25, ...middle);
  else if (event.key === '-')
    zoom(0.8, ...middle);
  else if (event.key === 'f')
    fit();
  else if (event.key === 'n')
    step(1);
  else if (event.key === 'p')
    step(-1);
  else if (event.key === 'w' && selected !== null)
    fromOrTo(selected);
  else if (event.key === '/')
    $('search').focus();
  else if (event.key === 'Escape')
    select(null);
  else if ((event.key === 'Enter' || event.key === ' ') && selected !== null && selected < 0)
    toggle(-1 - selected);
  else
    return;
  event.preventDefault();
});
$('search').addEventListener('input', search);
$('search').addEventListener('keydown', (event) => {
  if (event.key === 'Enter') {
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  }
});
$('after').onclick = () => step(1);
$('before').onclick = () => step(-1);
$('colour').onchange = draw;
for (const name of ['forward', 'gradient', 'optimizer'])
  $(name).onchange = () => {
    shown[name] = $(name).checked;
    layout();
  };
let level = 1;
$('less').onclick = () => {
  level = 1;
  unfold(1);
  fit();
};
$('more').onclick = () => {
  level++;
  unfold(level);
  fit();
};
$('fit').onclick = fit;
$('help').onclick = () => {
  select(null);
  element('h3', 'keys', panel);
  rows([
    ['click', 'folds or unfolds a scope; shows a node or an edge'],
    ['shift-click', 'lights the ways between two boxes'], ['drag, arrows', 'move'],
    ['shift-arrows', 'choose the next box there'], ['wheel, + -', 'zoom'],
    ['w', 'lights the ways from the chosen box to the next for which it is pressed'], ['f', 'fit'], ['/', 'search'],
    ['Enter, n, p', 'next and previous hit'], ['Space', 'folds the chosen scope'], ['Esc', 'nothing chosen']
  ]);
};
addEventListener('resize', draw);
for (const [event, paper] of [['beforeprint', true], ['afterprint', false]])
  addEventListener(event, () => {
    document.documentElement.classList.toggle('paper', paper);
    paint();
  });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
if (!hasTimes)
  $('colour').querySelector('[value=time]').disabled = true;
$('title').textContent = data.title;
if (data.error) {
  const p = element('p', data.error, document.querySelector('header'));
  p.className = 'error';
}
if (!nodes.some((n) => n.kind === 4))
  $('gradient').disabled = true;
if (!nodes.some((n) => n.kind === 5))
  $('optimizer').disabled = true;
select(null);
start();

// For tests and bookmarks: explorer.search('relu'), explorer.toggle('conv1'), explorer.at('conv1').
const named = (name) => {
  const k = scopes.findIndex((s, j) => j && fullName(-1 - j) === name);
  return k > 0 ? -1 - k : nodes.findIndex((n, j) => fullName(j) === name);
};
globalThis.explorer = {
  search: (text) => {
    $('search').value = text;
    search();
    step(1);
    return hits.length;
  },
  toggle: (name) => {
    const id = named(name);
    if (box.has(id) && id < -1)
      toggle(-1 - id);
    return id < -1 && scopes[-1 - id].open;
  },
  select: (name) => {
    const i = nodes.findIndex((n, j) => fullName(j) === name);
    if (i >= 0) {
      reveal(i);
      select(i);
    }
    return panel.textContent;
  },
  path: (a, b) => {
    lightPath(named(a), named(b));
    return lit.size;
  },
  at: (name) => {  // where the name of the box stands in the window
    const b = box.get(named(name)), r = canvas.getBoundingClientRect();
    return b && {x: r.left + view.x + (b.x + 20) * view.scale, y: r.top + view.y + (b.y + 12) * view.scale};
  },
  between: (a, b) => {  // the middle of an edge in the window
    const edge = edges.find((e) => e.tail === named(a) && e.head === named(b)), r = canvas.getBoundingClientRect();
    const [p, q, s, t] = edge ? ends(edge) : [];
    const middle = (i) => (p[i] + 3 * q[i] + 3 * s[i] + t[i]) / 8;
    return edge && {x: r.left + view.x + middle(0) * view.scale, y: r.top + view.y + middle(1) * view.scale};
  },
  names: () => [...box.keys()].map(fullName),
  boxes: () => [...box.keys()].filter((id) => !(id < 0 && scopes[-1 - id].open)).length,
  unfold,
  fit,
};
