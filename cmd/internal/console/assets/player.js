// The player of a recording. The media element plays the file, fed by requests for ranges;
// the waveform is drawn from peaks that were made with the recording: nothing is decoded
// here, as not every browser decodes 8 kHz. Channels are muted by a graph behind the element.

import WaveSurfer from './wavesurfer/wavesurfer.esm.js';
import Regions from './wavesurfer/regions.esm.js';

const kinds = {redacted: 'rgba(179,38,30,.30)', paused: 'rgba(138,109,0,.30)', gap: 'rgba(95,107,120,.35)', silence: 'rgba(124,136,148,.2)', overlap: 'rgba(123,63,176,.25)'};
const chosen = 'rgba(11,92,138,.28)';

// clock is a time in the recording, as the pages write it: 1:02:03.5.
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const two = (n) => String(n).padStart(2, '0');
  const rest = `${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  const h = Math.floor(tenths / 36000);
  const m = Math.floor(tenths / 600) % 60;
  return h > 0 ? `${h}:${two(m)}:${rest}` : `${m}:${rest}`;
}

// parse reads what clock writes, and seconds.
export function parse(text) {
  const parts = text.trim().split(':').map(Number);
  return parts.some(Number.isNaN) ? NaN : parts.reduce((sum, p) => sum * 60 + p, 0);
}

// readPeaks reads a file of peaks in audiowaveform's binary format, version 1 or 2: the
// minima and maxima of each channel, in turn.
export function readPeaks(buffer) {
  const view = new DataView(buffer);
  const word = (at) => view.getInt32(at, true);
  const version = word(0);
  const wide = (word(4) & 1) === 0;
  const points = word(16);
  const channels = version === 2 ? word(20) : 1;
  const data = wide ? new Int16Array(buffer, version === 2 ? 24 : 20) : new Int8Array(buffer, version === 2 ? 24 : 20);
  return Array.from({length: channels}, (_, ch) => {
    const out = new Float32Array(2 * points);
    for (let i = 0; i < points; i++) {
      const at = 2 * (i * channels + ch);
      out[2 * i] = data[at] / (wide ? 32768 : 128);
      out[2 * i + 1] = data[at + 1] / (wide ? 32768 : 128);
    }
    return out;
  });
}

// colours are those of the page's scheme, by channel.
function colours(channels, height) {
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue(name).trim();
  return {
    cursorColor: colour('--ink'),
    splitChannels: Array.from({length: channels}, (_, i) => ({
      height, waveColor: colour(i % 2 ? '--wave-2' : '--wave-1'), progressColor: colour(i % 2 ? '--wave-2-done' : '--wave-1-done'),
    })),
  };
}

export class Player {
  constructor(el) {
    this.el = el;
    this.card = el.closest('section');
    this.audio = el.querySelector('audio');
    this.audio.preservesPitch = true;
    this.names = JSON.parse(el.dataset.channels || '[]');
    this.duration = Number(el.dataset.duration);
    // After a seek an MP3 sounds so much later than the element says, s. It is always played
    // after a seek, and the waveform is drawn as much later, so that both agree all along.
    this.lag = Number(el.dataset.lag || 0);
    this.first = Number(el.dataset.first || 0);
    this.solo = new Set();
    this.muted = new Set();
    this.controls = el.querySelector('.controls');
    this.wire();
    this.draw().catch((err) => { this.el.dataset.failed = String(err); });
    el.player = this; // for tests, and for whoever tries things in the console of a browser
  }

  // wire joins the buttons with the media element. They work without a waveform.
  wire() {
    const on = (what, type, f) => this.controls.querySelector(`[data-do=${what}]`).addEventListener(type, f);
    this.controls.hidden = false;
    this.el.classList.add('ready');
    const play = this.controls.querySelector('[data-do=play]');
    play.addEventListener('click', () => this.toggle());
    this.audio.addEventListener('play', () => { play.textContent = 'Pause'; this.graph(); });
    this.audio.addEventListener('pause', () => { play.textContent = 'Play'; });
    const show = this.controls.querySelector('[data-show=time]');
    this.audio.addEventListener('timeupdate', () => { show.textContent = clock(this.time); this.silence(); });
    on('back', 'click', () => this.seek(this.time - 5));
    on('forth', 'click', () => this.seek(this.time + 5));
    on('speed', 'change', (ev) => { this.audio.playbackRate = Number(ev.target.value); });
    on('zoom', 'input', async (ev) => { await this.detail(); this.wave?.zoom(Number(ev.target.value)); });
    on('link', 'click', (ev) => this.copyLink(ev.target));
    on('mark', 'click', (ev) => this.marking(ev.target));
    for (const b of this.card.querySelectorAll('[data-seek]')) {
      b.addEventListener('click', () => { this.seek(Number(b.dataset.seek)); this.audio.play(); });
    }
    for (const b of this.card.querySelectorAll('[data-do=preview]')) {
      b.addEventListener('click', () => this.preview(b.closest('form')));
    }
    if (this.names.length > 1) this.channelButtons();
    document.addEventListener('keydown', (ev) => this.key(ev));
    const at = /^#t=([\d.:]+)$/.exec(location.hash);
    const begin = () => this.seek(at ? parse(at[1]) : 0);
    if (this.audio.readyState >= HTMLMediaElement.HAVE_METADATA) begin();
    else this.audio.addEventListener('loadedmetadata', begin, {once: true});
  }

  // time is where in the recording it is, s.
  get time() { return Math.max(this.audio.currentTime - this.lag, 0); }

  // draw asks for the peaks and shows them, with what is marked.
  async draw() {
    if (!this.el.dataset.peaks) return;
    const answer = await fetch(this.el.dataset.peaks, {headers: {Accept: 'application/json'}});
    if (!answer.ok) throw new Error(`peaks: ${answer.status}`);
    const peaks = await answer.json();
    this.regions = Regions.create();
    // The louder party fills its height; what is nearly silent stays so.
    const loudest = peaks.channels.reduce((m, ch) => ch.reduce((n, v) => Math.max(n, Math.abs(v)), m), 0.05);
    const height = Math.max(36, Math.round(128 / peaks.channels.length));
    this.wave = WaveSurfer.create({
      container: this.el.querySelector('.wave'), media: this.audio, peaks: this.shifted(peaks.channels), duration: this.duration || peaks.duration,
      height, maxPeak: loudest, normalize: true, cspNonce: document.body.dataset.nonce, plugins: [this.regions], ...colours(peaks.channels.length, height),
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.wave.setOptions(colours(peaks.channels.length, height)));
    await new Promise((done) => { this.wave.once('ready', done); });
    for (const r of [...JSON.parse(this.el.dataset.regions || 'null') || [], ...this.list(peaks.marks || [])]) {
      this.regions.addRegion({start: r.from + this.lag, end: r.to + this.lag, color: kinds[r.kind] || kinds.gap, channelIdx: r.channel, drag: false, resize: false});
    }
    this.regions.on('region-created', (r) => this.choose(r));
    this.regions.on('region-updated', (r) => { if (r === this.range) this.fill(); });
    this.el.dataset.drawn = '';
  }

  // list adds what came with the waveform to the marks below it.
  list(marks) {
    const box = this.card.querySelector('.marks');
    if (!box || marks.length === 0) return [];
    for (const m of marks) {
      const item = document.createElement('li');
      const go = document.createElement('button');
      go.type = 'button';
      go.textContent = `${clock(m.from)} – ${clock(m.to)}`;
      go.addEventListener('click', () => { this.seek(m.from); this.audio.play(); });
      const key = document.createElement('span');
      key.className = `key ${m.kind}`;
      item.append(go, ' ', key, ` ${m.label}`);
      box.querySelector('ul').append(item);
    }
    box.querySelector('summary span').textContent = box.querySelectorAll('li').length;
    box.hidden = false;
    return marks;
  }

  // detail has the waveform drawn from all its points: the overview of a long recording has a
  // point for many.
  detail() {
    this.fine ??= (async () => {
      if (!this.wave || !this.el.dataset.detail) return;
      const answer = await fetch(this.el.dataset.detail);
      if (!answer.ok) throw new Error(`the waveform: ${answer.status}`);
      this.wave.setOptions({peaks: this.shifted(readPeaks(await answer.arrayBuffer())), duration: this.duration});
    })();
    return this.fine;
  }

  toggle() { if (this.audio.paused) this.audio.play(); else this.audio.pause(); }

  seek(to) { this.audio.currentTime = Math.min(Math.max(to + this.lag, this.first), this.duration || Infinity); }

  // shifted is the waveform as late as it sounds.
  shifted(channels) {
    return channels.map((ch) => {
      const by = 2 * Math.round(this.lag / this.duration * ch.length / 2);
      const out = new Float32Array(ch.length);
      out.set(Float32Array.from(ch).subarray(0, ch.length - by), by);
      return out;
    });
  }

  // channelButtons makes a pair of buttons a channel.
  channelButtons() {
    const box = this.controls.querySelector('.channels');
    this.names.forEach((name, i) => {
      const span = document.createElement('span');
      span.append(`${name} `);
      for (const [what, set] of [['Solo', this.solo], ['Mute', this.muted]]) {
        const b = document.createElement('button');
        b.type = 'button';
        b.textContent = what;
        b.setAttribute('aria-pressed', 'false');
        b.setAttribute('aria-label', `${what} ${name}`);
        b.addEventListener('click', () => {
          if (set.has(i)) set.delete(i); else set.add(i);
          b.setAttribute('aria-pressed', String(set.has(i)));
          this.graph();
          this.gains();
        });
        span.append(b);
      }
      box.append(span);
    });
  }

  // graph puts the gains of the channels behind the media element. Browsers let it be made
  // only once somebody has played something.
  graph() {
    if (this.context) { this.context.resume(); return; }
    if (this.names.length < 2) return;
    this.context = new AudioContext();
    this.source = this.context.createMediaElementSource(this.audio);
    const n = this.names.length;
    const splitter = this.context.createChannelSplitter(n);
    const merger = this.context.createChannelMerger(2);
    this.source.channelCount = n;
    this.source.connect(splitter);
    this.nodes = this.names.map((_, i) => [0, 1].map((ear) => {
      const g = this.context.createGain();
      splitter.connect(g, i);
      g.connect(merger, 0, ear);
      return g;
    }));
    this.out = this.context.createGain();
    merger.connect(this.out);
    this.out.connect(this.context.destination);
    this.context.resume();
    this.gains();
  }

  // gains are what of each channel is in each ear: two channels are left and right, one
  // alone is in both.
  gains() {
    if (!this.nodes) return;
    const heard = this.names.map((_, i) => (this.solo.size === 0 || this.solo.has(i)) && !this.muted.has(i));
    const alone = heard.filter(Boolean).length === 1;
    this.nodes.forEach((ears, i) => ears.forEach((g, ear) => {
      const side = alone || this.names.length !== 2 ? 1 : Number(i === ear);
      g.gain.value = heard[i] ? side / (this.names.length > 2 && !alone ? this.names.length : 1) : 0;
    }));
  }

  // key is what keys do while nothing is typed in.
  key(ev) {
    if (ev.ctrlKey || ev.metaKey || ev.altKey || ev.target.closest('input, select, textarea, summary, button, a') || this !== document.querySelector('.player').player) return;
    const speed = this.controls.querySelector('[data-do=speed]');
    const does = {
      ' ': () => this.toggle(), ArrowLeft: () => this.seek(this.time - 5), ArrowRight: () => this.seek(this.time + 5),
      Home: () => this.seek(0), End: () => this.seek(this.duration),
      '<': () => { speed.selectedIndex = Math.max(speed.selectedIndex - 1, 0); this.audio.playbackRate = Number(speed.value); },
      '>': () => { speed.selectedIndex = Math.min(speed.selectedIndex + 1, speed.length - 1); this.audio.playbackRate = Number(speed.value); },
    }[ev.key];
    if (does) { ev.preventDefault(); does(); }
  }

  async copyLink(button) {
    const link = new URL(location.href);
    link.hash = `t=${this.time.toFixed(1)}`;
    history.replaceState(null, '', link);
    try { await navigator.clipboard.writeText(link.href); button.textContent = 'Copied'; } catch { button.textContent = 'It is in the address bar'; }
  }

  // marking has the mouse mark a range; without one it is what the fields say.
  marking(button) {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    if (on && this.regions) this.stopMarking = this.regions.enableDragSelection({color: chosen});
    else this.stopMarking?.();
  }

  choose(r) {
    if (r.color !== chosen) return;
    this.range?.remove();
    this.range = r;
    this.fill();
  }

  fill() {
    for (const f of this.card.querySelectorAll('[data-range]')) f.value = clock(Math.max((f.dataset.range === 'from' ? this.range.start : this.range.end) - this.lag, 0));
  }

  // preview plays from two seconds before the range to two behind it, silent where it would be.
  preview(form) {
    const from = parse(form.elements.from.value);
    const to = parse(form.elements.to.value);
    if (!(from < to)) { form.elements.from.focus(); return; }
    this.silent = {from, to, channel: this.names.indexOf(form.elements.leg.value)};
    this.seek(from - 2);
    this.audio.play();
  }

  // silence keeps the previewed range silent, and ends the preview behind it.
  silence() {
    const s = this.silent;
    if (!s) return;
    const at = this.time;
    if (at > s.to + 2) { this.silent = null; this.audio.pause(); }
    const now = Boolean(this.silent) && at >= s.from - 0.25 && at < s.to;
    if (this.nodes && s.channel >= 0) {
      this.gains();
      if (now) for (const g of this.nodes[s.channel]) g.gain.value = 0;
    } else this.audio.muted = now;
  }
}
