// The page of a long recording is open, with its waveform drawn and the audio ready to play,
// before much is fetched. It prints what that took, in ms, five times from an empty cache, and
// how long a seek to the last minute takes until it plays.
'use strict';
const {assert, given, start, logIn} = require('./lib.cjs');

const mostOfWaveform = 200 << 10; // bytes, of however long a recording
const mostOfAudio = 4 << 20; // bytes, of which the browser chooses how far it reads ahead

(async () => {
  const {context, end} = await start();
  const first = await context.newPage();
  await logIn(first, given.key);
  await first.waitForURL(/\/calls$/);
  const opened = [];
  const drawn = [];
  const seeks = [];
  let waveform = 0;
  let audio = 0;
  for (let i = 0; i < 5; i++) {
    const page = await context.newPage();
    const browser = await context.newCDPSession(page);
    await browser.send('Network.enable');
    await browser.send('Network.setCacheDisabled', {cacheDisabled: true});
    const kinds = new Map();
    let heard = 0;
    browser.on('Network.requestWillBeSent', (ev) => { kinds.set(ev.requestId, ev.request.url); });
    browser.on('Network.dataReceived', (ev) => {
      const url = kinds.get(ev.requestId) || '';
      if (/\/peaks$/.test(url)) waveform = Math.max(waveform, ev.dataLength);
      if (/\/media\?/.test(url)) heard += ev.dataLength;
    });
    const begun = Date.now();
    await page.goto(`${given.url}${given.call}`);
    await page.waitForFunction(() => document.querySelector('.player[data-drawn]'));
    drawn.push(Date.now() - begun);
    await page.waitForFunction(() => document.querySelector('audio').readyState >= 2);
    opened.push(Date.now() - begun);
    seeks.push(Math.round(await page.evaluate(async (to) => {
      const p = document.querySelector('.player').player;
      const from = performance.now();
      p.seek(to);
      await p.audio.play();
      while (p.audio.currentTime <= to + 0.05) await new Promise((done) => { setTimeout(done, 5); });
      p.audio.pause();
      return performance.now() - from;
    }, given.seconds - 60)));
    audio = Math.max(audio, heard);
    await page.close();
  }
  console.log(JSON.stringify({drawn, opened, seeks, waveform, audio}));
  assert.ok(waveform > 0 && waveform <= mostOfWaveform, `the waveform is ${waveform} bytes`);
  assert.ok(audio > 0 && audio <= mostOfAudio, `${audio} bytes of audio were fetched`);
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
