// Rules are edited: a bad text is refused while it is typed, a good one is compared with the
// day's calls, put in service, tried on some calls, promoted and taken back. Calls go where
// the pages say.
'use strict';
const {api, assert, given, start, logIn, look} = require('./lib.cjs');

const rules = `# Ours.
destinations:
  a: {uri: "sip:a.example.com"}
  b: {uri: "sip:b.example.com"}
rules:
  - id: washington
    match: {to: {prefix: "+1202"}}
    route: [[{to: a}]]
  - id: world
    default: true
    route: [[{to: b}]]
tests:
  - name: capital
    at: 2026-03-02T10:00:00Z
    call: {to: "+12025550143"}
    expect: {first: a}
`;

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();
  const goes = async () => {
    const call = await api(context, 'POST', '/v1/calls', {from: '+442079460123', to: '+12025550143'});
    return `${call.decision.rule} ${call.decision.destinations[0].id}`;
  };
  const editor = page.getByLabel('Rules, in YAML or JSON');
  const findings = page.locator('#findings');
  const save = page.getByRole('button', {name: 'Save as a new version'});
  await logIn(page, given.key, '/rules');
  await page.getByText('No rules of your own are in service').waitFor();
  await look(page, 'rules-none');

  // The first version. What is typed is checked as it is typed, and its tests run.
  await page.getByRole('link', {name: 'New rules'}).click();
  await editor.fill(rules);
  await findings.getByText('1 test of the file run: all hold.').waitFor();
  await findings.getByText('2 rules: no errors').waitFor();
  await save.click();
  await page.getByText('It decides no call until you activate it').waitFor();
  await page.getByRole('button', {name: 'Activate'}).click();
  await page.getByText('decides every call now').waitFor();
  assert.equal(await goes(), 'washington a');

  // A bad edit: it says what and where, leads there, and saves nothing.
  await page.getByRole('link', {name: 'Edit the rules in service'}).click();
  await editor.fill(rules.replace('[[{to: b}]]', '[[{to: nowhere}]]'));
  await findings.locator('.error').getByText('nowhere').first().waitFor();
  await look(page, 'rules-edit-bad');
  await findings.getByRole('button', {name: 'line 11'}).first().click();
  assert.match(await editor.evaluate((t) => t.value.slice(t.selectionStart, t.selectionEnd)), /nowhere/);
  await save.click();
  await page.getByText('nowhere').first().waitFor();
  assert.match(page.url(), /\/rules\/save$/);
  assert.match(await editor.inputValue(), /nowhere/, 'what is typed stays');
  await editor.fill('rules: [');
  await findings.locator('.error').first().waitFor();
  assert.equal((await api(context, 'GET', '/v1/rules')).rulesets.length, 1, 'nothing was stored');

  // One whose test fails, and then a good one, tried on a call before it is stored.
  const edited = rules.replace('id: washington', 'id: capital').replace('[[{to: a}]]', '[[{to: b}], [{to: a}]]');
  await editor.fill(edited);
  await findings.getByText('1 failed').waitFor();
  await editor.fill(edited.replace('first: a', 'first: b'));
  await findings.getByText('all hold').waitFor();
  await page.getByLabel('To', {exact: true}).fill('+12025550143');
  await page.getByRole('button', {name: 'Explain by these rules'}).click();
  await page.locator('#tried').getByText('By the rules in service').waitFor();
  assert.match(await page.locator('#tried').innerText(), /Rule capital sends the call to b/);
  await look(page, 'rules-edit');
  await save.click();
  await page.waitForURL(/\/rules\/[0-9a-f]+$/);
  const second = page.url().split('/').at(-1);

  // Compared with the rules in service, and with the day's calls.
  await page.getByText('1 added, 1 changed, 1 removed.').waitFor();
  await page.getByLabel('Of calls of').selectOption('day');
  await page.getByRole('button', {name: 'Compare'}).click();
  await page.getByText('1 of 1 calls').waitFor();
  await look(page, 'rules-diff');
  assert.equal(await goes(), 'washington a', 'it decides nothing yet');

  // Explained, by the rules in service.
  await page.goto(`${given.url}/rules/explain`);
  await page.getByLabel('To', {exact: true}).fill('+12025550143');
  await page.keyboard.press('Enter');
  await page.getByText('Rule washington sends the call to a').waitFor();
  await look(page, 'rules-explain');
  await page.goto(`${given.url}/rules/explain?to=nobody`);
  await page.getByRole('alert').waitFor();

  // On trial, for every call so that each shows it; promoted, and taken back.
  await page.goto(`${given.url}/rules/${second}`);
  await page.getByLabel('Share of the calls, %').fill('none');
  await page.getByRole('button', {name: 'Start a trial'}).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Share of the calls, %').fill('99.9');
  await page.keyboard.press('Enter');
  await page.getByText('decides 99.9 % of the calls now').waitFor();
  await look(page, 'rules-trial');
  const tried = await Promise.all(Array.from({length: 20}, goes));
  assert.ok(tried.filter((t) => t === 'capital b').length >= 17, `${tried}`);
  await page.getByRole('button', {name: 'Promote'}).click();
  await page.getByText('has passed its trial').waitFor();
  assert.equal(await goes(), 'capital b');
  await page.goto(`${given.url}/rules/explain?to=%2B12025550143`);
  await page.getByText('Rule capital sends the call to b').waitFor();
  await page.goto(`${given.url}/rules`);
  await page.locator('summary').getByText('Roll back to').click();
  await page.getByLabel('Yes, go back to it').check();
  await page.getByRole('button', {name: 'Roll back'}).click();
  await page.getByText('The version before decides every call again').waitFor();
  assert.equal(await goes(), 'washington a');

  // The history has what was in service, newest first.
  const how = await page.getByRole('region', {name: 'History of the rules'}).locator('tbody td:nth-child(3)').allInnerTexts();
  assert.deepEqual(how, ['rollback', 'promote', 'activate']);
  await look(page, 'rules');

  // Who leaves the editor is asked whether what he has typed may go.
  await page.getByRole('link', {name: 'Edit the rules in service'}).click();
  await editor.click();
  await page.keyboard.type('# more');
  const asked = page.waitForEvent('dialog');
  const left = page.getByRole('link', {name: 'Calls'}).click();
  const dialog = await asked;
  assert.equal(dialog.type(), 'beforeunload');
  await dialog.accept();
  await left;
  await page.waitForURL(/\/calls$/);
  await end();
})().catch((err) => { console.error(err); process.exit(1); });
