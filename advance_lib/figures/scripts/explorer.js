// A plane of pairs: hover or focus tells of one, a click or Enter plays it, the legend picks a scene out.
const figure = (box, data) => {
  const { element, svg, number, tabs, bar, track } = kit;
  const state = { view: 0, pair: 0, scene: null };
  const placed = pair => `translate(${data.views[state.view].places[pair].join(' ')})`;
  const about = pair => `${data.scenes[pair.scene].name}, pair ${pair.id}`;

  const marks = data.pairs.map((pair, index) => svg('path', {
    class: 'mark', role: 'button', tabindex: index ? -1 : 0, 'aria-label': about(pair), transform: placed(index),
    d: data.scenes[pair.scene].shape, fill: data.scenes[pair.scene].colour,
    mouseenter: () => look(index), focus: () => look(index), click: () => listen(index),
    keydown: event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); listen(index); }
      if (step) { event.preventDefault(); marks[(index + step + marks.length) % marks.length].focus(); }
    },
  }));
  const plane = svg('svg', { viewBox: '0 0 600 600', role: 'group', 'aria-label': 'Pairs in the space of events' }, ...marks);
  const views = tabs({ label: 'approach', options: data.views.map(({ name }, index) => [String(index), name]), value: '0' }, key => {
    state.view = Number(key);
    marks.forEach((mark, index) => mark.setAttribute('transform', placed(index)));
    tell();
  });
  const present = data.scenes.map((_, scene) => scene).filter(scene => data.pairs.some(pair => pair.scene === scene));
  const keys = present.map(scene => element('button', { type: 'button', 'aria-pressed': 'false', click: () => pick(scene) },
    svg('svg', { viewBox: '-8 -8 16 16', 'aria-hidden': 'true' }, svg('path', { d: data.scenes[scene].shape, fill: data.scenes[scene].colour })),
    data.scenes[scene].name));
  const image = element('img', { width: 160, height: 160 });
  const title = element('p', { class: 'title' }), heard = element('p'), named = element('p'), likely = element('tbody');
  const sound = element('audio', { controls: true, preload: 'metadata' });

  const tell = () => {
    const pair = data.pairs[state.pair], view = data.views[state.view], p = view.p[state.pair];
    const order = p.map((_, k) => k).sort((a, b) => p[b] - p[a]), truth = pair.scene;
    title.textContent = about(pair);
    heard.replaceChildren(element('b', {}, 'heard: '), pair.heard);
    const approach = element('b');
    approach.innerHTML = `${view.name}: `;
    named.replaceChildren(approach, `${data.scenes[order[0]].name}, ${order[0] === truth ? 'right' : 'wrong'}`);
    const shown = [...new Set([...order.slice(0, 3), truth])];
    likely.replaceChildren(...shown.map(k => element('tr', {}, element('th', { scope: 'row' }, data.scenes[k].name),
      element('td', { class: 'number' }, number(p[k])), element('td', { class: 'wide' }, track(bar('both', 0, p[k]))))));
  };
  const look = index => {
    const pair = data.pairs[index];
    marks[state.pair].classList.remove('chosen');
    marks[state.pair].setAttribute('tabindex', -1);
    state.pair = index;
    marks[index].classList.add('chosen');
    marks[index].setAttribute('tabindex', 0);
    if (image.getAttribute('src') !== pair.image) image.src = pair.image;
    image.alt = `Aerial photograph: ${about(pair)}`;
    if (sound.getAttribute('src') !== pair.sound && sound.paused) sound.src = pair.sound;
    tell();
  };
  const listen = index => {
    look(index);
    if (sound.getAttribute('src') !== data.pairs[index].sound) sound.src = data.pairs[index].sound;
    sound.play().catch(() => {});
  };
  const pick = scene => {
    state.scene = state.scene === scene ? null : scene;
    keys.forEach((key, index) => key.setAttribute('aria-pressed', String(present[index] === state.scene)));
    marks.forEach((mark, index) => mark.classList.toggle('dim', state.scene !== null && data.pairs[index].scene !== state.scene));
  };

  box.append(element('div', { class: 'explorer' }, views.element,
    element('div', { class: 'sheet' }, plane,
      element('div', { class: 'legend', role: 'group', 'aria-label': 'Scenes: pick one out' }, ...keys)),
    element('div', { class: 'pair' }, image, title, heard, named, sound,
      element('table', { 'aria-label': 'p(scene), the most probable and the true one' },
        element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'p(scene)'), element('td'), element('td'))), likely))));
  look(0);
};
