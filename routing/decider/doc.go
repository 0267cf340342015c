// Package decider asks another service, over HTTP, where a call goes.
//
//	           ┌ first request ──────────────────▶┐
//	Decide ───▶│ second, if the first is late    ─▶├─▶ checked answer ──▶ decision, "decider"
//	           └ neither, if the breaker is open   │         │
//	                                               ▼         ▼ kept
//	                 budget over, failed, garbage ──▶ last good answer ──▶ decision, "cache"
//	                                                        └ none ──▶ error: the rules decide
//
// A call never waits longer than the budget, 150 ms, whatever the service does. The
// service must be idempotent: if it is asked twice about a call, either answer may
// be used.
//
// # What the service gets
//
// POST to the URL, Content-Type: application/json, Idempotency-Key: the call's id:
//
//	{
//	  "tenant_id": "acme", "call_id": "c-1", "from": "+12025550123", "to": "+4930123456",
//	  "type": "voice", "direction": "outbound", "priority": 0,
//	  "trunk": "carrier-7", "capabilities": ["opus", "pcmu"],
//	  "metadata": {"queue": "sales"}, "at": "2026-01-31T15:04:05Z"
//	}
//
// Numbers are normalised: E.164 with a plus, or a national short code; a caller
// that is withheld is "anonymous". trunk is the trunk by which the call came in.
// direction, trunk, capabilities and metadata are left out when empty. The service
// is never asked about emergency calls.
//
// # What it answers
//
// Status 200, application/json, at most 64 KiB:
//
//	{
//	  "rule": "premium",
//	  "destinations": [
//	    {"id": "trunk-a", "uri": "sip:trunk-a.example.com", "number": "004930123456",
//	     "caller": "+12025550100", "caller_privacy": "id"}
//	  ],
//	  "failover": {"retry": ["sip:486"], "final": ["sip:5xx"], "max_attempts": 2}
//	}
//
// There are 1 to 64 destinations, in the order to try them. number and caller
// default to those of the call; a withheld caller stays withheld. rule and failover
// may be left out; failover is written as in rule sets. The limits of the rule set
// hold for destinations whose ids it has.
//
// Or, to refuse the call:
//
//	{"no_route": true, "reason": "the account is closed"}
//
// Everything else is no answer: another status, unknown fields, an invalid
// destination.
package decider
