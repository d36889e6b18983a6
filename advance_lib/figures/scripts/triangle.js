// L_E1, L_E2 and L_E of a clip over p(s) of three scenes: equations (7) to (10), and gradient descent on the logits.
const figure = (box, data) => {
  const { element, svg, number, sigmoid, softplus, rounded } = kit;
  const SCENES = [0, 1, 2], CELLS = 40, LEAST = 0.005, SHOWN = 6;
  const WIDTH = 360, HEIGHT = 334, SIDE = 300;
  const corners = [[180, 32], [30, 32 + SIDE * Math.sqrt(3) / 2], [330, 32 + SIDE * Math.sqrt(3) / 2]];
  const state = { clip: data.clips[0], p: [1 / 3, 1 / 3, 1 / 3], mean: false, beta: data.beta, alpha: data.alpha, supervised: false };

  // The losses, as in advance_lib/transfer/objectives.py.
  const dot = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i] * b[i]; return sum; };
  const compound = p => data.events.map((_, i) => dot(p, SCENES.map(k => data.posteriors[k][i])));
  const kept = p => Math.min(Math.max(p, data.faintest), 1 - data.faintest);
  const divergence = (heard, p) => {  // C(σ(heard) ‖ p)
    const x = Math.log(kept(p)) - Math.log1p(-kept(p));
    return sigmoid(heard) * (heard - x) + softplus(x) - softplus(heard);
  };
  const losses = (p, { clip, beta, mean, alpha, supervised } = state) => {
    const events = compound(p), d = data.relevance[clip.scene];
    const sum = events.reduce((sum, event, i) => sum + divergence(clip.heard[i], event), 0);
    const e1 = mean ? sum / events.length : sum;
    const e2 = 1 - dot(events, d) / (Math.hypot(...events) * Math.hypot(...d));
    const e = e1 + beta * e2, s = -Math.log(p[clip.scene]);
    return { e1, e2, e, s, total: supervised ? s + alpha * e : e };
  };
  const slopes = p => {  // of the total, by the logits of p(s)
    const { clip } = state, events = compound(p), d = data.relevance[clip.scene];
    const size = Math.hypot(...events), length = Math.hypot(...d), cosine = dot(events, d) / (size * length);
    const byEvent = events.map((event, i) => {
      const one = event > data.faintest && event < 1 - data.faintest ? (event - sigmoid(clip.heard[i])) / (event * (1 - event)) : 0;
      const two = (cosine * event / size - d[i] / length) / size;
      return (state.mean ? one / events.length : one) + state.beta * two;
    });
    const byScene = SCENES.map(k => dot(byEvent, data.posteriors[k])), average = dot(p, byScene);
    return SCENES.map(k => {
      const e = p[k] * (byScene[k] - average);
      return state.supervised ? p[k] - (k === clip.scene) + state.alpha * e : e;
    });
  };
  const descent = start => {
    const path = [start];
    let logits = start.map(Math.log);
    for (let step = 0; step < data.steps; step++) {
      const slope = slopes(path.at(-1));
      logits = logits.map((logit, k) => logit - data.rate * slope[k]);
      path.push(kit.softmax(logits));
    }
    return path;
  };
  // From the best point of the grid, ever smaller exchanges between two scenes, as long as they help.
  const lowest = (grid, under = state) => {
    let best = grid.reduce((best, point) => (point.value < best.value ? point : best));
    for (let step = 0.5 / CELLS; step > 1e-5;) {
      const moves = SCENES.flatMap(a => SCENES.filter(b => b !== a).map(b => {
        const p = [...best.p], moved = Math.min(step, p[b]);
        p[a] += moved; p[b] -= moved;
        return { p, value: losses(p, under).total };
      })).filter(point => point.value < best.value);
      if (moves.length) best = moves.reduce((best, point) => (point.value < best.value ? point : best));
      else step /= 2;
    }
    return best.p;
  };

  // Places and probabilities.
  const place = p => [dot(p, corners.map(c => c[0])), dot(p, corners.map(c => c[1]))];
  const within = p => {  // the nearest p(s) in which no scene is ruled out: a softmax rules out none
    const cut = p.map(value => Math.max(value, LEAST)), sum = cut.reduce((a, b) => a + b);
    const over = cut.map(value => value - LEAST), spare = 1 - 3 * LEAST;
    return over.map(value => LEAST + value * spare / Math.max(sum - 3 * LEAST, 1e-12));
  };
  const at = (x, y) => {
    const top = (corners[1][1] - y) / (corners[1][1] - corners[0][1]);
    const right = (x - corners[1][0]) / SIDE - top / 2;
    return within([top, 1 - top - right, right]);
  };
  const joined = points => points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(' ');

  // Contours: the triangle is cut into small ones, on each of which the loss is taken as linear.
  const measured = (under = state) => {
    const rows = [];
    for (let a = 0; a <= CELLS; a++) {
      rows.push([]);
      for (let b = 0; a + b <= CELLS; b++) {
        const p = [a / CELLS, b / CELLS, (CELLS - a - b) / CELLS];
        rows[a].push({ p, xy: place(p), value: Math.min(losses(p, under).total, 1e9) });
      }
    }
    return rows;
  };
  const tiles = rows => rows.flatMap((row, a) => row.flatMap((point, b) => [
    ...(a + b < CELLS ? [[point, rows[a + 1][b], row[b + 1]]] : []),
    ...(a + b < CELLS - 1 ? [[rows[a + 1][b], rows[a + 1][b + 1], row[b + 1]]] : []),
  ]));
  const crossing = (one, other, level) => {
    const share = (level - one.value) / (other.value - one.value);
    return [0, 1].map(axis => one.xy[axis] + share * (other.xy[axis] - one.xy[axis]));
  };
  const contour = (cut, level) => {
    let area = '', line = '';
    for (const tile of cut) {
      const below = tile.filter(point => point.value <= level).length;
      if (!below) continue;
      const outline = [], ends = [];
      tile.forEach((point, i) => {
        const next = tile[(i + 1) % 3];
        if (point.value <= level) outline.push(point.xy);
        if ((point.value <= level) !== (next.value <= level)) {
          ends.push(crossing(point, next, level));
          outline.push(ends.at(-1));
        }
      });
      area += `M${joined(outline)}Z`;
      if (ends.length) line += `M${joined(ends)}`;
    }
    return { area, line };
  };

  // Names of the losses, and numbers.
  const sub = name => [element('i', {}, 'L'), element('sub', {}, name)];
  const weight = value => (value === 0 ? '0' : value >= 1 ? number(value, value < 10 ? 1 : 0) : String(Number(value.toPrecision(1))));
  const percent = value => `${Math.round(100 * value)}\u00a0%`;

  // What stands on the page.
  const bands = svg('g', { class: 'bands' }), lines = svg('g', { class: 'lines' }), values = svg('g', { class: 'values' });
  const path = svg('polyline', { class: 'path' }), steps = svg('g', { class: 'steps' });
  const minimum = svg('path', { class: 'minimum', d: 'M-5,-5L5,5M5,-5L-5,5' }), minimumText = svg('text', {}, 'minimum');
  const end = svg('circle', { class: 'end', r: 4.5 }), endText = svg('text', {}, `after ${data.steps} steps`);
  const point = svg('g', {
    class: 'point', role: 'slider', tabindex: 0, 'aria-label': 'p(s), a point of the triangle; arrow keys move it',
    'aria-valuemin': 0, 'aria-valuemax': 100,
    keydown: event => {
      const step = event.shiftKey ? 15 : 3;
      const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (!move && event.key !== 'Home') return;
      event.preventDefault();
      event.stopPropagation();  // or the slides would turn
      const [x, y] = place(state.p);
      moveTo(move ? at(x + move[0], y + move[1]) : [1 / 3, 1 / 3, 1 / 3]);
    },
  }, svg('circle', { class: 'reach', r: 22 }), svg('circle', { class: 'dot', r: 7.5 }));
  const named = SCENES.map(k => {
    const [x, y] = corners[k], top = k === 0;
    const across = top ? { x, 'text-anchor': 'middle' } : k === 1 ? { x: 2 } : { x: WIDTH - 2, 'text-anchor': 'end' };
    const name = svg('text', { ...across, y: top ? 12 : y + 20 });
    const share = svg('text', { ...across, y: top ? 26 : y + 35, class: 'share' });
    return { name, share };
  });
  const outline = svg('polygon', { class: 'outline', points: joined(corners) });
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'group', 'aria-label': 'The triangle of p(s)' },
    bands, lines, outline, values, ...named.flatMap(({ name, share }) => [name, share]),
    path, steps, end, endText, minimum, minimumText, point);
  kit.dragged(drawing, point, (x, y) => moveTo(at(x, y)));
  outline.addEventListener('click', event => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    moveTo(at(x, y));
  });

  const columns = { point: 'point', end: 'descent', least: 'minimum', truth: 'truth' };
  const rows = {
    ...Object.fromEntries(SCENES.map(k => [`p${k}`, [element('i', {}, 'p'), `(${data.scenes[k]})`]])),
    e1: sub('E1'), e2: sub('E2'), e: sub('E'), s: sub('s'),
    total: [element('i', {}, 'L'), ' = ', ...sub('s'), ' + α', ...sub('E')],
  };
  const cells = {};
  const table = element('table', { class: 'numbers' },
    element('thead', {}, element('tr', {}, element('td', {}), ...Object.values(columns).map(text => element('th', { scope: 'col' }, text)))),
    element('tbody', {}, ...Object.entries(rows).map(([row, name]) => element('tr', { 'data-row': row }, element('th', { scope: 'row' }, ...name),
      ...Object.keys(columns).map(column => (cells[`${row} ${column}`] = element('td', { 'data-cell': `${row} ${column}` })))))));

  const title = element('p', { class: 'title' });
  const player = element('audio', { controls: true, preload: 'metadata' });
  const truth = element('span', { class: 'truth' });
  const said = element('p', { class: 'said', role: 'status' });
  const strip = svg('svg', { class: 'strip', viewBox: `0 0 ${WIDTH} ${SHOWN * 24 + 64}`, role: 'img' });

  const strength = kit.slider({ label: element('span', {}, 'α, weight of ', ...sub('E')), min: -3, max: 2, step: 0.25, value: Math.log10(data.alpha),
    say: weight, at: position => 10 ** position }, value => { state.alpha = value; retell(); });
  strength.element.hidden = true;
  const added = element('input', { type: 'checkbox', change: () => {
    state.supervised = added.checked;
    strength.element.hidden = !added.checked;
    retell();
  } });
  const mixture = p => {
    const parts = SCENES.filter(k => p[k] >= 0.005).sort((a, b) => p[b] - p[a]).map(k => `${percent(p[k])} ${data.scenes[k]}`);
    return parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : data.scenes[p.indexOf(Math.max(...p))];
  };
  // A clip is named by what it shows: its scene, and where L_E1 alone is least; scenes below 10 % are not named.
  const clipNames = data.clips.map(clip => {
    const under = { ...state, clip, beta: 0 }, least = lowest(measured(under).flat(), under);
    const main = SCENES.filter(k => least[k] >= 0.1).sort((a, b) => least[b] - least[a]).map(k => data.scenes[k]);
    return `${data.scenes[clip.scene]}: fits ${main.join(' and ')} best`;
  });
  const numbered = (name, i) => {
    const before = clipNames.slice(0, i).filter(other => other === name).length;
    return before ? `${name} (${before + 1})` : name;
  };
  const controls = element('div', { class: 'controls' },
    kit.choice({ label: 'Clip', value: '0', options: clipNames.map((name, i) => [String(i), numbered(name, i)]) }, i => { state.clip = data.clips[i]; player.src = state.clip.sound; retell(); }).element,
    element('span', { class: 'played' }, truth, player),
    kit.choice({ label: 'Over the events', value: 'sum', options: [['sum', 'sum (paper)'], ['mean', 'mean (code)']] },
      value => { state.mean = value === 'mean'; retell(); }).element,
    kit.slider({ label: element('span', {}, 'β, weight of ', ...sub('E2')), min: -4, max: 2, step: 0.25, value: Math.log10(data.beta), say: weight,
      at: position => (position <= -4 ? 0 : 10 ** position) }, value => { state.beta = value; retell(); }).element,
    element('label', { class: 'check' }, added, ' add ', ...sub('s'), ', which knows the true scene'), strength.element);

  const buttons = element('div', { class: 'controls moves' },
    kit.button('To the middle', () => moveTo([1 / 3, 1 / 3, 1 / 3])),
    kit.button('To the true scene', () => moveTo(within(SCENES.map(k => Number(k === state.clip.scene))))),
    kit.button('To the minimum', () => moveTo(within(state.least))),
    kit.button('After descent', () => moveTo(within(descent(state.p).at(-1)))));
  player.src = state.clip.sound;

  const beside = (mark, text, [x, y]) => {
    mark.setAttribute('transform', `translate(${x},${y})`);
    const low = y > corners[1][1] - 20, right = (x > WIDTH / 2) !== low;  // outwards, where there is room
    text.setAttribute('x', x + (right ? 11 : -11));
    text.setAttribute('y', y + (low ? -9 : 4));
    text.setAttribute('text-anchor', right ? 'start' : 'end');
  };

  // When the clip or the loss has changed.
  const retell = () => {
    const grid = measured(), cut = tiles(grid), flat = grid.flat();
    state.least = lowest(flat);
    const sorted = flat.map(point => point.value).sort((a, b) => a - b);
    const low = sorted[0], high = sorted[Math.floor(0.93 * sorted.length)];
    const gap = rounded(Math.max(high - low, 1e-9) / 10);
    const levels = [];
    for (let level = Math.ceil(low / gap + 1e-6) * gap; level <= high && levels.length < 12; level += gap) levels.push(level);
    const found = levels.map(level => contour(cut, level));
    bands.replaceChildren(...found.map(({ area }) => svg('path', { d: area })));
    lines.replaceChildren(...found.map(({ line }) => svg('path', { d: line })));
    // Values stand outside the two slanting edges, where contours meet them, but not beside the minimum.
    const decimals = Math.max(0, -Math.floor(Math.log10(gap) + 1e-9)), least = place(state.least);
    const edges = [[grid.map(row => row[row.length - 1]), -5, 'end'], [grid.map(row => row[0]), 5, 'start']];
    values.replaceChildren(...edges.flatMap(([edge, aside, anchor]) => {
      const taken = [least];
      return levels.flatMap(level => edge.slice(1).flatMap((point, i) => {
        if ((point.value <= level) === (edge[i].value <= level)) return [];
        const [x, y] = crossing(edge[i], point, level);
        if (taken.some(other => Math.hypot(x - other[0], y - other[1]) < 16)) return [];
        taken.push([x, y]);
        return [svg('text', { x: x + aside, y: y + 3, 'text-anchor': anchor }, number(level, decimals))];
      }));
    }));
    const part = state.beta ? [' + ', weight(state.beta), ' ', ...sub('E2')] : [];
    title.replaceChildren('Contours of ', ...(state.supervised
      ? [...sub('s'), ' + ', weight(state.alpha), ' (', ...sub('E1'), ...part, ')'] : [...sub('E1'), ...part]),
      `, every ${number(gap, decimals)}`);
    truth.replaceChildren('True scene: ', element('b', {}, data.scenes[state.clip.scene]));
    named.forEach(({ name }, k) => {
      const isTrue = k === state.clip.scene;
      name.textContent = data.scenes[k] + (isTrue ? ', true' : '');
      name.classList.toggle('true', isTrue);
    });
    beside(minimum, minimumText, place(state.least));
    table.querySelectorAll('[data-row="s"], [data-row="total"]').forEach(row => { row.hidden = !state.supervised; });
    retellPoint();
  };

  // When the point has moved.
  const retellPoint = () => {
    const trail = descent(state.p), last = trail.at(-1), sure = SCENES.map(k => Number(k === state.clip.scene));
    const places = { point: state.p, end: last, least: state.least, truth: sure };
    point.setAttribute('transform', `translate(${place(state.p)})`);
    const told = SCENES.map(k => `${data.scenes[k]} ${percent(state.p[k])}`).join(', ');
    point.setAttribute('aria-valuenow', Math.round(100 * state.p[state.clip.scene]));
    point.setAttribute('aria-valuetext', told);
    named.forEach(({ share }, k) => { share.textContent = percent(state.p[k]); });
    path.setAttribute('points', joined(trail.map(place)));
    const tenths = trail.filter((_, i) => i && i < data.steps && i % 10 === 0).map(place);
    steps.replaceChildren(...tenths.map(([x, y]) => svg('circle', { cx: x, cy: y, r: 2 })));
    beside(end, endText, place(last));
    const apart = (a, b) => Math.hypot(place(a)[0] - place(b)[0], place(a)[1] - place(b)[1]);
    const crowded = (a, b) => apart(a, b) < 24 || (Math.abs(place(a)[1] - place(b)[1]) < 16 && apart(a, b) < 120);
    endText.toggleAttribute('hidden', crowded(last, state.least) || apart(last, state.p) < 24);
    minimumText.toggleAttribute('hidden', apart(state.least, state.p) < 24);
    const decimals = state.mean ? 4 : 3;
    for (const [column, p] of Object.entries(places)) {
      const found = { ...losses(p), p0: p[0], p1: p[1], p2: p[2] };
      for (const row of Object.keys(rows)) {
        const cell = cells[`${row} ${column}`];
        cell.dataset.value = found[row];
        cell.textContent = row[0] === 'p' ? percent(found[row]) : number(found[row], row === 'e2' ? 3 : decimals);
      }
    }
    const name = state.supervised ? element('i', {}, 'L') : element('span', {}, ...sub(state.beta ? 'E' : 'E1'));
    const less = losses(sure).total - losses(state.least).total;
    said.replaceChildren('For this clip, ', name, ' is least at ', element('b', {}, mixture(state.least)),
      state.least[state.clip.scene] > 0.995 ? ', the true scene.'
        : `, ${number(less, state.mean ? 4 : 2)} nats less than at ${data.scenes[state.clip.scene]}, the true scene.`);
    drawStrip(compound(state.p), compound(sure));
  };

  // The events that decide between the minimum and the true scene (or, where these are one, the middle).
  const drawStrip = (implied, ofTruth) => {
    const heard = state.clip.heard.map(sigmoid), left = 132, right = WIDTH - 66;
    const x = p => left + p * (right - left);
    const costs = p => p.map((event, i) => divergence(state.clip.heard[i], event));
    const [now, sure] = [implied, ofTruth].map(costs);
    const other = costs(compound(state.least[state.clip.scene] < 0.995 ? state.least : [1 / 3, 1 / 3, 1 / 3]));
    const chosen = sure.map((_, i) => i).sort((a, b) => Math.abs(sure[b] - other[b]) - Math.abs(sure[a] - other[a])).slice(0, SHOWN);
    const bottom = 44 + chosen.length * 24;
    const rows = chosen.flatMap((i, row) => {
      const y = 56 + row * 24;
      const name = data.events[i].length > 20 ? `${data.events[i].slice(0, 19)}…` : data.events[i];
      return [
        svg('text', { x: left - 10, y: y + 4, 'text-anchor': 'end' }, name),
        svg('line', { class: 'grid', x1: left, x2: right, y1: y, y2: y }),
        svg('line', { class: 'gap', x1: x(heard[i]), x2: x(implied[i]), y1: y, y2: y }),
        svg('circle', { class: 'true', cx: x(ofTruth[i]), cy: y, r: 5 }),
        svg('circle', { class: 'implied', cx: x(implied[i]), cy: y, r: 5 }),
        svg('path', { class: 'heard', d: `M${x(heard[i])},${y - 7}V${y + 7}` }),
        svg('text', { x: WIDTH - 2, y: y + 4, 'text-anchor': 'end' }, number(now[i] - sure[i], 2, true)),
      ];
    });
    strip.replaceChildren(
      svg('path', { class: 'heard', d: 'M8,4V16' }), svg('text', { x: 16, y: 14 }, 'heard, y'),
      svg('circle', { class: 'implied', cx: 92, cy: 10, r: 5 }), svg('text', { x: 102, y: 14 }, 'p(e) at the point'),
      svg('circle', { class: 'true', cx: 218, cy: 10, r: 5 }), svg('text', { x: 228, y: 14 }, 'p(e) of the true scene'),
      svg('text', { x: WIDTH - 2, y: 36, 'text-anchor': 'end' }, 'C at the point less C at the true scene, nats'),
      ...[0, 0.5, 1].flatMap(p => [
        svg('line', { class: 'grid', x1: x(p), x2: x(p), y1: 42, y2: bottom }),
        svg('text', { x: x(p), y: bottom + 15, 'text-anchor': 'middle' }, percent(p)),
      ]), ...rows);
    strip.setAttribute('aria-label', chosen.map(i =>
      `${data.events[i]}: heard ${percent(heard[i])}, at the point ${percent(implied[i])}, true scene ${percent(ofTruth[i])}`).join('; '));
  };

  const moveTo = p => { state.p = p; retellPoint(); };
  const hint = element('p', { class: 'hint' }, 'Drag the dot, or use the arrow keys. Try: go to the true scene; add ', ...sub('s'),
    '; compare sum and mean.');
  box.append(hint, controls, element('div', { class: 'halves' },
    element('div', {}, title, drawing, buttons),
    element('div', {}, element('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Losses' }, table),
      element('p', { class: 'title' }, 'The events that decide'), strip)), said);
  retell();
};
