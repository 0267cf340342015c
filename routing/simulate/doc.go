// Package simulate sends recorded calls through a rule set as if they were made
// again, against the limits of its destinations.
//
//	calls, in the order of their times ──▶ RouteLive ──▶ a place is taken, until
//	                  a simulated clock ──▶ trunk.Group        the call is over
//
// The decisions and the counting of places are the real ones, those of
// [routing.Router] and [trunk.Group], with the calls' own times as the clock.
// Beside them runs the demand: what each destination would get if nothing had
// limits. Every call is taken by the destination that is tried first; none
// fails, and none is down.
package simulate
