// People log in at a provider's own form, come back by themselves once their token has
// expired, and log out here and there.
'use strict';
const {assert, given, start, look} = require('./lib.cjs');

(async () => {
  const {context, end} = await start();
  const page = await context.newPage();
  const led = []; // by the provider, when
  page.on('request', (r) => { if (r.isNavigationRequest() && r.url().startsWith(`${given.provider}/auth?`)) led.push(Date.now()); });
  const button = page.getByRole('link', {name: `Log in with ${new URL(given.provider).host}`});
  const signIn = async (who) => {
    await page.getByLabel('Who are you?').fill(who);
    await page.getByRole('button', {name: 'Sign in'}).click();
  };

  // Somebody whom the provider doesn't know is told so, and asked again.
  await page.goto(`${given.url}/jobs?state=done`);
  await button.waitFor();
  await look(page, 'login-provider');
  await button.click();
  await signIn('nobody');
  await page.getByText('This <b>person</b> is not known').waitFor();
  await look(page, 'login-refused');
  await button.click();
  await signIn('ann');
  await page.waitForURL(`${given.url}/jobs?state=done`);
  const since = Date.now();
  await page.getByText('ann', {exact: false}).first().waitFor();
  const cookies = await context.cookies(given.url);
  assert.deepEqual(cookies.map((c) => c.name).filter((n) => n.startsWith('switchtape')), ['switchtape_session'], 'those of the log-ins are gone');
  assert.ok(cookies.every((c) => !c.name.startsWith('switchtape') || c.httpOnly && c.sameSite === 'Lax'));
  assert.equal(await page.getByRole('link', {name: 'Rules'}).count(), 0, 'as the token says');
  assert.equal((await context.request.get(`${given.url}/rules`)).status(), 403);

  // The token expires: a page comes back by itself.
  const expired = async (from) => page.waitForTimeout(Math.max(0, from + (given.seconds + 1) * 1000 - Date.now()));
  let before = led.length;
  await expired(since);
  await page.goto(`${given.url}/calls?number=%2B442079460101`);
  await page.waitForURL(`${given.url}/calls?number=%2B442079460101`);
  await page.getByText('oidc:ann').waitFor();
  assert.equal(led.length, before + 1, 'the provider was asked, and had no form');

  // A page that is open goes on as well, when its stream is read anew.
  before = led.length;
  await expired(Date.now());
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await page.evaluate(() => { window.same = true; });
  await hide(true);
  await hide(false);
  await page.waitForFunction(() => window.same === undefined);
  await page.waitForURL(`${given.url}/calls?number=%2B442079460101`);
  await page.getByText('oidc:ann').waitFor();
  assert.equal(led.length, before + 1);

  // Log-out, here and there: the provider asks for the name again.
  await page.getByRole('button', {name: 'Log out'}).click();
  await page.getByRole('button', {name: 'Yes, log me out'}).click();
  await page.waitForURL((u) => u.href.startsWith(`${given.url}/login`));
  await page.goto(`${given.url}/calls`);
  await button.click();
  await signIn('ben');
  await page.getByText('oidc:ben').waitFor();
  assert.equal(await page.getByRole('link', {name: 'Jobs'}).count(), 0, 'he may see calls alone');
  await end();
})().catch((e) => { console.error(e); process.exit(1); });
