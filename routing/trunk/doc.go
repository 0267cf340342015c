// Package trunk keeps what is known of destinations while calls run: how many
// calls each carries, whether it works, and how well it does. A Router stays
// pure; it asks a [Group] when it decides (routing.Router.RouteLive).
//
//	decision ──▶ Group.Status ◀── calls, calls per second   (Reserve, Hold)
//	                         ◀── up, probing, down          (Observe, probes)
//	                         ◀── quality                    (Observe)
//	call stored ─▶ Reservation.Hold      call event ─▶ Group.Observe
//
// # Limits
//
// A place is reserved when the decision is made, held under the call's id when
// the call is stored, moved with the call from one destination to the next, and
// given back when the call ends. A place whose call is never heard of again is
// given back when it expires. An attempt at a second destination, and every
// emergency call, is counted but not refused.
//
// Limits are those of one process. With several that decide, set Options.Share
// to their number: each then enforces its part. What one process knows is lost
// when it ends.
//
// # Health
//
//	      N network failures in a row
//	up ───────────────────────────────▶ down ──── after 5 s, then 10, 20 … ───▶ probing
//	▲                                    ▲                                        │ │
//	│                                    └────────────── failure ─────────────────┘ │
//	└────────────────────────── successes ──────────────────────────────────────────┘
//
// A destination that is probing takes a small share of its calls. Failures that
// tell of the called party (busy, no such number) are successes of the network.
//
// # Quality
//
// The score of a destination is made of its answer-seizure ratio, its average
// call duration and its post-dial delay over a sliding window. What decisions
// see is a level: the score in steps. The level follows the score only when the
// sample is large enough, when the score has left the step by more than chance
// explains, and not before a hold time is over, which doubles every time the
// level turns back. So an order can't oscillate: neither between destinations
// that are alike, which share a level and are drawn by weight, nor where the
// load that a level brings is what spoils it.
package trunk
