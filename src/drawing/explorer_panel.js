// The explorer: the panel beside the drawing, and searching.
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
const durationText = (t) => t < 1e3 ? t.toFixed(1) + ' µs' :
    t < 1e6                         ? (t / 1e3).toFixed(2) + ' ms' :
                                      (t / 1e6).toFixed(2) + ' s';
const timeText = (t) => durationText(t) + ', ' + (100 * t / total).toFixed(1) + ' %';
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
  showValue(n.value);
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
  showSteps(i);
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
    ['nodes', String(HERE)],
    ['only in ' + (data.other ? data.other.title : ''), onlyThere.length ? String(onlyThere.length) : ''],
    ['scopes', String(data.scopes.length - 1)],
    ['time', hasTimes ? durationText(total) : '']
  ]);
  legend(panel);
  if (hasTimes) {
    const slow = nodes.map((n, i) => i)
                     .sort((a, b) => nodes[b].time - nodes[a].time)
                     .slice(0, 15)
                     .filter((i) => nodes[i].time > 0);
    list('slowest', slow, (i) => fullName(i) + ' ' + timeText(nodes[i].time));
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
