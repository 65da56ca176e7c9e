// The explorer: the plan of a program, and the tables of what differs from another plan or another graph.
const drawer = $('drawer'), SVG = 'http://www.w3.org/2000/svg';
const shape = (tag, attributes, parent) => {
  const e = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes))
    e.setAttribute(name, value);
  parent.append(e);
  return e;
};
const readSteps = (plan) => plan ? plan.steps.map(
                                       ([node, op, way, layout, bytes, flops, time, once], index) =>
                                           ({node, op, way, layout, bytes, flops, time, once, index})) :
                                   [];
const steps = readSteps(data.plan), otherSteps = readSteps(data.otherPlan);

// ---- which nodes became one step: those between its node and the nodes of other steps ----
const stepsOf = nodes.map(() => []);  // of each node
const ownsStep = new Set(steps.map((s) => s.node));
for (const s of steps)
  if (s.node >= 0)
    stepsOf[s.node].push(s);
const members = new Map();  // of the node of a step: itself, and what it computes on the way
for (const end of ownsStep) {
  if (end < 0)
    continue;
  const inside = [end], seen = new Set(inside);
  for (let k = 0; k < inside.length; k++)
    for (const input of nodes[inside[k]].inputs)
      if (!seen.has(input) && !ownsStep.has(input) && nodes[input].kind > 2) {
        seen.add(input);
        inside.push(input);
      }
  members.set(end, inside.reverse());
  for (const i of inside)
    if (i !== end)
      stepsOf[i].push(...stepsOf[end]);
}
function showSteps(i) {
  if (!data.plan || nodes[i].kind < 3 || isOther(i))
    return;
  element('h3', 'in the plan', panel);
  if (!stepsOf[i].length) {
    element('p', 'No step: the compiler needs no such value.', panel);
    return;
  }
  const ul = element('ul', undefined, panel), mine = [...new Set(stepsOf[i])];
  for (const s of mine.slice(0, 12))
    element(
        'li',
        'step ' + (s.index + 1) + ': ' + s.way + ', ' + s.layout + (s.time ? ', ' + s.time + ' µs' : '') +
            (s.once ? ', once' : ''),
        ul);
  const together = [...new Set(mine.flatMap((s) => members.get(s.node) || []))];
  if (together.length > 1)
    list('computed together', together);
}

// ---- the drawer ----
function openDrawer(title) {
  if (drawer.hidden)
    requestAnimationFrame(fit);
  drawer.hidden = false;
  drawer.textContent = '';
  const head = element('h2', title, drawer), close = element('button', 'Close', head);
  close.type = 'button';
  close.onclick = closeDrawer;
}
function closeDrawer() {
  drawer.hidden = true;
  requestAnimationFrame(fit);
}
function go(id) {
  if (id < 0)
    return;
  reveal(id);
  select(id);
  litNodes = members.get(id) || [];
  markBoxes();
  centre(id);
}
function table(headings, lines, parent) {
  const t = element('table', undefined, parent), head = element('tr', undefined, element('thead', undefined, t));
  for (const heading of headings)
    element('th', heading, head);
  const body = element('tbody', undefined, t);
  for (const {id, cells} of lines) {
    const row = element('tr', undefined, body);
    cells.forEach((text, k) => {
      const cell = element('td', undefined, row);
      if (k || id === undefined || id < 0) {
        cell.textContent = text;
        return;
      }
      const a = element('a', text, cell);
      a.href = '#';
      a.onclick = (event) => {
        event.preventDefault();
        go(id);
      };
    });
  }
}
const stepName = (s) => s.node < 0 ? '(' + s.op + ')' : fullName(s.node);
const stepCells = (s) =>
    [stepName(s), s.op, s.way, s.layout, bytesText(s.bytes), s.flops ? (s.flops / 1e6).toFixed(1) : '',
     s.once     ? 'once' :
         s.time ? s.time.toFixed(1) :
                  '',
     s.node < 0 ? '' : String((members.get(s.node) || []).length)];
const STEP_HEADINGS = ['node', 'op', 'implementation', 'layout', 'bytes', 'Mflop', 'µs', 'nodes'];
const MOST_LINES = 1000;
function showPlan(byTime) {
  const plan = data.plan, order = [...steps];
  if (byTime)
    order.sort((a, b) => b.time - a.time);
  openDrawer(
      steps.length + ' steps, ' + steps.filter((s) => s.once).length + ' of them once; arena ' + bytesText(plan.arena) +
      ', prepacked ' + bytesText(plan.prepacked) + ', ' + plan.threads +
      (plan.threads === 1 ? ' thread ' : ' threads '));
  const button = element('button', byTime ? 'In order' : 'Slowest first', drawer.firstChild);
  button.type = 'button';
  button.onclick = () => showPlan(!byTime);
  table(STEP_HEADINGS, order.slice(0, MOST_LINES).map((s) => ({id: s.node, cells: stepCells(s)})), drawer);
  if (order.length > MOST_LINES)
    element('p', 'and ' + (order.length - MOST_LINES) + ' more', drawer);
}

// ---- memory over the steps ----
function showMemory() {
  const plan = data.plan, count = steps.filter((s) => !s.once).length, first = steps.length - count;
  openDrawer('Memory over ' + count + ' steps: each bar is a value, from its first to its last step ');
  const W = 1000, H = 200, live = new Array(count + 2).fill(0), biggest = {};
  const svg = shape('svg', {viewBox: '-2 -2 ' + (W + 4) + ' ' + (H + 4), preserveAspectRatio: 'none'}, drawer);
  const x = (step) => (step / Math.max(count, 1) * W).toFixed(2), y = (b) => (H - b / (plan.arena || 1) * H).toFixed(2);
  for (const [node, bytes, offset, from, to] of plan.values) {
    const end = Math.min(to + 1, count);
    live[from] += bytes;
    live[end] -= bytes;
    const kind = node < 0 ? 2 : nodes[node].kind, h = (bytes / (plan.arena || 1) * H).toFixed(2);
    const bar = shape(
        'rect', {
          x: x(from),
          y: y(offset + bytes),
          width: x(end - from),
          height: h,
          fill: dark() ? STROKE[kind] + '99' : FILL[kind],
          stroke: kind ? STROKE[kind] : '#888888',
          'stroke-width': 0.5,
          'vector-effect': 'non-scaling-stroke'
        },
        svg);
    shape('title', {}, bar).textContent = (node < 0 ? 'scratch' : fullName(node)) + ', ' + bytesText(bytes) +
        ', steps ' + (from + first + 1) + ' to ' + (end + first);
    bar.onclick = () => go(node);
    if (!biggest.bytes || bytes > biggest.bytes)
      Object.assign(biggest, {node, bytes});
  }
  let now = 0, most = 0, at = 0;
  const points = live.slice(0, count).map((change, s) => {
    now += change;
    if (now > most) {
      most = now;
      at = s;
    }
    return x(s + 0.5) + ',' + y(now);
  });
  shape('polyline', {points: points.join(' '), class: 'live', 'vector-effect': 'non-scaling-stroke'}, svg);
  element(
      'p',
      'Up: the arena, ' + bytesText(plan.arena) + '. The line: bytes in use, at most ' + bytesText(most) +
          (most ? ', in step ' + (at + first + 1) + ', ' + stepName(steps[at + first]) : '') +
          '. A click on a bar shows its node.',
      drawer);
}

// ---- what is only in one ----
function showDifference() {
  openDrawer('What is only in one ');
  if (data.other) {
    const mine = nodes.flatMap((n, i) => isInOther[i] ? [] : [{id: i, cells: [fullName(i), n.op, n.detail, n.shape]}]);
    const part = (title, lines) => {
      element('h3', title + ': ' + lines.length + (lines.length === 1 ? ' node' : ' nodes'), drawer);
      if (lines.length)
        table(['node', 'op', 'attributes', 'shape'], lines.slice(0, MOST_LINES), drawer);
    };
    part('only in ' + data.title, mine);
    part('only in ' + data.other.title, onlyThere.map(({id, cells}) => ({id, cells: cells.slice(0, 4)})));
  }
  if (data.otherPlan) {
    const [here, there] = compare(steps, otherSteps, (s) => [stepName(s), s.op, s.way, s.layout].join('\n'));
    const time = (all) => all.reduce((t, s) => t + s.time, 0);
    const part = (plan, all, lines) => {
      element(
          'h3',
          'only ' + plan.title + ': ' + lines.length + ' of ' + all.length + ' steps' +
              (time(all) ? ', ' + durationText(time(lines)) + ' of ' + durationText(time(all)) : '') + '; arena ' +
              bytesText(plan.arena) + ', prepacked ' + bytesText(plan.prepacked),
          drawer);
      if (lines.length)
        table(STEP_HEADINGS, lines.slice(0, MOST_LINES).map((s) => ({id: s.node, cells: stepCells(s)})), drawer);
    };
    const slowest = (all) => all.sort((a, b) => a.once - b.once || b.time - a.time);
    part(data.plan, steps, slowest(here));
    part(data.otherPlan, otherSteps, slowest(there));
  }
}
