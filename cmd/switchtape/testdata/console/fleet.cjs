// The fleet's page tells which server's recordings are missing or damaged, what is away, and
// how the promise is kept; by itself, as calls end.
'use strict';
const {assert, given, start, logIn, look} = require('./lib.cjs');

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();
  await logIn(page, given.key, '/fleet');
  await page.waitForURL(/\/fleet$/);
  await page.getByLabel('The last').selectOption('1h');
  await page.getByRole('button', {name: 'Show'}).press('Enter');
  await page.waitForURL(/period=1h/);

  // Each server's row, by its columns' names.
  const table = page.getByRole('region', {name: 'Table of servers'});
  const heads = await table.locator('thead th').allInnerTexts();
  const rows = {};
  for (const tr of await table.locator('tbody tr').all()) {
    const cells = (await tr.locator('th, td').allInnerTexts()).map((c) => c.trim());
    rows[cells[0]] = Object.fromEntries(heads.map((h, i) => [h, cells[i]]));
  }
  assert.deepEqual(Object.keys(rows).toSorted(), ['pbx-1', 'pbx-2', 'pbx-3']);
  const of = (host, ...columns) => columns.map((c) => rows[host][c]);
  assert.deepEqual(of('pbx-1', 'Calls', 'Whole', 'Legs missing', 'Nothing to record', 'Quarantined'), ['2', '100.0 %', '0', '0', '0']);
  assert.deepEqual(of('pbx-2', 'Calls', 'Whole', 'Legs missing', 'Nothing to record', 'Quarantined'), ['2', '50.0 %', '1', '0', '0']);
  assert.deepEqual(of('pbx-3', 'Calls', 'Nothing to record', 'Quarantined'), ['2', '1', '1']);
  for (const host of Object.keys(rows)) assert.equal(rows[host].Unexplained, '0');

  // Why, the promise, and what the service needs.
  const reasons = page.getByRole('region', {name: 'Reasons'});
  await reasons.getByText('Every leg is missing or empty').waitFor();
  await reasons.getByRole('link', {name: 'quarantined'}).waitFor();
  const fact = (name) => page.locator('.live dl div', {has: page.getByText(name, {exact: true})}).locator('dd').innerText();
  assert.equal(await fact('Unexplained'), '0');
  assert.equal(await fact('Calls to be recorded'), '6');
  const health = page.getByRole('region', {name: 'Destinations, buckets and services'});
  for (const name of ['berlin', 'database', 'worker', 'rules']) {
    assert.match(await health.locator('tr', {has: page.getByRole('rowheader', {name, exact: true})}).innerText(), /\bup\b/, name);
  }
  await page.locator('summary').getByText('The numbers').click();
  await look(page, 'fleet');

  // The row leads to the jobs of its server, the reason to those that it keeps.
  await reasons.getByRole('link', {name: 'quarantined'}).click();
  await page.waitForURL(/\/jobs\?state=quarantined/);
  assert.equal(await page.locator('[id^=job-]').count(), 1);
  await page.goBack();
  await table.getByRole('link', {name: 'pbx-2'}).click();
  await page.waitForURL(/queue=pbx-2/);
  assert.equal(await page.locator('[id^=job-]').count(), 2);
  await page.goto(`${given.url}/fleet?period=30d`);
  await look(page, 'fleet-month');
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
