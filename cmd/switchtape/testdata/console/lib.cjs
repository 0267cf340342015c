// What the browser tests share. They are run by Go's tests, which start the service, with
// NODE_PATH where playwright-core and @axe-core/playwright are.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const {chromium} = require('playwright-core');
const axe = require(require.resolve('axe-core', {paths: [require.resolve('@axe-core/playwright')]}));

const given = JSON.parse(process.env.CONSOLE_TEST);

// start opens a browser whose pages may not say anything wrong, break their policy or ask
// another host for anything.
async function start() {
  const browser = await chromium.launch({executablePath: given.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage', '--autoplay-policy=no-user-gesture-required']});
  const context = await browser.newContext({viewport: desktop, timezoneId: 'UTC', locale: 'en-GB'});
  context.setDefaultTimeout(30_000);
  const wrong = [];
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (ev) => console.error(`against the policy: ${ev.violatedDirective} ${ev.blockedURI}`));
  });
  context.on('weberror', (e) => wrong.push(String(e.error())));
  // The browser tells of each refusal, and that what the tests listen with is an old thing.
  const told = /status (of )?4\d\d|ScriptProcessorNode/;
  context.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !told.test(m.text())) wrong.push(`${m.page()?.url()}: ${m.text()}`); });
  context.on('request', (r) => { if (![given.url, given.provider].some((u) => u && r.url().startsWith(u)) && !/^(data|blob):/.test(r.url())) wrong.push(`asked for ${r.url()}`); });
  const end = async () => {
    await browser.close();
    assert.deepEqual(wrong, []);
  };
  return {context, end};
}

const desktop = {width: 1280, height: 900};
const phone = {width: 390, height: 844};

// look has axe read the page in light, in dark and at a phone's width, and takes pictures of
// it. In the dark only colours can be other ones. In a short run the widths alone are looked at.
async function look(page, name) {
  if (!given.short) await page.evaluate(axe.source);
  for (const [mode, size, colorScheme, rules] of [['light', desktop, 'light', null], ['dark', desktop, 'dark', ['color-contrast']], ['phone', phone, 'light', null]]) {
    await page.setViewportSize(size);
    await page.emulateMedia({colorScheme});
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name}, ${mode}, is ${wide} pixels too wide`);
    if (given.short) continue;
    // Without its preloading, which puts styles into a document that the page's policy refuses.
    const wrong = await page.evaluate(async (rules) => {
      const found = await window.axe.run(document, {preload: false, resultTypes: ['violations'], ...(rules ? {runOnly: rules} : {})});
      return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(', ')}`);
    }, rules);
    assert.deepEqual(wrong, [], `axe on ${name}, ${mode}`);
    if (given.pictures) await picture(page, path.join(given.pictures, `${name}-${mode}.png`));
  }
  await page.setViewportSize(desktop);
  await page.emulateMedia({colorScheme: null});
}

// picture takes one of the whole page. The driver's own way adds styles to the page, which
// its policy refuses.
async function picture(page, file) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const {width} = page.viewportSize();
  const devtools = await page.context().newCDPSession(page);
  const {data} = await devtools.send('Page.captureScreenshot', {captureBeyondViewport: true, optimizeForSpeed: true, clip: {x: 0, y: 0, width, height, scale: 1}});
  await devtools.detach();
  fs.mkdirSync(path.dirname(file), {recursive: true});
  fs.writeFileSync(file, Buffer.from(data, 'base64'));
}

// logIn logs a page in with a key.
async function logIn(page, key, to = '/calls') {
  await page.goto(`${given.url}${to}`);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', {name: 'Log in'}).click();
}

// tones measures what comes out of the player until it is as it should be: the level of each
// frequency, in each ear, in dB. It listens at the end of the player's graph to a part of the
// recording, [from, to] in seconds, and again where the machine was too slow to hear it
// within, or where what was to change has not come out yet. begin has the player play it: a
// seek, if it is none. should says what is wrong with the levels, and nothing if they are right.
async function tones(page, frequencies, [from, to], should, begin) {
  let wrong;
  let levels;
  for (let tries = 0; tries < 15; tries++) {
    if (begin) await begin();
    else {
      await page.evaluate(async (at) => {
        const p = document.querySelector('.player').player;
        p.seek(at);
        await p.audio.play();
      }, from + 0.3);
    }
    levels = await page.evaluate(measure, [frequencies, from, to]);
    wrong = levels ? should(...levels) : `nothing was heard between ${from} and ${to} s`;
    if (!wrong) return;
  }
  assert.fail(`${wrong}: ${JSON.stringify(levels)}`);
}

// measure runs in the page. It returns null if the part was over before it was heard.
async function measure([frequencies, from, to]) {
  const p = document.querySelector('.player').player;
  p.graph();
  const split = p.context.createChannelSplitter(2);
  p.out.connect(split);
  const ears = [0, 1].map((ear) => {
    const a = p.context.createAnalyser();
    a.fftSize = 8192;
    a.smoothingTimeConstant = 0;
    split.connect(a, ear);
    return a;
  });
  const window = ears[0].fftSize / p.context.sampleRate + 0.2; // s, with what lies in between
  const step = () => new Promise((done) => { setTimeout(done, 20); });
  try {
    const begun = performance.now();
    while ((p.time < from + window || p.audio.paused) && performance.now() - begun < 5000) await step();
    const since = p.time;
    while (p.time < since + window && p.time < to && !p.audio.paused) await step();
    const levels = ears.map((a) => {
      const bins = new Float32Array(a.frequencyBinCount);
      a.getFloatFrequencyData(bins);
      return frequencies.map((f) => {
        const at = Math.round(f / (p.context.sampleRate / a.fftSize));
        return Math.max(...bins.slice(at - 3, at + 4));
      });
    });
    return p.time >= from + window && p.time < to && !p.audio.paused ? levels : null;
  } finally {
    p.out.disconnect(split);
  }
}

// api asks the API with the key, and has it answer well.
async function api(context, method, to, data) {
  const answer = await context.request.fetch(`${given.url}${to}`, {method, headers: {Authorization: `Bearer ${given.key}`}, data});
  assert.ok(answer.ok(), `${method} ${to}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}

module.exports = {api, assert, given, start, logIn, tones, look, picture};
