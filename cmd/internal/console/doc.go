// Package console serves the web pages of a service: calls with their routes and recordings,
// a player, jobs, rules, and the fleet.
//
//	browser ─▶ security headers ─▶ session ─▶ authentication ─▶ page ─▶ API, in this process
//
// The console has no rights and no data of its own. A session is a credential of the API,
// sealed in a cookie; every page asks the API as whoever is logged in, so that scopes,
// tenants, limits and the audit log are the API's. The API itself never takes the cookie.
// The credential is a key that somebody gives, or a token that an OpenID Connect provider
// gives for whoever logs in there.
//
// Pages are HTML from html/template, which work without scripts as far as they can. Scripts
// and styles are files of this binary: nothing is asked for elsewhere, and the policy of the
// pages lets nothing else run.
package console
