// Every page, in light, in dark and on a phone, as it is where there is much, little and
// nothing to show, and where something is refused; by the keyboard; and how much is sent.
'use strict';
const {api, assert, given, start, logIn, look} = require('./lib.cjs');

const mostAtFirst = 150 << 10; // bytes over the wire of a first view, with headers

// byKeyboard goes through the beginning of the page with Tab.
async function byKeyboard(page, name) {
  await page.evaluate(() => { document.activeElement?.blur(); });
  await page.keyboard.press('Tab');
  const skip = page.locator('a.skip');
  assert.ok(await skip.evaluate((a) => a === document.activeElement), `${name}: Tab finds the link that skips the header first`);
  const box = await skip.boundingBox();
  assert.ok(box.width > 50 && box.height > 15 && box.x >= 0 && box.y >= 0, `${name}: it is seen: ${JSON.stringify(box)}`);
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press('Tab');
    const seen = await page.evaluate(() => {
      const el = document.activeElement;
      const css = getComputedStyle(el);
      return {what: el.outerHTML.slice(0, 80), ring: el === document.body || css.outlineStyle !== 'none' && parseFloat(css.outlineWidth) >= 2};
    });
    assert.ok(seen.ring, `${name}: where the keyboard is isn't seen: ${seen.what}`);
  }
}

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();
  const at = async (name, to, status = 200) => {
    const answer = await page.goto(`${given.url}${to}`);
    assert.equal(answer.status(), status, to);
    if (await page.locator('.player').count() > 0) await page.locator('.player[data-drawn]').first().waitFor();
    await look(page, name);
  };
  await at('login', '/login');
  await logIn(page, given.key);
  await page.waitForURL(/\/calls$/);

  // What a first view is, from an empty cache.
  for (const to of ['/calls', given.recorded]) {
    const fresh = await context.newPage();
    const devtools = await context.newCDPSession(fresh);
    await devtools.send('Network.enable');
    await devtools.send('Network.setCacheDisabled', {cacheDisabled: true});
    const urls = new Map();
    const sizes = new Map();
    devtools.on('Network.requestWillBeSent', (ev) => { urls.set(ev.requestId, new URL(ev.request.url).pathname); });
    devtools.on('Network.loadingFinished', (ev) => { sizes.set(urls.get(ev.requestId), ev.encodedDataLength); });
    await fresh.goto(`${given.url}${to}`);
    const needed = [to, '/console/console.css', '/console/console.js', '/console/htmx/htmx.min.js', '/console/htmx/hx-sse.min.js'];
    if (to === given.recorded) {
      await fresh.locator('.player[data-drawn]').waitFor();
      needed.push('/console/player.js', '/console/wavesurfer/wavesurfer.esm.js', '/console/wavesurfer/regions.esm.js');
    }
    const missing = () => needed.filter((f) => !sizes.has(f));
    for (const end = Date.now() + 10_000; missing().length > 0 && Date.now() < end;) await new Promise((again) => { setTimeout(again, 20); });
    assert.deepEqual(missing(), [], `what ${to} loads`);
    const files = [...sizes].filter(([p]) => p === to || p.startsWith('/console/'));
    const sum = files.reduce((n, [, bytes]) => n + bytes, 0);
    assert.ok(sum <= mostAtFirst, `${to}: ${JSON.stringify(files)}`);
    console.log(`${to}: ${sum} bytes in ${files.length} files`);
    await fresh.close();
  }

  await at('calls', '/calls');
  await byKeyboard(page, 'calls');
  await page.locator('a.skip').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'number', 'behind the skip the search is next');
  await at('calls-none', '/calls?number=%2B15005550000');
  await page.getByText('No calls are found').waitFor();
  await at('calls-wrong', '/calls?since=yesterday');
  await page.getByRole('alert').waitFor();
  for (const [name, call] of Object.entries(given.calls)) await at(`call-${name}`, call);
  await page.goto(`${given.url}${given.calls.held}`);
  await page.getByRole('region', {name: 'Under a legal hold'}).getByText('the autumn campaign').waitFor();

  // A call that goes on says when it doesn't any more.
  await page.goto(`${given.url}${given.calls['goes-on']}`);
  await api(context, 'POST', `/v1${given.calls['goes-on']}/events`, {id: 'the-end', type: 'ended'});
  await page.getByRole('link', {name: 'show what is new'}).waitFor();
  await look(page, 'call-news');
  await page.getByRole('link', {name: 'show what is new'}).click();
  await page.getByRole('heading', {level: 1}).getByText('ended', {exact: true}).waitFor();
  await page.goto(`${given.url}${given.calls.busy}`);
  await page.getByText('Nobody answered').waitFor();
  await page.goto(`${given.url}${given.recorded}`);
  await byKeyboard(page, 'call');
  await at('jobs-all', '/jobs?state=');
  await byKeyboard(page, 'jobs');
  await at('jobs-wrong', '/jobs?since=yesterday');
  await page.getByRole('alert').waitFor();
  await at('job-absent', given.absent);
  await at('jobs-move-none', '/jobs/move?from=nowhere&to=elsewhere');
  await at('letters-none', '/jobs/dead-letters');
  await at('explain-none', '/rules/explain');
  await at('fleet-day', '/fleet');
  await byKeyboard(page, 'fleet');
  await at('problem-404', '/calls/c-nowhere', 404);
  await page.getByRole('link', {name: 'Go to the calls'}).waitFor();
  await at('problem-404-page', '/calls/c-1/nowhere', 404);

  // A form that the browser's own check would have stopped.
  await page.goto(`${given.url}${given.recorded}`);
  await page.locator('form[action$="/hold"]').evaluate((form) => { form.noValidate = true; form.submit(); });
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').innerText(), /reason/);
  await look(page, 'problem-422');

  // Who may read calls alone.
  await page.getByRole('button', {name: 'Log out'}).click();
  await page.waitForURL(/\/login/);
  await logIn(page, given.deaf, given.recorded);
  await page.getByRole('heading', {name: 'Life'}).waitFor();
  await look(page, 'call-deaf');
  await at('problem-403', '/fleet', 403);
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
