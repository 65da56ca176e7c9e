// The explorer (explorer.h): the graph, and where its boxes lie.  The files explorer_*.js are one script.
const data = JSON.parse(document.getElementById('graph').textContent);
const $ = (id) => document.getElementById(id);
const HEIGHT = 40, PAD = 14, HEAD = 24;
const KINDS = ['input', 'variable', 'constant', 'forward', 'gradient', 'optimizer', 'only in the other graph'];
const FILL = ['#ffffff', '#e2f3e4', '#f1f2f4', '#e3eefb', '#fdeadd', '#f2e8f9', '#ccfbf1'];
const STROKE = ['#1d2b3a', '#4f9d5b', '#a3abb6', '#4a7fc1', '#d9813f', '#8e5bb5', '#0d9488'];

// ---- the graph: a box is a node (id >= 0) or a scope (id = -1 - k) ----
const newScope = (parent, name, width, separator, kinds, parts) => ({
  parent,
  name,
  width,
  separator,
  boxes: [],
  open: false,
  count: 0,
  time: 0,
  bytes: 0,
  different: 0,
  kinds: new Set(kinds),
  parts: new Set(parts)
});
const scopes =
    data.scopes.map(([parent, name, width, separator]) => newScope(parent, name, width, separator, [], []));
const partOf = (kind, forward) => kind === 5 ? 'optimizer' : kind === 4 || forward >= 0 ? 'gradient' : 'forward';
const nodes =
    data.nodes.map(([scope, kind, name, op, detail, shape, width, bytes, inputs, forward, formula, time]) => ({
                     scope,
                     kind,
                     name: name.replace(/^\/.*[./](?=.)/, ''),
                     whole: name[0] === '/' ? name.slice(1) : '',  // it is not in the scope that its name tells
                     op,
                     detail,
                     shape,
                     width,
                     bytes,
                     inputs,
                     forward,
                     formula,
                     time: time || 0,
                     users: [],
                     part: partOf(kind, forward)
                   }));
scopes.forEach((s, k) => {
  if (k)
    scopes[s.parent].boxes.push(-1 - k);
});
nodes.forEach((n, i) => {
  scopes[n.scope].boxes.push(i);
  for (const input of n.inputs)
    nodes[input].users.push(i);
  for (let k = n.scope; k >= 0; k = scopes[k].parent) {
    const s = scopes[k];
    s.count++;
    s.time += n.time;
    s.bytes += Math.max(n.bytes, 0);
    s.kinds.add(n.kind);
    s.parts.add(n.part);
  }
});
scopes[0].open = true;
const total = scopes[0].time, hasTimes = total > 0;
const fullName = (id) => {
  if (id >= 0 && nodes[id].whole)
    return nodes[id].whole;
  let name = id < 0 ? scopes[-1 - id].name : nodes[id].name;
  for (let k = id < 0 ? scopes[-1 - id].parent : nodes[id].scope; k > 0; k = scopes[k].parent)
    if (scopes[k].separator)  // a group is no part of a name
      name = scopes[k].name + scopes[k].separator + name;
  return name;
};

// ---- layout: that of folded scopes was made when the page was written; open ones push their neighbours aside ----
const box = new Map();  // id -> {x, y, w, h}, the top left corner
const shown = {
  forward: true,
  gradient: true,
  optimizer: true,
  other: true
};
const isShown = (id) => id < 0 ? [...scopes[-1 - id].parts].some((part) => shown[part]) : shown[nodes[id].part];

function arrange(k) {
  const s = scopes[k], at = data.layout[k], rows = new Map();
  s.boxes.forEach((id, i) => {
    if (!isShown(id) || isOther(id))
      return;
    const inner = id < 0 && scopes[-1 - id].open ? arrange(-1 - id) :
                                                   {w: id < 0 ? scopes[-1 - id].width : nodes[id].width, h: HEIGHT};
    const b = {id, x: at[2 * i], y: at[2 * i + 1], w: inner.w, h: inner.h};
    if (!rows.has(b.y))
      rows.set(b.y, []);
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
  if (!placed.length)
    least = most = 0;
  const others = s.boxes.filter((id) => isOther(id) && isShown(id));
  if (others.length)
    [most, bottom] = arrangeOther(others, placed, most, bottom);
  s.inner =
      placed.map((b) => ({id: b.id, x: b.x - b.w / 2 - least + PAD, y: b.y - b.h / 2 + PAD + HEAD, w: b.w, h: b.h}));
  return {w: Math.max(most - least + 2 * PAD, s.width), h: bottom + 2 * PAD + HEAD};
}
function place(k, x, y) {
  for (const b of scopes[k].inner) {
    box.set(b.id, {x: x + b.x, y: y + b.y, w: b.w, h: b.h});
    if (b.id < 0 && scopes[-1 - b.id].open)
      place(-1 - b.id, x + b.x, y + b.y);
  }
}
const drawnAs = (i) => {  // the box that stands for node i
  let id = i;
  for (let k = nodes[i].scope; k > 0; k = scopes[k].parent)
    if (!scopes[k].open)
      id = -1 - k;
  return id;
};
let size = {w: 0, h: 0}, edges = [];
function layout() {
  box.clear();
  size = arrange(0);
  place(0, 0, 0);
  const seen = new Map(), add = (input, i) => {
    const head = drawnAs(i), tail = drawnAs(input);
    if (tail === head || !box.has(tail) || !box.has(head))
      return;
    const key = tail + ' ' + head, edge = seen.get(key);
    if (edge)
      edge.carried.push([input, i]);
    else
      seen.set(key, {tail, head, carried: [[input, i]]});
  };
  for (let i = 0; i < HERE; i++)
    for (const input of nodes[i].inputs)
      add(input, i);
  for (const [input, i] of otherEdges)
    add(input, i);
  edges = [...seen.values()];
  markBoxes();
  draw();
}
