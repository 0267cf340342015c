// Package webhook delivers the outbox's events to the endpoints of their tenants, signed
// as Standard Webhooks has it.
//
//	outbox ─▶ FanOut: a delivery for each endpoint that wants the event
//	              │
//	              ▼     of each endpoint by itself
//	DueWebhooks ─▶ ClaimDeliveries ─▶ sign, POST ─▶ SettleDelivery ─▶ …
//
// Each event reaches each endpoint at least once, under the same webhook-id: a process
// that dies between the answer and SettleDelivery leaves it to be tried again when its
// lease is over. Events come about in their order; one that is tried again comes behind
// later ones. Whoever needs each once keeps the ids, and whoever needs the order looks at
// the timestamps.
//
// A try that isn't answered with 2xx within Options.Timeout is tried again, whatever the
// reason: a name that isn't known, a refused connection, TLS, a time-out, any other
// status. [DefaultSchedule] says when. 410 disables the endpoint. Redirects aren't
// followed, and addresses that only this network knows are refused when they are
// dialled, after the name was looked up.
//
// Each endpoint has few tries at once, and those that fail or are slow share half of all,
// so that no receiver holds up another. Nothing here is waited for by who makes recordings.
package webhook
