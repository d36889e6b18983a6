// A photograph and a recording of the reader's own, recognised in the page. What is read here stays here: the only
// requests are those for the book's own files.
const figure = (box, data) => {
  const { about, example } = data;
  const length = about.seconds * about.sample_rate, SHORTEST = 2; // s, as in the library's media.py
  const given = {};
  // As seen from the page; JupyterLab shows a notebook at one address and its files at another.
  const address = path => new URL(path, document.baseURI).href.replace(/\/lab(\/workspaces\/[^/]+)?\/tree\//, '/files/');
  const [photographAt, soundAt, modelAt, runtimeAt] = [example.photograph, example.sound, data.model, data.runtime].map(address);

  // ---- as the library prepares a pair
  // Pillow's bilinear filter on 8 bits: widened where a photograph shrinks, and rounded after each direction.
  const filtered = (pixels, width, height, side) => {
    const scale = width / side, support = Math.max(scale, 1), result = new Uint8ClampedArray(side * height * 3);
    for (let at = 0; at < side; at++) {
      const centre = (at + 0.5) * scale, first = Math.max(0, Math.trunc(centre - support + 0.5));
      const parts = [];
      for (let x = first; x < Math.min(width, Math.trunc(centre + support + 0.5)); x++) {
        parts.push(Math.max(0, 1 - Math.abs((x - centre + 0.5) / support)));
      }
      const sum = parts.reduce((a, b) => a + b, 0), weights = parts.map(part => Math.floor(0.5 + part / sum * 2 ** 22));
      for (let y = 0; y < height; y++) for (let channel = 0; channel < 3; channel++) {
        let total = 2 ** 21;
        for (let i = 0; i < weights.length; i++) total += weights[i] * pixels[(y * width + first + i) * 3 + channel];
        result[(at * height + y) * 3 + channel] = Math.floor(total / 2 ** 22); // its transpose: (side, height)
      }
    }
    return result;
  };
  const transposed = (pixels, width, height) => {
    const result = new Uint8ClampedArray(pixels.length);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let channel = 0; channel < 3; channel++) {
      result[(x * height + y) * 3 + channel] = pixels[(y * width + x) * 3 + channel];
    }
    return result;
  };
  const squared = (pixels, width, height, side) => {
    const across = width === side ? transposed(pixels, width, height) : filtered(pixels, width, height, side);
    return height === side ? transposed(across, height, side) : filtered(across, height, side, side);
  };

  const LARGE = 2 ** 24; // pixels that a telephone's canvas holds
  const pixelsOf = async blob => {
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' });
    const shrink = Math.min(1, Math.sqrt(LARGE / (bitmap.width * bitmap.height)));
    const [width, height] = [bitmap.width, bitmap.height].map(side => Math.max(1, Math.floor(side * shrink)));
    const context = kit.element('canvas', { width, height }).getContext('2d', { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0, width, height);
    const colours = context.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 !== 3);
    return new Uint8Array(squared(colours, width, height, about.side));
  };

  // Browsers resample while they decode, each with a filter of its own. A WAV file is decoded at its own rate, all else
  // at a high one, and the library's filter, torchaudio's, does the rest.
  const COMMON = 48_000, ZEROS = 6, ROLLOFF = 0.99;
  const rateOf = bytes => {
    const view = new DataView(bytes), wav = view.byteLength > 28 && view.getUint32(12) === 0x666d7420; // "fmt "
    const rate = wav ? view.getUint32(24, true) : COMMON;
    return rate >= 8000 && rate <= 96_000 ? rate : COMMON;
  };
  const resampled = (samples, rate, newRate) => {
    const divisor = ((a, b) => { while (b) [a, b] = [b, a % b]; return a; })(rate, newRate);
    const old = rate / divisor, fresh = newRate / divisor, cutoff = ROLLOFF * Math.min(old, fresh) / old;
    if (old === fresh) return samples;
    const reach = Math.ceil(ZEROS / cutoff);
    const weights = Array.from({ length: fresh }, (_, phase) => Float64Array.from({ length: 2 * reach + 1 }, (_, tap) => {
      const at = Math.PI * Math.max(-ZEROS, Math.min(ZEROS, (tap - reach - phase / fresh) * cutoff));
      return (at ? Math.sin(at) / at : 1) * Math.cos(at / ZEROS / 2) ** 2 * cutoff;
    }));
    return Float32Array.from({ length: Math.ceil(fresh * samples.length / old) }, (_, place) => {
      const first = Math.floor(place * old / fresh) - reach, filter = weights[place * old % fresh];
      let sum = 0;
      for (let tap = 0; tap < filter.length; tap++) sum += filter[tap] * (samples[first + tap] ?? 0);
      return sum;
    });
  };

  const samplesOf = async blob => {
    const bytes = await blob.arrayBuffer(), rate = rateOf(bytes);
    const clip = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
    if (clip.duration < SHORTEST) throw Error(`it lasts ${clip.duration.toFixed(1)} s; ${SHORTEST} s or more are needed`);
    const channels = Array.from({ length: clip.numberOfChannels }, (_, channel) => clip.getChannelData(channel));
    const whole = about.seconds * rate, kept = Math.min(whole, clip.length);
    const mixed = Float32Array.from({ length: whole }, (_, i) => // what is shorter is repeated
      channels.reduce((sum, channel) => sum + channel[i % kept], 0) / channels.length);
    return resampled(mixed, rate, about.sample_rate).slice(0, length);
  };

  // ---- the network, fetched when it is first asked
  let session;
  const opened = () => session ??= new Promise((done, failed) => {
    const missing = () => failed(Error('this copy of the book lacks ONNX Runtime Web: run make try, then make book'));
    document.head.append(kit.element('script', { src: `${runtimeAt}/ort.wasm.min.js`, load: done, error: missing }));
  }).then(() => {
    ort.env.wasm.numThreads = 1; // more would need headers that a plain server does not send
    ort.env.wasm.wasmPaths = `${runtimeAt}/`;
    return ort.InferenceSession.create(modelAt, { executionProviders: ['wasm'] });
  }).catch(error => { session = null; throw error; });

  const recognise = async () => {
    say('Recognising …');
    given.photograph ??= await pixelsOf(await fetched(photographAt)); // the example's, until one's own is there
    given.samples ??= await samplesOf(await fetched(soundAt));
    const { photograph, samples } = given;
    const network = await opened();
    const found = await network.run({
      samples: new ort.Tensor('float32', samples, [length]),
      photograph: new ort.Tensor('uint8', photograph, [about.side, about.side, 3]),
    });
    const named = name => about[name].map((text, i) => [text, found[name].data[i]]).sort((a, b) => b[1] - a[1]);
    show(named('scenes'), named('events'));
    say(`Recognised in this page: ${named('scenes')[0][0]}.${ofExample()}`);
    box.dataset.recognised = Number(box.dataset.recognised ?? 0) + 1;
  };

  // ---- what the page shows
  const status = kit.element('p', { class: 'said', role: 'status' });
  const say = text => { status.textContent = text; };
  const attempt = work => async (...given) => {
    try { await work(...given); } catch (error) { say(`That did not work: ${error.message}.`); }
  };

  const TOP = 5;
  const answers = kit.element('div', { class: 'answers' });
  const list = (title, entries) => kit.element('div', {},
    kit.element('p', { class: 'title' }, title),
    kit.element('ol', {}, ...entries.slice(0, TOP).map(([name, value]) => kit.element('li', {},
      kit.element('span', { class: 'bar', style: `width: ${100 * value}%` }),
      kit.element('span', { class: 'name' }, name),
      kit.element('data', { value }, `${kit.number(100 * value, 1)} %`)))));
  const show = (scenes, events) => answers.replaceChildren(list('p(scene)', scenes), list('p(event)', events));

  const ofExample = () => {
    const kept = [picture.src === photographAt && 'photograph', player.src === soundAt && 'sound'].filter(Boolean);
    return kept.length === 1 ? ` The ${kept[0]} is that of the example.` : '';
  };
  const fetched = async at => (await fetch(at)).blob();
  const picture = kit.element('img', { src: photographAt, alt: `the example, ${example.scene}` });
  const player = kit.element('audio', { controls: true, preload: 'metadata', src: soundAt });
  const seen = async (blob, alt) => {
    given.photograph = await pixelsOf(blob);
    picture.src = URL.createObjectURL(blob);
    picture.alt = alt;
    await recognise();
  };
  const heard = async blob => {
    given.samples = await samplesOf(blob);
    player.src = URL.createObjectURL(blob);
    await recognise();
  };

  const file = (accept, taken) => kit.element('input', { type: 'file', accept, change: attempt(async event => {
    if (event.target.files.length) await taken(event.target.files[0]);
  }) });
  const photographFile = file('image/*', blob => seen(blob, 'your photograph')), soundFile = file('audio/*', blob => heard(blob));
  const labelled = (text, input) => kit.element('label', { class: 'file' }, kit.element('span', {}, text), input);
  const useExample = kit.button('Use the example', attempt(async () => {
    say('Reading the example …');
    [given.photograph, given.samples] = [null, null];
    [photographFile.value, soundFile.value] = ['', ''];
    [picture.src, picture.alt, player.src] = [photographAt, `the example, ${example.scene}`, soundAt];
    await recognise();
  }));

  // ---- camera and microphone, where the browser lets the page ask for them
  const devices = navigator.mediaDevices?.getUserMedia ? navigator.mediaDevices : null;
  const released = stream => stream.getTracks().forEach(track => track.stop());
  const video = kit.element('video', { muted: true, playsinline: true, hidden: true, 'aria-label': 'what the camera sees' });
  const camera = kit.button('Use the camera', attempt(async () => {
    if (!video.srcObject) {
      video.srcObject = await devices.getUserMedia({ video: { facingMode: 'environment' } });
      await video.play();
      [video.hidden, picture.hidden, camera.textContent] = [false, true, 'Take the photograph'];
      return;
    }
    const canvas = kit.element('canvas', { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext('2d').drawImage(video, 0, 0);
    released(video.srcObject);
    [video.srcObject, video.hidden, camera.textContent] = [null, true, 'Use the camera'];
    [picture.hidden, photographFile.value] = [false, ''];
    await seen(await new Promise(done => canvas.toBlob(done, 'image/png')), 'your photograph, from the camera');
  }));
  let recorder = null;
  const microphone = kit.button(`Record ${about.seconds} seconds`, attempt(async () => {
    if (recorder) return recorder.stop();
    const unchanged = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await devices.getUserMedia({ audio: unchanged }), parts = [];
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = event => parts.push(event.data);
    const began = Date.now(), count = () => {
      const left = about.seconds - Math.floor((Date.now() - began) / 1000);
      microphone.textContent = `Stop (${left} s left)`;
      if (left <= 0 && recorder.state === 'recording') recorder.stop();
    };
    const clock = setInterval(count, 250);
    recorder.onstop = attempt(async () => {
      clearInterval(clock);
      released(stream);
      [recorder, microphone.textContent] = [null, `Record ${about.seconds} seconds`];
      soundFile.value = '';
      await heard(new Blob(parts, { type: parts[0]?.type }));
    });
    recorder.start();
    count();
  }));

  box.append(
    kit.element('div', { class: 'pair' },
      kit.element('div', {}, picture, video, labelled('A photograph from above', photographFile),
        ...devices ? [camera] : []),
      kit.element('div', {}, player, labelled(`A sound, ${about.seconds} s of it`, soundFile), ...devices ? [microphone] : []),
    ),
    useExample, status, answers);
  show(example.scenes, example.events);
  say('The example, as PyTorch recognised it when the book was built.');
  if (location.protocol === 'file:') {
    box.querySelectorAll('button, input').forEach(control => { control.disabled = true; });
    say(`A page opened from a disk cannot load the network: make serve gives it an address. ${status.textContent}`);
  }
};
