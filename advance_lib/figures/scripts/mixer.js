// Any photograph with any recording: the parts of the scene head's output are added up anew, as `mixing.mixture` does.
const figure = (box, data) => {
  const { element, number, slider, choice, tabs, bar, track, button, softmax } = kit;
  const FAINTEST = 1e-7;  // as in `objectives`
  const state = { photograph: 0, recording: 0, approach: data.approach, volume: 1, haze: 0 };
  const sceneOf = pair => data.scenes[data.pairs[pair].scene];
  const sum = values => values.reduce((a, b) => a + b, 0);
  const highest = values => values.indexOf(Math.max(...values));

  const mix = approach => {
    const { seen, heard, bias } = data.approaches[approach];
    const volume = approach === data.alone ? 1 : state.volume;  // what it adds for no sound is no sound to be turned up
    const saw = seen[state.haze][state.photograph], got = heard[state.recording].map(x => volume * x);
    const p = softmax(saw.map((x, k) => x + got[k] + bias[k]));
    return { saw, got, p };
  };
  const eventsOf = p => data.events.map((_, i) => sum(p.map((share, k) => share * data.posteriors[k][i])));
  const losses = (p, events) => {
    const truth = data.pairs[state.photograph].scene, y = data.responses[state.recording];
    const cross = events.map((one, i) => {
      const q = Math.min(Math.max(one, FAINTEST), 1 - FAINTEST);
      return y[i] * Math.log(q) + (1 - y[i]) * Math.log(1 - q);
    });
    const along = sum(p.map((share, k) => share * data.towards[k][truth]));
    const length = Math.sqrt(sum(p.map((a, j) => a * sum(p.map((b, k) => b * data.between[j][k])))));
    return { s: -Math.log(p[truth]), e1: data.constants[state.recording] - sum(cross), e2: 1 - along / length };
  };

  // The controls.
  const options = data.pairs.map((pair, index) => [String(index), `${data.scenes[pair.scene]}, ${pair.id}`]);
  const image = element('img', { width: 380, height: 380 });
  const veil = element('span', { class: 'veil', style: `background:rgb(${data.haze.colour})` });
  const sound = element('audio', { controls: true, preload: 'metadata' });
  const key = kind => element('span', { class: `key ${kind}`, 'aria-hidden': 'true' });
  const labelled = (kind, text) => element('span', {}, key(kind), text);
  const photograph = choice({ label: labelled('seen', 'photograph'), options, value: '0' }, key => change({ photograph: Number(key) }));
  const recording = choice({ label: labelled('heard', 'recording'), options, value: '0' }, key => change({ recording: Number(key) }));
  const approach = tabs({
    label: 'approach', options: data.approaches.map(({ shown }, index) => [String(index), shown]), value: String(state.approach),
  }, key => change({ approach: Number(key) }));
  const haze = slider({
    label: 'haze over the photograph', min: 0, max: data.haze.levels.length - 1, step: 1, value: 0,
    say: level => level ? `${number(100 * data.haze.levels[level], 0)} % of the light scattered` : 'none',
  }, level => change({ haze: level }));
  const volume = slider({
    label: 'factor on the heard part', min: 0, max: 2, step: 0.05, value: 1, say: x => `× ${number(x)}`,
  }, x => change({ volume: x }));
  const presets = data.presets.map(preset => button(preset.name, () => {
    photograph.select.value = preset.photograph;
    recording.select.value = preset.recording;
    change({ photograph: preset.photograph, recording: preset.recording, approach: data.approach, volume: 1, haze: 0 });
    approach.inputs[state.approach].checked = true;
    haze.set(0);
    volume.set(1);
  }));

  // What is shown.
  const said = element('p', { class: 'said', 'aria-live': 'polite' });
  const scenes = element('tbody'), events = element('tbody'), loss = element('tbody'), ends = element('span', { class: 'ends' });
  const heading = (text, ...classes) => element('th', { scope: 'col', class: classes.join(' ') }, ...[text].flat());
  const table = (about, columns, body) => element('table', { 'aria-label': about },
    element('thead', {}, element('tr', {}, ...columns)), body);
  const parts = table('both parts and p(scene), by scene', [
    heading('scene'), heading([key('seen'), 'seen'], 'number'), heading([key('heard'), 'heard'], 'number'),
    heading(ends, 'wide'), heading([key('both'), 'p(s)'], 'number'), element('td', { class: 'wide' }),
  ], scenes);
  const heards = table('events heard and events that the scenes imply', [
    heading('event'), heading([key('heard'), 'heard'], 'number'), heading([key('both'), 'implied'], 'number'), element('td', { class: 'wide' }),
  ], events);
  const weighed = table('losses', [heading('loss, in nats'), element('td'), element('td', { class: 'wide' })], loss);

  const step = most => [1, 2, 3, 4, 6, 8, 12, 16, 24, 32].find(end => most <= end) ?? most;
  const row = (name, ...cells) => element('tr', {}, element('th', { scope: 'row' }, ...[name].flat()),
    ...cells.map(cell => element('td', { class: typeof cell === 'string' ? 'number' : 'wide' }, cell)));
  const mark = (text, about) => element('abbr', { title: about }, text);

  const showScenes = ({ saw, got, p }) => {
    const centred = values => { const mean = sum(values) / values.length; return values.map(x => x - mean); };
    const [seen, heard] = [centred(saw), centred(got)];
    const end = step(Math.max(...[...seen, ...heard].map(Math.abs)));
    const at = x => 0.5 + x / (2 * end);
    ends.replaceChildren(element('span', {}, `−${end}`), element('span', {}, '0'), element('span', {}, `+${end}`));
    const named = highest(p);
    scenes.replaceChildren(...data.scenes.map((scene, k) => {
      const whose = [
        k === data.pairs[state.photograph].scene && mark('photo', 'the photograph is of this scene'),
        k === data.pairs[state.recording].scene && mark('sound', 'the recording is of this scene'),
      ].filter(Boolean);
      const one = row([scene, ' ', ...whose], number(seen[k], 2, true), number(heard[k], 2, true),
        track(bar('middle', 0.5, 0.5), bar('seen', 0.5, at(seen[k]), 0, 2), bar('heard', 0.5, at(heard[k]), 1, 2)),
        number(p[k]), track(bar('both', 0, p[k])));
      if (k === named) one.className = 'named';
      return one;
    }));
  };
  const showEvents = implied => {
    const y = data.responses[state.recording];
    const order = values => values.map((_, i) => i).sort((a, b) => values[b] - values[a]);
    const loud = order(y).slice(0, 5), expected = order(implied).filter(i => !loud.includes(i)).slice(0, 3);
    events.replaceChildren(...[...loud, ...expected].map(i => row(data.events[i], number(y[i]), number(implied[i]),
      track(bar('heard', 0, y[i], 0, 2), bar('both', 0, implied[i], 1, 2)))));
  };
  const showLosses = ({ s, e1, e2 }) => {
    const terms = [
      ['<i>L</i><sub>s</sub>', s, ''],
      ['α<i>L</i><sub>E1</sub>', data.alpha * e1, ` = ${data.alpha} × ${number(e1)}`],
      ['αβ<i>L</i><sub>E2</sub>', data.alpha * data.beta * e2, ` = ${Number((data.alpha * data.beta).toPrecision(6))} × ${number(e2, 3)}`],
    ];
    const end = Math.max(1, s, data.alpha * e1);
    loss.replaceChildren(...terms.map(([name, value, made]) => {
      const label = element('span');
      label.innerHTML = name + made;
      return row(label, number(value, value < 0.001 ? 6 : 2), track(bar('both', 0, value / end)));
    }));
  };
  const show = () => {
    const pair = data.pairs[state.photograph], other = data.pairs[state.recording];
    const share = data.haze.levels[state.haze];
    if (image.getAttribute('src') !== pair.image) image.src = pair.image;
    image.alt = `Aerial photograph of the scene ${sceneOf(state.photograph)}${share ? ', under haze' : ''}`;
    veil.style.opacity = share;
    if (sound.getAttribute('src') !== other.sound) sound.src = other.sound;
    sound.setAttribute('aria-label', `recording of the scene ${sceneOf(state.recording)}, pair ${other.id}`);
    const mixed = mix(state.approach), implied = eventsOf(mixed.p), named = highest(mixed.p), truth = pair.scene;
    const alone = state.approach === data.alone;  // a network that hears nothing
    [recording.select, volume.input].forEach(control => { control.disabled = alone; });
    desk.classList.toggle('alone', alone);
    showScenes(mixed);
    showEvents(implied);
    showLosses(losses(mixed.p, implied));
    const strong = k => element('b', {}, data.scenes[k]);
    const whose = named === truth ? 'the photograph’s scene' : named === other.scene ? 'the recording’s scene' : 'a third scene';
    said.replaceChildren(alone ? 'From the photograph alone: ' : 'Together: ', strong(named), `, p = ${number(mixed.p[named])}; `,
      !alone && truth !== other.scene ? `${whose}.` : named === truth ? 'that is right.' : 'that is wrong.');
    if (alone) said.append(' Its heard part is the same whatever is recorded.');
    else if (data.alone !== null) {
      said.append(' Without sound the network says ', strong(highest(mix(data.alone).p)), '.');
    }
  };
  const change = what => { Object.assign(state, what); show(); };

  const desk = element('div', { class: 'mixer' },
    presets.length ? element('div', { class: 'controls' }, ...presets) : '',
    approach.element,
    element('div', { class: 'sources' },
      element('div', {}, photograph.element, element('span', { class: 'photograph' }, image, veil), haze.element),
      element('div', {}, recording.element, sound, volume.element, said, weighed)),
    element('div', { class: 'results' }, parts), heards);
  box.append(desk);
  if (data.presets.length) {
    const [{ photograph: one, recording: other }] = data.presets;
    photograph.select.value = one;
    recording.select.value = other;
    Object.assign(state, { photograph: one, recording: other });
  }
  show();
};
