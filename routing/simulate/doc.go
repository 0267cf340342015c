// Package simulate sends recorded calls through a rule set as if they were made
// again, against the limits of its destinations.
//
//	calls, in the order of their times ──▶ RouteLive ──▶ a place is taken, until
//	                  a simulated clock ──▶ trunk.Group        the call is over
//
// [routing.Router] decides and [trunk.Group] counts places, as in service, with the
// times of the calls as the clock. The simulation also counts the demand: what each
// destination would get without any limits. The destination that is tried first
// takes the call: no call fails, and no destination is down.
package simulate
