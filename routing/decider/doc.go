// Package decider asks another service, over HTTP, where a call goes.
//
//	           ┌ first request ──────────────────▶┐
//	Decide ───▶│ second, if the first is late    ─▶├─▶ checked answer ──▶ decision, "decider"
//	           └ neither, if the breaker is open   │         │
//	                                               ▼         ▼ kept
//	                 budget over, failed, garbage ──▶ last good answer ──▶ decision, "cache"
//	                                                        └ none ──▶ error: the rules decide
//
// A call waits for no longer than the budget, 150 ms, whatever the service
// does. The service must be idempotent: of a call that is asked about twice,
// either answer may be used.
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
// that is withheld is "anonymous". trunk is the one the call came in by.
// direction, trunk, capabilities and metadata are left out when empty. Emergency calls are never asked about.
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
// 1 to 64 destinations, in the order to try them. number and caller default to
// the call's own; the caller of a call that withholds it stays withheld. rule
// and failover may be left out; failover is as in rule sets. A destination whose
// id the rule set knows has the rule set's limits.
//
// Or, to refuse the call:
//
//	{"no_route": true, "reason": "the account is closed"}
//
// Everything else (another status, unknown fields, a destination that is none)
// is no answer.
package decider
