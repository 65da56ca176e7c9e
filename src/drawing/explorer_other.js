// The explorer: what is only in one of two graphs.  Nodes of the other graph are drawn, too, with dashed borders.
const HERE = data.nodes.length, OTHER = 6;  // nodes from HERE on are only in the other graph
const isInOther = nodes.map(() => true), otherEdges = [];
let onlyThere = [];

// ---- comparing ----
function compare(mine, others, keyOf) {
  const count = (all) => {
    const found = new Map();
    for (const each of all)
      found.set(keyOf(each), (found.get(keyOf(each)) || 0) + 1);
    return found;
  };
  const onlyIn = (all, other) => all.filter((each) => {
    const left = other.get(keyOf(each)) || 0;
    other.set(keyOf(each), left - 1);
    return left <= 0;
  });
  return [onlyIn(mine, count(others)), onlyIn(others, count(mine))];
}

// ---- boxes of the other graph ----
function addScope(parent, name) {
  const width = Math.min(Math.max(7.2 * name.length + 40, 90), 260);
  scopes.push(newScope(parent, name, width, '/', [OTHER], ['other']));
  scopes[parent].boxes.push(-scopes.length);
  return scopes.length - 1;
}
// Puts a node into the deepest scope of this graph that its name is in; scopes that are only there are made.
function addOther([name, op, detail, shape], scopeOf) {
  let scope = 0, from = 0;
  for (let at = name.length - 1; at > 0 && !from; at--)
    if (scopeOf.has(name.slice(0, at + 1))) {
      scope = scopeOf.get(name.slice(0, at + 1));
      from = at + 1;
    }
  for (let at = name.indexOf('/', from); at > 0; at = name.indexOf('/', from)) {
    scope = addScope(scope, name.slice(from, at));
    scopeOf.set(name.slice(0, at + 1), scope);
    from = at + 1;
  }
  const last = name.slice(from), letters = Math.max(last.length, (op + ' ' + detail).length);
  scopes[scope].boxes.push(nodes.length);
  nodes.push({
    scope,
    kind: OTHER,
    name: last,
    op,
    detail,
    shape,
    width: Math.min(Math.max(6.9 * letters + 20, 60), 220),
    bytes: -1,
    inputs: [],
    forward: -1,
    formula: -1,
    time: 0,
    users: [],
    part: 'other'
  });
  isInOther.push(true);
  for (let k = scope; k >= 0; k = scopes[k].parent) {
    scopes[k].different++;
    scopes[k].count += scopes[k].kinds.has(OTHER) ? 1 : 0;
  }
  return nodes.length - 1;
}
if (data.other) {
  const told = (name, op, detail, shape) => [name, op, detail, shape].join('\n');
  const mine = nodes.map((n, i) => ({id: i, key: told(fullName(i), n.op, n.detail, n.shape)}));
  const theirs = data.other.nodes.map((n) => ({name: n[0], key: told(...n), cells: n}));
  const [here, there] = compare(mine, theirs, (each) => each.key);
  for (const each of here) {
    isInOther[each.id] = false;
    for (let k = nodes[each.id].scope; k >= 0; k = scopes[k].parent)
      scopes[k].different++;
  }
  const scopeOf = new Map(), idOf = new Map(mine.map((each) => [fullName(each.id), each.id]));
  scopes.forEach((s, k) => {
    if (k && s.separator)
      scopeOf.set(fullName(-1 - k) + s.separator, k);
  });
  for (const each of there) {
    each.id = addOther(each.cells, scopeOf);
    idOf.set(each.name, each.id);
  }
  onlyThere = there;
  for (const {name, cells} of theirs)
    for (const input of cells[4]) {
      const head = idOf.get(name), tail = idOf.get(input);
      if (head === undefined || tail === undefined || (head < HERE && tail < HERE))
        continue;
      otherEdges.push([tail, head]);
      if (head >= HERE)
        nodes[head].inputs.push(tail);
      if (tail >= HERE)
        nodes[tail].users.push(head);
    }
}
const isOther = (id) => id < 0 ? scopes[-1 - id].kinds.has(OTHER) : id >= HERE;

// Right of the boxes of a scope, in columns no higher than these: the boxes that are only in the other graph.
function arrangeOther(ids, placed, right, bottom) {
  const most = Math.max(bottom, 6 * (HEIGHT + 14));
  let x = right + (placed.length ? 40 : 0), y = 0, width = 0;
  for (const id of ids) {
    const open = id < 0 && scopes[-1 - id].open;
    const inner = open ? arrange(-1 - id) : {w: id < 0 ? scopes[-1 - id].width : nodes[id].width, h: HEIGHT};
    if (y > 0 && y + inner.h > most) {
      x += width + 14;
      y = width = 0;
    }
    placed.push({id, x: x + inner.w / 2, y: y + inner.h / 2, w: inner.w, h: inner.h});
    width = Math.max(width, inner.w);
    y += inner.h + 14;
  }
  return [Math.max(...placed.map((b) => b.x + b.w / 2)), Math.max(...placed.map((b) => b.y + b.h / 2))];
}
