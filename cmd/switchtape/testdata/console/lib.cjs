// What the browser tests share. They are run by Go's tests, which start the service, with
// NODE_PATH where playwright-core and @axe-core/playwright are.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const {chromium} = require('playwright-core');
const {AxeBuilder} = require('@axe-core/playwright');

const given = JSON.parse(process.env.CONSOLE_TEST);

// start opens a browser whose pages may not say anything wrong.
async function start() {
  const browser = await chromium.launch({executablePath: given.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage', '--autoplay-policy=no-user-gesture-required']});
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, timezoneId: 'UTC', locale: 'en-GB'});
  context.setDefaultTimeout(20_000);
  const wrong = [];
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (ev) => console.error(`against the policy: ${ev.violatedDirective} ${ev.blockedURI}`));
  });
  context.on('weberror', (e) => wrong.push(String(e.error())));
  context.on('console', (m) => {
    // A picture of a page is taken with styles of the driver's own.
    if (m.type() === 'error' && !/status (of )?4\d\d/.test(m.text()) && !(taking && /inline style|style-src/.test(m.text()))) wrong.push(m.text());
  });
  let taking = false;
  context.on('request', (r) => { if (![given.url, given.provider].some((u) => u && r.url().startsWith(u)) && !/^(data|blob):/.test(r.url())) wrong.push(`asked for ${r.url()}`); });
  // look takes pictures of the page and has axe read it.
  const look = async (page, name) => {
    taking = true;
    const found = await new AxeBuilder({page}).analyze();
    assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(', ')}`), [], `axe on ${name}`);
    if (given.pictures) {
      fs.mkdirSync(given.pictures, {recursive: true});
      for (const [mode, size, colorScheme] of [['light', {width: 1280, height: 900}, 'light'], ['dark', {width: 1280, height: 900}, 'dark'], ['phone', {width: 390, height: 844}, 'light']]) {
        await page.setViewportSize(size);
        await page.emulateMedia({colorScheme});
        await page.screenshot({path: path.join(given.pictures, `${name}-${mode}.png`), fullPage: true});
      }
      await page.setViewportSize({width: 1280, height: 900});
      await page.emulateMedia({colorScheme: null});
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
    taking = false;
  };
  const end = async () => {
    await browser.close();
    assert.deepEqual(wrong, []);
  };
  return {context, look, end};
}

// logIn logs a page in with a key.
async function logIn(page, key, to = '/calls') {
  await page.goto(`${given.url}${to}`);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', {name: 'Log in'}).click();
}

// tones measures what comes out of the player: the level of each frequency, in each ear, in dB.
// It listens at the end of the player's graph; of a part of the recording, [from, to] in
// seconds, it listens again where the machine was too slow to hear it within.
async function tones(page, frequencies, part) {
  return page.evaluate(async ([frequencies, part]) => {
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
    try {
      for (let tries = 0; tries < 10; tries++) {
        if (part) {
          p.seek(part[0] + 0.3);
          await p.audio.play();
        }
        await new Promise((done) => { setTimeout(done, 600); });
        const levels = ears.map((a) => {
          const bins = new Float32Array(a.frequencyBinCount);
          a.getFloatFrequencyData(bins);
          return frequencies.map((f) => {
            const at = Math.round(f / (p.context.sampleRate / a.fftSize));
            return Math.max(...bins.slice(at - 3, at + 4));
          });
        });
        if (!part || p.time > part[0] + window && p.time < part[1]) return levels;
      }
      throw new Error(`nothing was heard between ${part} s`);
    } finally {
      p.out.disconnect(split);
    }
  }, [frequencies, part]);
}

module.exports = {assert, given, start, logIn, tones};
