// Recordings that were set aside are found, understood, mended and made, by the pages alone;
// others are set aside and moved; a message that was no job is let go.
'use strict';
const fs = require('node:fs');
const {api, assert, given, start, logIn, look, tones} = require('./lib.cjs');

const loud = -50; // dB

// toldAnew waits until the page has put in what it asks for every few seconds.
const toldAnew = (page) => page.evaluate(() => new Promise((done) => { document.addEventListener('htmx:after:swap', done, {once: true}); }));

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();
  const mend = (i) => { for (const [bad, good] of given.legs[i]) fs.copyFileSync(good, bad); };
  const row = (i) => page.locator(`#job-${given.jobs[i]}`);
  await logIn(page, given.key, '/jobs');
  await page.waitForURL(/\/jobs$/);

  // What waits for a person is what the page begins with; by state, queue and kind there is
  // one.
  const rows = page.locator('[id^=job-]');
  assert.equal(await rows.count(), given.jobs.length);
  await look(page, 'jobs');
  await page.getByLabel('State').selectOption('quarantined');
  await page.getByLabel('Queue', {exact: true}).fill('pbx-1');
  await page.getByLabel('Kind', {exact: true}).fill('record');
  await page.keyboard.press('Enter');
  await page.waitForURL((u) => u.searchParams.get('queue') === 'pbx-1' && u.searchParams.get('kind') === 'record' && u.searchParams.get('state') === 'quarantined');
  assert.equal(await rows.count(), 1);
  await page.getByLabel('Queue', {exact: true}).fill('nowhere');
  await page.keyboard.press('Enter');
  await page.getByText('No jobs are found').waitFor();
  await look(page, 'jobs-none');
  await page.goBack();

  // It says why. Once the leg is mended it is put back, and is done.
  await row(0).getByRole('link', {name: 'record'}).click();
  await page.getByText('leg agent: a text file').first().waitFor();
  await page.getByText('It was set aside for a person').waitFor();
  await look(page, 'job-quarantined');
  mend(0);
  await page.getByRole('button', {name: 'Retry'}).click();
  await page.getByText('The job was put back').waitFor();
  await page.getByRole('heading', {level: 1}).getByText('completed', {exact: true}).waitFor();
  assert.equal(await page.getByRole('button', {name: 'Retry'}).count(), 0);
  await look(page, 'job-done');
  await page.locator('.facts').getByRole('link', {name: given.calls[0]}).click();
  await page.locator('.player[data-drawn]').waitFor();
  await page.getByRole('button', {name: 'Play'}).click();
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 0.3);
  await tones(page, given.tones, [0, given.seconds], (left) => !(left[0] > loud) && 'the mended leg is not heard');

  // Two that are ticked, while the list goes on being told anew. A page of one of them that is
  // open elsewhere tells what becomes of it.
  const other = await context.newPage();
  await other.goto(`${given.url}/jobs/${given.jobs[1]}`);
  await other.getByRole('heading', {level: 1}).getByText('quarantined', {exact: true}).waitFor();
  await other.evaluate(() => { window.same = true; });
  mend(1);
  mend(2);
  await page.goto(`${given.url}/jobs`);
  await row(1).getByRole('checkbox').check();
  await row(2).getByRole('checkbox').check();
  await toldAnew(page);
  assert.ok(await row(1).getByRole('checkbox').isChecked() && await row(2).getByRole('checkbox').isChecked(), 'what is ticked stays so');
  await page.locator('#selected').getByRole('button', {name: 'Retry'}).click();
  await page.getByText('2 jobs put back.').waitFor();
  assert.equal(await row(1).count(), 0);
  await other.getByRole('heading', {level: 1}).getByText('completed', {exact: true}).waitFor();
  assert.equal(await other.getByRole('button', {name: 'Retry'}).count(), 0);
  assert.equal(await other.evaluate(() => window.same), true, 'the page was not loaded again');
  await other.goto(`${given.url}/jobs/${given.jobs[2]}`);
  await other.getByRole('heading', {level: 1}).getByText('completed', {exact: true}).waitFor();
  await other.close();

  // One that nobody does is set aside, with a reason that stays while it is typed.
  await page.goto(`${given.url}/jobs?state=queued`);
  await page.getByText('Start a worker for this queue').waitFor();
  await page.locator(`#job-${given.waits}`).getByRole('link', {name: 'command'}).click();
  const form = page.locator('form[action$="/quarantine"]');
  await form.getByLabel('Reason').fill('that server is gone');
  await toldAnew(page);
  assert.equal(await form.getByLabel('Reason').inputValue(), 'that server is gone');
  await look(page, 'job-queued');
  await form.getByLabel('Reason').press('Enter');
  await page.getByText('The job is set aside until somebody puts it back').waitFor();
  await page.getByText('that server is gone').first().waitFor();

  // All that match are put back, and none is.
  await page.goto(`${given.url}/jobs?state=quarantined&queue=pbx-3`);
  await page.getByRole('link', {name: 'Retry all that match'}).click();
  await page.getByText('1 job can be put back').waitFor();
  await look(page, 'jobs-retry');

  // A queue whose server is gone has its jobs moved.
  await page.goto(`${given.url}/jobs/move?from=pbx-4`);
  await page.getByLabel('To', {exact: true}).fill('pbx-1');
  await page.keyboard.press('Enter');
  await page.getByText('1 job can be moved').waitFor();
  await look(page, 'jobs-move');
  await page.getByRole('button', {name: 'Move them'}).click();
  await page.getByText('1 job moved to pbx-1.').waitFor();
  await page.goto(`${given.url}/jobs/${given.waits}`);
  assert.equal(await page.locator('.facts').getByRole('link', {name: 'pbx-1'}).count(), 1);

  // A message that was no job.
  await page.goto(`${given.url}/jobs`);
  await page.getByRole('link', {name: 'Dead letters'}).click();
  await look(page, 'letters');
  await page.locator('tbody a').click();
  await page.getByText('has no call').first().waitFor();
  await look(page, 'letter');
  await page.getByRole('button', {name: 'Let it go'}).click();
  await page.getByText('The message is let go').waitFor();
  await page.goto(`${given.url}/jobs/dead-letters`);
  await page.getByText('There are no such letters').waitFor();
  const aside = await api(context, 'GET', '/v1/jobs?state=quarantined');
  assert.deepEqual(aside.jobs.map((j) => j.id).toSorted(), [given.jobs[3], given.waits].toSorted());
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
