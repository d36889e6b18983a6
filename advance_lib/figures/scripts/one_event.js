// C(σ(t/T) ‖ σ(s/T)), T² times it, and its limit (s − t)²/8: equations (3) and (4) for one event, and their slopes.
const figure = (box, data) => {
  const { element, svg, number, sigmoid, softplus, rounded } = kit;
  const MOST = 10, WIDTH = 360, HEIGHT = 270, LEFT = 38, RIGHT = WIDTH - 8, TOP = 14, BOTTOM = HEIGHT - 38;
  const state = { ...data };
  const OTHERS = [1, 3, 10, 30];  // temperatures to compare with

  // As advance_lib/transfer/objectives.py computes it, without logarithms of probabilities.
  const divergence = (s, t) => sigmoid(t) * (t - s) + softplus(s) - softplus(t);
  const measures = (s, t, T) => {
    const C = divergence(s / T, t / T), slope = (sigmoid(s / T) - sigmoid(t / T)) / T;
    return { C: [C, slope], T2C: [T * T * C, T * T * slope], SQ: [(s - t) ** 2 / 8, (s - t) / 4] };
  };
  const students = Array.from({ length: 201 }, (_, i) => -MOST + (2 * MOST * i) / 200);
  const names = { C: 'C', T2C: 'T²C', SQ: 'SQ/8' };

  // A panel: both axes, the curves, and a mark on each where the student is.
  const panel = (which, label) => {
    const bottom = which ? -1 : 0;  // slopes go below zero, distances do not
    const frame = svg('g'), curves = svg('g'), marks = svg('g');
    const handle = svg('g', { class: 'handle' }, svg('circle', { class: 'reach', r: 22 }), svg('circle', { class: 'mark T2C', r: 6.5 }));
    const clip = `one-event-${which}`;
    const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img' },
      svg('clipPath', { id: clip }, svg('rect', { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP })),
      frame, svg('g', { 'clip-path': `url(#${clip})` }, curves), marks, handle);
    const x = s => LEFT + ((s + MOST) / (2 * MOST)) * (RIGHT - LEFT);
    kit.dragged(drawing, handle, place => {
      const s = -MOST + (2 * MOST * (place - LEFT)) / (RIGHT - LEFT);
      student.set(Math.min(MOST, Math.max(-MOST, Math.round(10 * s) / 10)));
    });
    const draw = () => {
      const { student: s, teacher: t, temperature: T } = state, now = measures(s, t, T);
      const most = rounded(Math.max(which ? 1 : 2, 1.25 * Math.abs(now.SQ[which])));
      const y = value => BOTTOM - ((value - bottom * most) / (most - bottom * most)) * (BOTTOM - TOP);
      const parts = String(most).includes('2') ? 4 : 5;  // round numbers on the axis
      const ticks = bottom ? [-1, -0.5, 0, 0.5, 1] : Array.from({ length: parts + 1 }, (_, i) => i / parts);
      frame.replaceChildren(
        ...ticks.flatMap(share => [
          svg('line', { class: share === 0 ? 'axis' : 'grid', x1: LEFT, x2: RIGHT, y1: y(share * most), y2: y(share * most) }),
          svg('text', { x: LEFT - 5, y: y(share * most) + 4, 'text-anchor': 'end' }, String(Number((share * most).toFixed(4))).replace('-', '−')),
        ]),
        ...[-10, -5, 0, 5, 10].map(s => svg('text', { x: x(s), y: BOTTOM + 15, 'text-anchor': s === 10 ? 'end' : 'middle' }, number(s, 0))),
        svg('text', { x: (LEFT + RIGHT) / 2, y: HEIGHT - 5, 'text-anchor': 'middle' }, 'student’s pre-activation, s'),
        svg('line', { class: 'teacher', x1: x(t), x2: x(t), y1: TOP, y2: BOTTOM }),
        svg('text', { x: Math.max(x(t), LEFT + 24), y: TOP - 3, 'text-anchor': 'middle' }, 'teacher'),
      );
      const curve = (value, name, extra = '') => svg('polyline', {
        class: `${name} ${extra}`, points: students.map(s => `${x(s).toFixed(2)},${Math.max(-9999, y(value(s))).toFixed(2)}`).join(' '),
      });
      curves.replaceChildren(
        ...OTHERS.map(other => curve(s => measures(s, t, other).T2C[which], 'T2C', 'other')),
        ...['SQ', 'C', 'T2C'].map(name => curve(s => measures(s, t, T)[name][which], name)));
      // Each name stands at the last place of its curve, on the side where there is more room, that is in view.
      const side = t > 0 ? -1 : 1, taken = [];
      const texts = ['SQ', 'T2C', 'C'].map(name => {
        const seen = students.filter(s => {
          const value = measures(s, t, T)[name][which];
          return (s - t) * side > 0 && Math.abs(s) < 9.4 && Math.abs(value) < 0.94 * most;
        });
        const s = seen.reduce((a, b) => (side * b > side * a ? b : a), seen[0] ?? t);
        // The parabola lies above the others: its name stands inside of it, theirs outside where there is room.
        const outside = name !== 'SQ' && Math.abs(s) < 7.5, towards = outside ? side : -side;
        const height = y(measures(s, t, T)[name][which]);
        let level = outside ? height + 8 : height - 6 > TOP + 10 ? height - 6 : Math.max(TOP + 12, height + (name === 'SQ' ? 0 : 16));
        while (taken.some(other => Math.abs(other.level - level) < 13 && Math.abs(other.at - x(s)) < 40)) level += 13;
        taken.push({ level, at: x(s) });
        return svg('text', { class: `name ${name}`, x: x(s) + 6 * towards, y: level, 'text-anchor': towards > 0 ? 'start' : 'end' },
          names[name]);
      });
      marks.replaceChildren(...texts, ...['SQ', 'C'].map(name =>
        svg('circle', { class: `mark ${name}`, cx: x(s), cy: y(now[name][which]), r: 4.5 })));
      handle.setAttribute('transform', `translate(${x(s)},${y(now.T2C[which])})`);
      drawing.setAttribute('aria-label', `${label}, over the student's pre-activation; at ${number(s, 1)}: C ${number(now.C[which], 3)}, `
        + `T²C ${number(now.T2C[which], 3)}, SQ/8 ${number(now.SQ[which], 3)}`);
    };
    return { element: element('div', {}, element('p', { class: 'title' }, label), drawing), draw };
  };

  const panels = [panel(0, 'Distance of student and teacher, in nats'), panel(1, 'Slope, its derivative by s')];
  const slider = (label, key, min, max, step, options = {}) =>
    kit.slider({ label, min, max, step, value: state[key], say: value => number(value, 1), ...options }, value => { state[key] = value; draw(); });
  const teacher = slider('Teacher, t', 'teacher', -9, 9, 0.1);
  const student = slider('Student, s', 'student', -MOST, MOST, 0.1);
  const temperature = slider('Temperature, T', 'temperature', -0.3, 2, 0.05, {
    value: Math.log10(state.temperature), at: position => 10 ** position, say: T => number(T, T < 10 ? 1 : 0),
  });
  const labels = { ...names, C: 'C at T' };
  const cells = {};
  const table = element('table', { class: 'numbers' },
    element('thead', {}, element('tr', {}, element('td', {}), ...['distance', 'slope'].map(text => element('th', { scope: 'col' }, text)))),
    element('tbody', {}, ...Object.entries(labels).map(([row, name]) => element('tr', {}, element('th', { scope: 'row', class: row }, name),
      ...[0, 1].map(which => (cells[`${row} ${which}`] = element('td', { 'data-cell': `${row} ${which}` })))))));
  const said = element('p', { class: 'said', role: 'status' });

  const draw = () => {
    const { student: s, teacher: t, temperature: T } = state, now = measures(s, t, T);
    panels.forEach(panel => panel.draw());
    for (const [row, pair] of Object.entries(now)) pair.forEach((value, which) => {
      const cell = cells[`${row} ${which}`];
      cell.dataset.value = value;
      cell.textContent = number(value, 4);
    });
    const heard = x => `${number(100 * sigmoid(x), Math.abs(x) > 4 ? 2 : 0)}\u00a0%`;
    const share = which => {
      const percent = (100 * now.T2C[which]) / now.SQ[which];
      return `${number(percent, percent < 10 ? 1 : 0)}\u00a0%`;
    };
    said.replaceChildren(`The teacher gives the event ${heard(t)}, the student ${heard(s)}. `, ...(s === t
      ? ['They agree: every distance and every slope is zero.']
      : ['At ', element('i', {}, 'T'), ` = ${number(T, T < 10 ? 1 : 0)}, `, element('i', {}, 'T'), '²', element('i', {}, 'C'),
        ' is ', element('b', {}, share(0)), ' of SQ/8, and its slope ', element('b', {}, share(1)), ' of that of SQ/8.']));
  };
  box.append(element('p', { class: 'hint' }, 'Drag the dot, or use the sliders. Try ', element('i', {}, 'T'), ' = 10.'),
    element('div', { class: 'controls' }, teacher.element, student.element, temperature.element),
    element('div', { class: 'halves' }, ...panels.map(panel => panel.element)),
    element('p', { class: 'lines-key' }, `Dashed: SQ/8. Dotted: C at T. Thick: T²C. Thin: T²C at T = ${OTHERS.slice(0, -1).join(', ')} and ${OTHERS.at(-1)}.`),
    element('div', { class: 'below' }, table, said));
  draw();
};
