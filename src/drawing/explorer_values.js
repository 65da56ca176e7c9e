// The explorer: the values of a run, and the colours of boxes.
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_';
const levelOf = new Map([...DIGITS].map((c, i) => [c, i]));
for (const [i, least, most, mean, size, zeros, dead, bad, bins, columns, planes, low, high, cells] of data.values)
  nodes[i].value = {least, most, mean, size, zeros, dead, bad, bins, columns, planes, low, high, cells};
const hasValues = data.values.length > 0;

// What each colour shows of a node; of a scope the largest, or the sum.  null: nothing is known of it.
const sum = (a, b) => a + b, larger = (a, b) => Math.max(a, b);
for (const n of nodes) {
  n.gradientSize = n.kind === 4 && n.value ? n.value.size : null;
  n.dead = n.value ? n.value.dead : null;
  n.bad = n.value ? n.value.bad : null;
}
for (const n of nodes)  // a forward node shows the gradients that flow through it
  if (n.forward >= 0 && n.gradientSize !== null)
    nodes[n.forward].gradientSize = Math.max(nodes[n.forward].gradientSize ?? 0, n.gradientSize);
const MEASURES = {
  time: {of: (n) => n.time, join: sum, text: (x) => timeText(x), title: 'time'},
  bytes: {of: (n) => Math.max(n.bytes, 0), join: sum, text: (x) => bytesText(x), title: 'bytes'},
  gradientSize: {of: (n) => n.gradientSize, join: larger, log: true, title: 'root mean square of the gradient'},
  dead: {of: (n) => n.dead, join: larger, most: 1, text: (x) => percent(x), title: 'share of dead channels of relus'},
  bad: {of: (n) => n.bad, join: sum, title: 'elements that are not finite'},
};
for (const measure of Object.values(MEASURES)) {
  measure.text = measure.text || ((x) => numberText(x));
  measure.node = nodes.map(measure.of);
  measure.scope = scopes.map(() => null);
  nodes.forEach((n, i) => {
    const x = measure.node[i];
    for (let k = n.scope; x !== null && k >= 0; k = scopes[k].parent)
      measure.scope[k] = measure.scope[k] === null ? x : measure.join(measure.scope[k], x);
  });
}
const numberText = (x) => x === null ? '–' :
    x === 0                          ? '0' :
    Math.abs(x) < 0.001              ? x.toExponential(2) :
                                       String(Number(x.toPrecision(4)));
const percent = (x) => x === null ? '–' : (100 * x).toFixed(1) + ' %';

// The range of the boxes that are drawn now.
let range = {low: 0, high: 1};
function measureBoxes() {
  const measure = MEASURES[$('colour').value];
  range = {low: Infinity, high: 0};
  if (!measure)
    return;
  for (const id of box.keys()) {
    const x = id < 0 ? measure.scope[-1 - id] : measure.node[id];
    if (x === null || (id < 0 && scopes[-1 - id].open))
      continue;
    range.high = Math.max(range.high, x);
    if (x > 0)
      range.low = Math.min(range.low, x);
  }
  range.high = measure.most || range.high;
}
function heatOf(id) {
  const measure = MEASURES[$('colour').value], x = id < 0 ? measure.scope[-1 - id] : measure.node[id];
  if (x === null)
    return colour('--paper');
  if (x <= 0 || range.high <= 0)
    return heat(0);
  if (!measure.log)
    return heat(x / range.high);
  const width = Math.log(range.high / range.low);
  return heat(width > 0 ? (0.1 + 0.9 * Math.log(x / range.low) / width) ** 2 : 1);
}
function legend(parent) {
  const measure = MEASURES[$('colour').value];
  element('h3', 'colours', parent);
  if (measure)
    element('p', measure.title + (measure.log ? ', by its logarithm' : ''), parent);
  const ul = element('ul', undefined, parent), line = (fill, stroke, text) => {
    const li = element('li', undefined, ul), swatch = element('span', undefined, li);
    swatch.className = 'swatch';
    swatch.style.background = fill;
    swatch.style.borderColor = stroke;
    li.append(text);
  };
  if ($('colour').value === 'step')
    element('p', 'Boxes of one colour side by side are computed in one step; white ones in none.', parent);
  else if ($('colour').value === 'difference')
    element(
        'p',
        'Orange boxes are only here, not in ' + data.other.title + '; dashed ones only there. An orange scope has ' +
            'either.',
        parent);
  else if (!measure)
    KINDS.slice(0, data.other ? 7 : 6).forEach(
        (kind, i) => line(
            dark() ? STROKE[i] + '55' : FILL[i], STROKE[i], kind + ' ' + nodes.filter((n) => n.kind === i).length));
  else {
    measureBoxes();
    line(heat(0), '', measure.log ? measure.text(range.low) + ' or less' : '0');
    line(heat(1), '', measure.text(range.high));
    line(colour('--paper'), '', 'not known');
  }
}

// ---- a value in the panel ----
function drawCells(v, parent) {
  const columns = v.columns, rows = v.cells.length / v.planes / columns, picture = element('canvas', undefined, parent);
  picture.width = columns;
  picture.height = rows;
  picture.className = 'picture';
  picture.style.aspectRatio = columns + '/' + rows;
  if (rows > columns)  // as high as a wide one is wide
    picture.style.maxWidth = 14 * columns / rows + 'rem';
  picture.title = columns + ' x ' + rows + ' means, ' + numberText(v.low) + ' to ' + numberText(v.high);
  const pixels = new ImageData(columns, rows);
  for (let i = 0; i < columns * rows; i++)
    for (let c = 0; c < 4; c++) {
      const digit = v.cells[(v.planes === 3 ? Math.min(c, 2) : 0) * columns * rows + i];
      pixels.data[4 * i + c] = c === 3 ? 255 :
          digit === '!'                ? [255, 0, 0][c] :
                                         Math.round(255 * levelOf.get(digit) / 63);
    }
  picture.getContext('2d').putImageData(pixels, 0, 0);
}
function drawBins(v, parent) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 ' + v.bins.length + ' 16');
  svg.setAttribute('class', 'bins');
  svg.setAttribute('preserveAspectRatio', 'none');
  [...v.bins].forEach((digit, i) => {
    const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect'), h = levelOf.get(digit) / 63 * 16;
    for (const [name, x] of [['x', i + 0.05], ['y', 16 - h], ['width', 0.9], ['height', h]])
      bar.setAttribute(name, x);
    svg.append(bar);
  });
  parent.append(svg);
  const ends = element('p', numberText(v.least) + ' … ' + numberText(v.most), parent);
  ends.className = 'ends';
}
function showValue(v) {
  if (!v)
    return;
  element('h3', 'value in the run', panel);
  if (v.cells)
    drawCells(v, panel);
  drawBins(v, panel);
  rows([
    ['mean', numberText(v.mean)], ['root mean square', numberText(v.size)], ['zeros', percent(v.zeros)],
    ['dead channels', v.dead === null ? '' : percent(v.dead)], ['not finite', v.bad ? String(v.bad) : '']
  ]);
}
