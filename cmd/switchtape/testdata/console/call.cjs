// A call is found, heard, explained and redacted by one who may, and by nobody else.
'use strict';
const {api, assert, given, start, logIn, look, tones} = require('./lib.cjs');

const loud = -50; // dB, of a tone that is there
const quiet = -75; // and of one that isn't
const [agent, customer] = given.tones; // Hz

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();

  // Who is nobody is asked who he is, and led to where he wanted.
  await page.goto(`${given.url}/calls?number=${encodeURIComponent(given.number)}`);
  await page.getByLabel('API key').fill('wrong');
  await page.getByRole('button', {name: 'Log in'}).click();
  await page.locator('#why').getByText('not known').waitFor();
  await look(page, 'login');
  await page.getByLabel('API key').fill(given.key);
  await page.getByRole('button', {name: 'Log in'}).click();
  await page.waitForURL(/\/calls\?number=/);
  assert.equal(await page.locator('tbody tr').count(), 1, 'the search is kept');

  // The list, and a call that is made while somebody looks.
  await page.getByRole('link', {name: 'Clear'}).click();
  await page.waitForURL(/\/calls$/);
  const rows = page.locator('#rows tr');
  const before = await rows.count();
  assert.ok(before >= 3, `${before} calls`);
  await page.evaluate(() => { window.same = true; });
  const made = await context.request.post(`${given.url}/v1/calls`, {headers: {Authorization: `Bearer ${given.key}`}, data: {from: '+442079460199', to: '+12025550199'}});
  assert.ok(made.ok(), await made.text());
  await rows.getByText('+442079460199', {exact: true}).waitFor();
  assert.equal(await rows.count(), before + 1);
  assert.equal(await page.evaluate(() => window.same), true, 'the page was not loaded again');
  await look(page, 'calls');
  await page.getByLabel('State').selectOption('ended');
  await page.getByLabel('Number').fill(given.number);
  await page.keyboard.press('Enter');
  await page.waitForURL(/number=/);
  assert.match(page.url(), /state=ended/);
  await rows.getByRole('link', {name: given.number, exact: true}).click();

  // The call.
  await page.locator('.player[data-drawn]').waitFor();
  await page.locator('.why').getByText('won', {exact: true}).waitFor();
  await page.locator('.attempts').getByText('took the call').waitFor();
  await look(page, 'call');

  // It plays: time goes on, and each channel is in its ear.
  const audio = page.locator('audio');
  const at = () => page.evaluate(() => document.querySelector('.player').player.time);
  await page.getByRole('button', {name: 'Play', exact: true}).click();
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 0.3);
  const whole = [0, given.seconds];
  const isHeard = (db) => db > loud;
  const isGone = (db) => db < quiet;
  const both = (left, right) => {
    if (!isHeard(left[0]) || !isHeard(right[1])) return 'both parties should be heard';
    return !(isGone(left[1]) && isGone(right[0])) && 'each should be in its ear alone';
  };
  await tones(page, given.tones, whole, both);
  const solo = page.getByRole('button', {name: 'Solo customer'});
  await solo.click();
  await tones(page, given.tones, whole, (left, right) => {
    if (!isHeard(left[1]) || !isHeard(right[1])) return 'the customer alone should be in both ears';
    return !(isGone(left[0]) && isGone(right[0])) && 'the agent should not be heard';
  });
  await solo.click();
  const mute = page.getByRole('button', {name: 'Mute customer'});
  await mute.click();
  const muted = (left, right) => !(isHeard(left[0]) && isGone(left[1]) && isGone(right[1])) && 'the customer should not be heard, and the agent should';
  await tones(page, given.tones, whole, muted);
  await mute.click();
  await page.getByLabel('Speed').selectOption('2');
  assert.equal(await audio.evaluate((a) => a.playbackRate), 2);
  await page.getByLabel('Speed').selectOption('1');
  await page.getByRole('button', {name: 'Pause', exact: true}).click();

  // Keys, and a link to a moment.
  await page.locator('h1').click();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  assert.ok(Math.abs(await at() - 5) < 0.1, `${await at()} s`);
  await page.keyboard.press(' ');
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 5.2);
  await page.keyboard.press(' ');
  await page.goto(`${page.url()}#t=0:07.5`);
  await page.reload();
  await page.waitForFunction(() => Math.abs(document.querySelector('.player')?.player?.time - 7.5) < 0.05);

  // A range is heard as it would be, and then redacted, for the one party.
  const {from, to} = given.range;
  const action = (name) => page.locator('summary').getByText(name, {exact: true});
  await action('Redact a range').click();
  const form = page.locator('form[data-preview=redact]');
  await form.locator('[name=from]').fill(String(from));
  await form.locator('[name=to]').fill(String(to));
  await form.locator('[name=leg]').selectOption('customer');
  const silent = (left, right) => !(isHeard(left[0]) && isGone(right[1])) && 'the range should be without the customer, and with the agent';
  await tones(page, given.tones, [from, to], silent, async () => { await form.getByRole('button', {name: 'Hear it so'}).click(); });
  await audio.evaluate((a) => a.pause());
  await form.locator('[name=reason]').fill('a card number <b>was</b> said');
  await form.getByRole('button', {name: 'Redact for good'}).click();
  await page.locator('.flash').getByText('is being redacted').waitFor();
  const done = Date.now() + 30_000;
  for (;;) { // until the new version is made and the old one is gone
    const {erasures} = await api(context, 'GET', `/v1/recordings/jobs/${given.job}/erasures`);
    if (erasures.length > 0 && erasures.every((e) => e.state === 'done')) break;
    assert.ok(Date.now() < done, `the range isn't redacted: ${JSON.stringify(erasures)}`);
    await new Promise((again) => { setTimeout(again, 100); });
  }
  await page.reload();
  await page.locator('.player[data-drawn]').waitFor();
  await page.locator('.marks').getByText('redacted: customer').waitFor({state: 'attached'});
  await tones(page, given.tones, [from, to], silent);
  await tones(page, given.tones, [to, given.seconds], both); // behind the range both are there
  await audio.evaluate((a) => a.pause());
  const loudest = await page.evaluate(async ([from, to]) => {
    const wave = await (await fetch(document.querySelector('.player').dataset.peaks)).json();
    return wave.channels.map((ch) => Math.max(...ch.slice(Math.ceil(from / wave.duration * ch.length) + 4, Math.floor(to / wave.duration * ch.length) - 4).map(Math.abs)));
  }, [from, to]);
  assert.ok(loudest[0] > 0.2 && loudest[1] === 0, `the waveform has it no more: ${loudest}`);
  await look(page, 'redacted');

  // A link to a part.
  await action('Share by a link').click();
  await page.getByRole('button', {name: 'Make a link'}).click();
  const link = await page.getByLabel('The link').inputValue();
  const heard = await context.request.get(`${given.url}${new URL(link).pathname}/audio`);
  assert.equal(heard.status(), 200, link);
  await page.reload();
  assert.equal(await page.getByLabel('The link').count(), 0, 'it is shown once');

  // A hold, under which nothing is deleted.
  await action('Legal hold').click();
  await page.locator('form[action$="/hold"]').getByLabel('Reason').fill('case 7');
  await page.getByRole('button', {name: 'Hold this call'}).click();
  await page.locator('.flash').getByText('under a legal hold').waitFor();
  await action('Delete the recording').click();
  const erase = page.locator('form[action$="/erase"]');
  await erase.getByLabel('Reason').fill('asked for');
  await erase.getByRole('checkbox').check();
  await erase.getByRole('button', {name: 'Delete for good'}).click();
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').innerText(), /hold/);
  await look(page, 'refused');
  await page.getByRole('link', {name: 'Go back'}).click();
  const holds = page.getByRole('region', {name: 'Under a legal hold'});
  await holds.getByText('case 7').waitFor();
  await look(page, 'held');
  await holds.locator('summary').click();
  await holds.getByLabel('Reason').fill('the case is closed');
  await page.keyboard.press('Enter');
  await page.locator('.flash').getByText('The hold was lifted').waitFor();
  assert.equal(await holds.count(), 0);

  // The page has who did all that.
  const deeds = page.getByRole('table').filter({has: page.getByRole('columnheader', {name: 'Who', exact: true})});
  for (const what of ['listened', 'redacted, and destroyed what it was before', 'made a link', 'opened the link', 'placed a legal hold', 'lifted the legal hold']) {
    assert.ok(await deeds.getByRole('row').filter({hasText: what}).count() > 0, `the audit says who ${what}: ${await deeds.innerText()}`);
  }
  await look(page, 'deeds');

  // Who may not listen doesn't, and is offered nothing.
  const media = given.call;
  await page.goto(`${given.url}/calls`);
  await page.getByRole('button', {name: 'Log out'}).click();
  await page.waitForURL(/\/login/);
  await page.goto(`${given.url}${media}`);
  assert.match(page.url(), /\/login/);
  await logIn(page, given.deaf, media);
  await page.locator('.attempts').getByText('took the call').waitFor();
  assert.equal(await page.locator('audio').count(), 0);
  assert.equal(await action('Redact a range').count(), 0);
  const refused = await page.goto(`${given.url}${media}/recordings/${given.job}/media`);
  assert.equal(refused.status(), 403);
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
