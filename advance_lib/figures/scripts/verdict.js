// One claim and its verdict, under a rule that can be changed and in experiments that can be repeated.

// log Γ(x), x > 0: Lanczos's approximation (g = 7).
const logGamma = x => {
  const parts = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  const series = parts.reduce((sum, part, at) => sum + part / (x + at), 0.99999999999980993);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series);
};

// The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (DLMF 8.17.22).
const incompleteBeta = (x, a, b) => {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const least = 1e-300, kept = value => (Math.abs(value) < least ? least : value);
  let c = 1, d = 1 / kept(1 - (a + b) * x / (a + 1)), fraction = d;
  for (let m = 1; m < 1000; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    let step = 1;
    for (const part of [even, odd]) {
      d = 1 / kept(1 + part * d);
      c = kept(1 + part / c);
      step = c * d;
      fraction *= step;
    }
    if (Math.abs(step - 1) < 1e-15) break;
  }
  const front = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x);
  return Math.exp(front) * fraction / a;
};

// Student's t: the share beyond t, and the t beyond which a share lies.
const student = {
  above: (t, freedom) => {
    const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
    return t < 0 ? 1 - tail : tail;
  },
  quantile: (share, freedom) => {
    let low = 0, high = 1;
    while (student.above(high, freedom) > share) high *= 2;
    for (let step = 0; step < 100; step++) {
      const middle = (low + high) / 2;
      if (student.above(middle, freedom) > share) low = middle; else high = middle;
    }
    return (low + high) / 2;
  },
};

// p values as `statistics.over_both` and `statistics.below` give them; null where chance cannot be told.
const pOf = row => row.error ? 2 * student.above(Math.abs(row.difference) / row.error, row.freedom)
  : row.untold ? null : Number(row.difference === 0);
const pMargin = (row, margin) => row.error ? student.above((margin - row.difference) / row.error, row.freedom)
  : row.untold ? null : Number(row.difference >= margin);

// Holm's correction, as `statistics.holm`: `asked` are p values, `further` are as many questions more with p = 1.
const holm = (asked, further) => {
  const order = asked.map((_, at) => at).filter(at => asked[at] !== null).sort((a, b) => asked[a] - asked[b]);
  const adjusted = asked.map(() => null), all = order.length + further;
  let least = 0;
  order.forEach((at, place) => {
    least = Math.max(least, (all - place) * asked[at]);
    adjusted[at] = Math.min(least, 1);
  });
  return adjusted;
};

// What the rule says of the first of `rows`, which is asked with all the others; as `claims.verdict`.
const judge = (rows, { level, margin, further }) => {
  const margins = rows.filter(row => !row.helps);
  const adjusted = holm([...rows.map(pOf), ...margins.map(row => pMargin(row, margin))], further);
  const [row] = rows, p = adjusted[0], pBelow = row.helps ? null : adjusted[rows.length];
  const certain = p !== null && p < level;
  const better = certain && row.difference > 0, worse = certain && row.difference < 0;
  const verdict = row.helps ? (better ? 'supported' : worse ? 'refuted' : 'undecided')
    : better ? 'refuted' : pBelow !== null && pBelow < level ? 'supported' : 'undecided';
  const half = row.error ? student.quantile(level / 2, row.freedom) * row.error : row.untold ? NaN : 0;
  return { p, pBelow, verdict, low: row.difference - half, high: row.difference + half };
};

const SYMBOLS = { supported: '✓', refuted: '✗', undecided: '○' };

const figure = (box, data) => {
  const { element, svg, number, slider, choice, button } = kit;
  const LEVELS = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
  const width = Math.max(280, Math.min(720, box.clientWidth - 28)), edge = 20;  // letters keep their size on a telephone
  const drawing = svg('svg', { viewBox: `0 0 ${width} 142`, width, role: 'img' });
  const result = element('p', { class: 'result', 'aria-live': 'polite' });
  const tally = element('tbody'), told = element('p', { class: 'told' });
  let source = data.sources[0], row = source.rows.find(one => one.claim === data.claim);
  let x, level = data.level, margin = data.margin, family = 'source', parts, experiments;

  // Standard error of what locations and seeds share: which network errs at which place.
  const both = () => Math.sqrt(Math.max(0, row.error ** 2 - row.over_locations ** 2 - (row.over_seeds ?? 0) ** 2));
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const anew = () => { parts = { locations: 0, seeds: 0, both: 0 }; experiments = []; };
  const others = () => source.rows.filter(one => one !== row
    && (family === 'source' || family === 'double' || family === 'table' && one.where === row.where));
  const questions = rows => rows.length + rows.filter(one => !one.helps).length;
  const judged = difference => {
    const rows = [{ ...row, difference }, ...others()];
    return judge(rows, { level, margin, further: family === 'double' ? questions(rows) : 0 });
  };
  const p = value => value === null ? 'not defined' : value < 0.001 ? '< 0.001' : '= ' + number(value, 3);

  const interval = ({ low, high }) => row.untold ? 'no interval' : `${number(low, 1, true)} to ${number(high, 1, true)}`;

  const show = () => {
    const difference = row.difference + parts.locations + parts.seeds + parts.both, now = judged(difference);
    result.replaceChildren(
      element('strong', { class: now.verdict }, `${SYMBOLS[now.verdict]} ${now.verdict}`),
      ` ${experiments.length ? `Experiment ${experiments.length}` : 'As measured'}: ${number(difference, 1, true)} points `
      + `(${interval(now)}), corrected p ${p(now.p)}.`
      + (row.helps ? '' : ` Against a gain of ${number(margin, 1)} point${margin === 1 ? '' : 's'} or more: corrected p ${p(now.pBelow)}.`));
    const counts = { supported: 0, refuted: 0, undecided: 0 };
    const verdicts = experiments.map(found => judged(found).verdict);
    verdicts.forEach(verdict => { counts[verdict] += 1; });
    tally.replaceChildren(...Object.entries(counts).map(([verdict, count]) => element('tr', {},
      element('th', { scope: 'row' }, `${SYMBOLS[verdict]} ${verdict}`), element('td', {}, String(count)),
      element('td', {}, experiments.length ? `${number(100 * count / experiments.length, 0)} %` : '–'))));
    draw(difference, now, verdicts);
  };

  const dotted = (at, { low, high }, y, r, look) => [
    ...(row.untold ? [] : [svg('line', { x1: x(low), x2: x(high), y1: y, y2: y, class: look })]),
    svg('circle', { cx: x(at), cy: y, r, class: look })];

  const draw = (difference, now, verdicts) => {
    const measured = judged(row.difference);
    const ends = [0, row.difference, measured.low, measured.high, now.low, now.high, ...experiments].filter(Number.isFinite);
    if (!row.helps) ends.push(margin);
    const low = Math.min(...ends), high = Math.max(...ends), room = (high - low || 1) * 0.06;
    x = value => edge + (width - 2 * edge) * (value - low + room) / (high - low + 2 * room);
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find(one => (high - low) / one <= width / 70) ?? 100, ticks = [];
    for (let at = Math.ceil((low - room) / step); at * step <= high + room; at++) ticks.push(at * step);
    const vertical = (value, look) => svg('line', { x1: x(value), x2: x(value), y1: 6, y2: 118, ...look });
    drawing.setAttribute('aria-label', `Difference ${number(difference, 1, true)} points, `
      + `interval ${interval(now)}: ${now.verdict}`);
    drawing.replaceChildren(
      svg('line', { x1: edge, x2: width - edge, y1: 118, y2: 118, class: 'axis' }),
      ...ticks.flatMap(tick => [svg('line', { x1: x(tick), x2: x(tick), y1: 118, y2: 123, class: 'axis' }),
        svg('text', { x: x(tick), y: 137, 'text-anchor': 'middle' }, number(tick, step < 1 ? 1 : 0))]),
      vertical(0, { class: 'zero' }),
      ...(row.helps ? [] : [vertical(margin, { class: 'margin' }),
        svg('text', { x: x(margin) + 4, y: 16 }, 'margin')]),
      ...experiments.map((found, at) => svg('circle', { cx: x(found), cy: 112 - 7 * (at % 5), r: 3, class: `dot ${verdicts[at]}` })),
      ...(experiments.length ? dotted(row.difference, measured, 30, 4, 'measured') : []),
      ...dotted(difference, now, 54, 7, `now ${now.verdict}`));
  };

  const repeat = (which, times = 1) => {
    for (let time = 0; time < times; time++) {
      if (which !== 'seeds') parts.locations = row.over_locations * normal();
      if (which !== 'locations') parts.seeds = (row.over_seeds ?? 0) * normal();
      parts.both = both() * normal();
      experiments.push(row.difference + parts.locations + parts.seeds + parts.both);
    }
    show();
  };

  // The families to choose from; a table with one claim, or with all of the source, is no family of its own.
  const families = () => {
    const table = source.rows.filter(one => one.where === row.where);
    const count = rows => `${questions(rows)} question${questions(rows) > 1 ? 's' : ''}`;
    const all = (rows, of) => `all ${rows.length} claims of ${of} (${count(rows)})`;
    return [
      ['claim', `this claim alone (${count([row])})`],
      ...(table.length > 1 && table.length < source.rows.length ? [['table', all(table, row.where)]] : []),
      ['source', all(source.rows, 'this source')],
      ['double', 'the same, and as many questions again without an effect'],
    ];
  };
  const optionsOf = (pairs, chosen) => pairs.map(([key, text]) => element('option', { value: key, selected: key === chosen }, text));
  const claims = () => source.rows.map(one => [one.claim, `${one.where}: ${one.claim}`]);
  const change = () => {
    anew();
    if (!families().some(([key]) => key === family)) family = 'source';
    familyList.select.replaceChildren(...optionsOf(families(), family));
    marginSlider.input.disabled = row.helps;
    again.disabled = !row.error || !row.over_locations;
    train.disabled = !row.error || !row.over_seeds;
    hundred.disabled = !row.error;
    told.textContent = row.over_seeds === null ? 'One seed only: how much trainings vary is not known.'
      : !row.error ? 'Nothing varies here, or there is one location only: there is nothing to draw.'
      : `Standard errors in points: ${number(row.over_locations)} over locations, ${number(row.over_seeds)} over seeds, `
        + `${number(both())} of both at once, ${number(row.error)} in all.`;
    show();
  };
  const claimList = choice({ label: 'claim', options: claims(), value: data.claim }, text => {
    row = source.rows.find(one => one.claim === text);
    change();
  });
  const sourceList = choice({ label: 'source of data', value: '0',
    options: data.sources.map((one, at) => [String(at), one.label]) }, at => {
    source = data.sources[Number(at)];
    row = source.rows.find(one => one.claim === row.claim) ?? source.rows[0];
    claimList.select.replaceChildren(...optionsOf(claims(), row.claim));
    change();
  });
  const familyList = choice({ label: 'questions in the family (Holm)', value: family,
    options: families() }, chosen => { family = chosen; show(); });
  const levelSlider = slider({ label: 'significance level', min: 0, max: LEVELS.length - 1, step: 1,
    value: LEVELS.indexOf(level), at: place => LEVELS[place], say: String }, value => { level = value; show(); });
  const marginSlider = slider({ label: 'margin in points', min: 0, max: 5, step: 0.1, value: margin,
    say: value => number(value, 1) }, value => { margin = value; show(); });
  const again = button('Draw locations again', () => repeat('locations'));
  const train = button('Train again', () => repeat('seeds'));
  const hundred = button('Both, 100 times', () => repeat('both', 100));
  const measured = button('As measured', () => { anew(); show(); });

  box.append(
    element('div', { class: 'controls' }, sourceList.element, claimList.element, familyList.element, levelSlider.element, marginSlider.element),
    result, drawing, told,
    element('div', { class: 'controls' }, again, train, hundred, measured),
    element('table', { class: 'tally' }, element('caption', {}, 'Verdicts of the repeated experiments'),
      element('thead', {}, element('tr', {}, ...['verdict', 'times', 'share'].map(name => element('th', { scope: 'col' }, name)))),
      tally));
  change();
};
