// After any seek what sounds is where the waveform shows it: a click every ten seconds is
// looked for behind seeks all over the recording. It prints how far each was off, in ms.
'use strict';
const {assert, given, start, logIn} = require('./lib.cjs');

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();
  await logIn(page, given.key);
  await page.waitForURL(/\/calls$/);
  const begun = Date.now();
  await page.goto(`${given.url}${given.call}`);
  await page.locator('.player[data-drawn]').waitFor();
  await page.waitForFunction(() => document.querySelector('audio').readyState >= 1);
  const opened = Date.now() - begun;

  // Where the waveform has the clicks, at its finest.
  await page.evaluate(() => document.querySelector('.player').player.detail());
  const drawn = await page.evaluate(() => {
    const w = document.querySelector('.player').player.wave;
    const d = w.getDecodedData();
    const ch = d.getChannelData(0);
    const at = [];
    const lag = document.querySelector('.player').player.lag;
    for (let i = 0; i < ch.length; i++) {
      const t = (i + 0.5) / ch.length * d.duration;
      if (Math.abs(ch[i]) > 0.3 && (at.length === 0 || t - lag - at.at(-1) > 1)) at.push(t - lag);
    }
    return at;
  });
  assert.equal(drawn.length, given.clicks.length, 'every click is drawn');
  const shown = drawn.map((t, i) => Math.round(1000 * (t - given.clicks[i])));

  // Where they sound: the graph's clock and the element's are read together while it plays.
  const lag = Math.round(1000 * await page.evaluate(() => document.querySelector('.player').player.lag));
  const hearOnce = async (click, from) => Math.round(1000 * await page.evaluate(async ([click, from]) => {
      const p = document.querySelector('.player').player;
      const a = p.audio;
      p.graph();
      const ear = p.context.createScriptProcessor(1024, 2, 1);
      const clocks = [];
      const heard = new Promise((found, lost) => {
        ear.onaudioprocess = (ev) => {
          const from = ev.playbackTime - ev.inputBuffer.length / p.context.sampleRate; // what is given was played before
          clocks.push([p.context.currentTime, a.currentTime]);
          const ch = ev.inputBuffer.getChannelData(0);
          const i = ch.findIndex((v) => Math.abs(v) > 0.15);
          if (i >= 0 && clocks.length > 12) found(from + i / p.context.sampleRate);
        };
        setTimeout(() => lost(new Error(`no click was heard at ${click} s`)), 20000);
      });
      a.pause();
      if (from !== null) {
        p.seek(from);
        await new Promise((done) => { a.addEventListener('seeked', done, {once: true}); });
      }
      p.out.connect(ear);
      ear.connect(p.context.destination);
      await a.play();
      const at = await heard;
      a.pause();
      p.out.disconnect(ear);
      ear.disconnect();
      // The element's clock goes on in steps: the middle of what they say is taken.
      const off = clocks.slice(10).map(([graph, media]) => media - graph).sort((x, y) => x - y);
      return at + off[Math.floor(off.length / 2)] - p.lag - click;
    }, [click, from]));
  // A buffer that a busy machine drops takes a click with it, and the next one is heard: it is
  // listened for again. A seek that goes to another click does so every time.
  const hear = async (click, from = click - 1.5) => {
    for (let tries = 1; ; tries++) {
      const off = await hearOnce(click, from);
      if (Math.abs(off) < 5000 || tries === 3) return off;
    }
  };
  // The graph's clock runs ahead of what it is given by what lies in between. A WAV, in which
  // every seek is exact, tells by how much.
  await page.evaluate((src) => {
    const a = document.querySelector('audio');
    window.mp3 = a.src;
    a.src = src;
    return new Promise((done) => { a.addEventListener('loadedmetadata', done, {once: true}); });
  }, `${given.call}/recordings/${given.job}/media?codec=wav`);
  const exact = [];
  for (const click of given.seeks.slice(0, 5)) exact.push(await hear(click));
  const ahead = exact.toSorted((x, y) => x - y)[2] + lag;
  await page.evaluate(() => {
    const a = document.querySelector('audio');
    a.src = window.mp3;
    return new Promise((done) => { a.addEventListener('loadedmetadata', done, {once: true}); });
  });
  const sounds = [];
  for (const click of given.seeks) sounds.push(await hear(click) - ahead);
  sounds.push(await hear(given.clicks[0], 0) - ahead); // from the beginning
  console.log(JSON.stringify({opened, exact, shown: [Math.min(...shown), Math.max(...shown)], sounds}));
  const worst = Math.max(...sounds.map(Math.abs)) ;
  assert.ok(worst <= given.within, `${worst} ms off, more than ${given.within}: ${sounds}`);
  assert.ok(Math.max(...shown.map(Math.abs)) <= given.within, `drawn off by ${shown}`);
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
