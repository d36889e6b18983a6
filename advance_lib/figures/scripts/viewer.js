// Class activation maps over one large photograph: which photograph, which approach, how strong.
const figure = (box, data) => {
  const { element, svg, number, slider, tabs } = kit;
  const state = { pair: 0, approach: 0, strength: 0.5 };
  const { side } = data;

  const photograph = element('img', { class: 'photograph', width: 380, height: 380 });
  const map = element('img', { class: 'map', width: 380, height: 380 });
  // Drawn twice, dark below light: it must be seen on any photograph.
  const edges = ['below', 'above'].map(kind => svg('path', { class: `edge ${kind}` }));
  const rings = ['below', 'above'].map(kind => svg('circle', { class: `ring ${kind}`, r: 0.028 * side }));
  const lines = svg('svg', { viewBox: `0 0 ${side} ${side}`, 'aria-hidden': 'true' }, ...edges, ...rings);
  const sound = element('audio', { controls: true, preload: 'metadata' });
  const said = element('p', { class: 'said', 'aria-live': 'polite' });

  const approaches = tabs({
    label: 'approach', options: data.approaches.map(({ shown }, index) => [String(index), shown]), value: '0',
  }, key => { state.approach = Number(key); show(); });
  const pictures = tabs({
    label: 'photograph', value: '0', options: data.pairs.map((pair, index) =>
      [String(index), element('img', { src: pair.small, alt: `${pair.scene}, pair ${pair.id}`, title: pair.scene, width: 160, height: 160 })]),
  }, key => { state.pair = Number(key); show(); });
  const strength = slider({
    label: 'strength of the map', min: 0, max: 1, step: 0.05, value: state.strength, say: x => `${number(100 * x, 0)} %`,
  }, x => { state.strength = x; show(); });

  const show = () => {
    const pair = data.pairs[state.pair], look = pair.looks[state.approach], { name, shown } = data.approaches[state.approach];
    const turn = (image, address) => { if (image.getAttribute('src') !== address) image.src = address; };
    turn(photograph, pair.image);
    photograph.alt = `Aerial photograph of the scene ${pair.scene}, pair ${pair.id}`;
    turn(map, look.map);
    map.alt = `Where ${name} finds evidence for ${pair.scene}`;
    map.style.opacity = state.strength;
    edges.forEach(edge => edge.setAttribute('d', pair.outline ?? ''));
    rings.forEach(ring => { ring.setAttribute('cx', look.highest[0]); ring.setAttribute('cy', look.highest[1]); });
    turn(sound, pair.sound);
    sound.setAttribute('aria-label', `recording of the scene ${pair.scene}, pair ${pair.id}`);
    const who = element('span');
    who.innerHTML = shown;
    const right = look.named === pair.scene;
    said.replaceChildren(who, ': ', element('b', {}, look.named), `, p = ${number(look.p)}`,
      right ? ', which is right. ' : `; the scene is ${pair.scene}, p = ${number(look.sure)}. `,
      look.inside === null ? '' : `The map is highest ${look.inside ? 'on' : 'beside'} the object.`);
  };

  box.append(element('div', { class: 'viewer' },
    approaches.element,
    element('div', { class: 'stage' }, photograph, map, lines),
    element('div', { class: 'beside' }, said, sound, strength.element,
      element('p', { class: 'legend' }, svg('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' },
        svg('circle', { class: 'ring below', cx: 6, cy: 6, r: 4 }), svg('circle', { class: 'ring above', cx: 6, cy: 6, r: 4 })), 'highest point of the map'),
      data.pairs.some(pair => pair.outline) ? element('p', { class: 'legend' }, svg('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' },
        svg('path', { class: 'edge below', d: 'M0 6H12V13H0Z' }), svg('path', { class: 'edge above', d: 'M0 6H12V13H0Z' })), 'the object, tinted, where its outline is known') : ''),
    element('div', { class: 'strip' }, pictures.element)));
  show();
};
