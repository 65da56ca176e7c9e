// The explorer: what mouse, keys and controls do.
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
$('colour').onchange = () => {
  if (selected === null && !selectedEdge)
    select(null);
  draw();
};
$('plan').onclick = () => showPlan(false);
$('memory').onclick = showMemory;
$('difference').onclick = showDifference;
$('plan').hidden = $('memory').hidden = !data.plan;
$('difference').hidden = !data.other && !data.otherPlan;
const disable = (names, unknown) => {
  for (const name of names)
    $('colour').querySelector('[value=' + name + ']').disabled = unknown;
};
disable(['gradientSize', 'dead', 'bad'], !hasValues);
disable(['step'], !data.plan);
disable(['difference'], !data.other);
new ResizeObserver(draw).observe(canvas);
$('other').parentElement.hidden = !data.other;
for (const name of ['forward', 'gradient', 'optimizer', 'other'])
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
disable(['time'], !hasTimes);
$('title').textContent = data.title;
if (data.error) {
  const p = element('p', data.error, document.querySelector('header'));
  p.className = 'error';
}
if (!nodes.some((n) => n.kind === 4))
  $('gradient').disabled = true;
if (!nodes.some((n) => n.kind === 5))
  $('optimizer').disabled = true;
if (data.other)
  $('colour').value = 'difference';
start();
select(null);
if (data.other || data.otherPlan)
  showDifference();

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
