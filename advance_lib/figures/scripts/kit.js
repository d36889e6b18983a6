// What the interactive figures share: elements, controls, numbers. No library; each script gets it as `kit`.
const kit = (() => {
  const made = (namespace, tag, attributes, children) => {
    const element = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === 'function') element.addEventListener(name, value);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children);
    return element;
  };
  // element('p', { class: 'said', click: event => … }, 'text', other): a function is a listener.
  const element = (tag, attributes = {}, ...children) => made(null, tag, attributes, children);
  const svg = (tag, attributes = {}, ...children) => made('http://www.w3.org/2000/svg', tag, attributes, children);

  // Numbers as the book prints them: a true minus, a fixed number of decimals, a sign on request.
  const number = (value, decimals = 2, sign = false) => {
    const text = Math.abs(value).toFixed(decimals);
    return (value < 0 && Number(text) !== 0 ? '−' : sign ? '+' : '') + text;
  };

  // A labelled slider that says its value. `at` maps its position to the value that is shown and handed on.
  const slider = ({ label, min, max, step, value, at = position => position, say = number }, changed) => {
    const output = element('output');
    const input = element('input', { type: 'range', min, max, step, value, input: () => update() });
    const update = () => {
      output.textContent = say(at(Number(input.value)));
      input.setAttribute('aria-valuetext', output.textContent);
      changed(at(Number(input.value)));
    };
    output.textContent = say(at(Number(value)));
    input.setAttribute('aria-valuetext', output.textContent);
    const set = position => { input.value = position; update(); };
    return { element: element('label', { class: 'slider' }, element('span', {}, label), input, output), input, set };
  };

  // A labelled list to choose from: `options` are [value, text] pairs.
  const choice = ({ label, options, value }, changed) => {
    const select = element('select', { change: () => changed(select.value) },
      ...options.map(([key, text]) => element('option', { value: key, selected: key === value }, text)));
    return { element: element('label', { class: 'choice' }, element('span', {}, label), select), select };
  };

  // One of several, as radio buttons: `options` are [value, what stands beside the button] pairs, HTML or an element.
  const tabs = ({ label, options, value }, changed) => {
    const name = `tabs-${Math.random().toString(36).slice(2)}`;  // a page may have several figures
    const inputs = options.map(([key]) =>
      element('input', { type: 'radio', name, value: key, checked: key === value, change: () => changed(key) }));
    const texts = options.map(([, shown]) => {
      const text = element('span');
      if (typeof shown === 'string') text.innerHTML = shown; else text.append(shown);
      return text;
    });
    const group = element('fieldset', { class: 'tabs' }, element('legend', {}, label),
      ...inputs.map((input, index) => element('label', {}, input, texts[index])));
    return { element: group, inputs };
  };

  // A bar on a track, from one share of its width to another; where several lie on a track, the n-th of `lanes`.
  const bar = (kind, from, to, lane = 0, lanes = 1) => element('span', { class: `bar ${kind}`, style:
    `left:${100 * Math.min(from, to)}%;width:${100 * Math.abs(to - from)}%;top:${100 * lane / lanes}%;height:${100 / lanes}%` });
  const track = (...bars) => element('span', { class: 'track', 'aria-hidden': 'true' }, ...bars);

  const button = (text, pressed) => element('button', { type: 'button', click: pressed }, text);

  // Lets a pointer pull `handle` over `drawing`, an SVG: `moved` gets its place in the units of the drawing's viewBox.
  const dragged = (drawing, handle, moved) => {
    const place = event => {
      const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
      moved(x, y);
    };
    handle.addEventListener('pointerdown', event => { handle.setPointerCapture(event.pointerId); place(event); });
    handle.addEventListener('pointermove', event => { if (handle.hasPointerCapture(event.pointerId)) place(event); });
  };

  const softmax = logits => {
    const most = Math.max(...logits), parts = logits.map(logit => Math.exp(logit - most));
    const sum = parts.reduce((a, b) => a + b, 0);
    return parts.map(part => part / sum);
  };

  const sigmoid = x => 1 / (1 + Math.exp(-x));
  const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

  // The next 1, 2 or 5 times a power of ten: for the ends of axes, and for distances between contours.
  const rounded = value => {
    const power = 10 ** Math.floor(Math.log10(value));
    return power * [1, 2, 5, 10].find(factor => factor * power >= value * 0.999);
  };

  return { element, svg, number, slider, choice, tabs, bar, track, button, dragged, softmax, sigmoid, softplus, rounded };
})();
