// An OpenID Connect provider that is somebody else's work, for tests. It has a form, one
// client, and access tokens that are JWTs for the API and hold for seconds. OIDC_TEST is its
// configuration; its first line of output is its address.
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');
const {pathToFileURL} = require('node:url');

const given = JSON.parse(process.env.OIDC_TEST);
const resource = 'urn:switchtape';
const key = (type, options, more) => ({...crypto.generateKeyPairSync(type, options).privateKey.export({format: 'jwk'}), ...more});

const server = http.createServer();
server.listen(0, '127.0.0.1', async () => {
  const {Provider, interactionPolicy} = await import(pathToFileURL(require.resolve('oidc-provider')));
  const policy = interactionPolicy.base();
  policy.remove('consent'); // the client is the house's own
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: given.client, client_secret: given.secret, redirect_uris: [given.redirect], post_logout_redirect_uris: [given.loggedOut],
      grant_types: ['authorization_code'], response_types: ['code'],
    }],
    cookies: {keys: [crypto.randomUUID()]},
    extraTokenClaims: () => ({tenant: given.tenant}),
    features: {
      devInteractions: {enabled: false},
      resourceIndicators: {
        enabled: true, defaultResource: () => resource, useGrantedResource: () => true,
        getResourceServerInfo: () => ({scope: given.scopes, audience: given.audience, accessTokenTTL: given.seconds, accessTokenFormat: 'jwt', jwt: {sign: {alg: 'ES256'}}}),
      },
      // Without its style, which the browser would have to get elsewhere.
      rpInitiatedLogout: {enabled: true, logoutSource: (ctx, form) => {
        ctx.body = `<!doctype html><title>Log out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Yes, log me out</button>`;
      }},
    },
    findAccount: (ctx, id) => ({accountId: id, claims: () => ({sub: id})}),
    interactions: {policy, url: (ctx, interaction) => `/in/${interaction.uid}`},
    jwks: {keys: [key('rsa', {modulusLength: 2048}, {kid: 'rs', alg: 'RS256', use: 'sig'}), key('ec', {namedCurve: 'P-256'}, {kid: 'es', alg: 'ES256', use: 'sig'})]},
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId});
      grant.addOIDCScope('openid');
      grant.addResourceScope(resource, given.people[ctx.oidc.session.accountId]);
      await grant.save();
      return grant;
    },
    pkce: {required: () => true},
  });
  const ordinary = provider.callback();
  server.on('request', async (req, res) => {
    if (!req.url.startsWith('/in/')) return ordinary(req, res);
    try {
      await provider.interactionDetails(req, res);
      if (req.method !== 'POST') {
        res.setHeader('Content-Type', 'text/html; charset=utf-8');
        res.end('<!doctype html><title>Sign in</title><h1>The house</h1><form method="post"><label>Who are you? <input name="login"></label><button>Sign in</button></form>');
        return;
      }
      let body = '';
      for await (const part of req) body += part;
      const result = given.people[new URLSearchParams(body).get('login')] === undefined ?
        {error: 'access_denied', error_description: 'This <b>person</b> is not known'} : {login: {accountId: new URLSearchParams(body).get('login')}};
      await provider.interactionFinished(req, res, result, {mergeWithLastSubmission: false});
    } catch (e) {
      console.error(e);
      res.statusCode = 500;
      res.end(String(e));
    }
  });
  console.log(issuer);
});
