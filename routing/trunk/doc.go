// Package trunk keeps the state of destinations while calls run: how many calls each
// carries, whether it works, and its quality. A Router stays pure; it asks a [Group]
// when it decides (routing.Router.RouteLive).
//
//	decision ──▶ Group.Status ◀── calls, calls per second   (Reserve, Hold)
//	                         ◀── up, probing, down          (Observe, probes)
//	                         ◀── quality                    (Observe)
//	call stored ─▶ Reservation.Hold      call event ─▶ Group.Observe
//
// # Limits
//
// A place is reserved when the decision is made and held under the call's id when
// the call is stored. It moves with the call from one destination to the next and is
// given back when the call ends. If nothing is heard of the call again, its place
// expires. An attempt at a second destination and every emergency call are counted
// but not refused.
//
// Calls of a tenant, from an inbound trunk and by a rule are counted in the same way
// ([Group.Enter]), and keep those places from one destination to the next.
//
// Each process enforces its part of the limits: Options.Share says how many processes
// decide, and [Group.Share] says it anew as they come and go. Of a limit that is less than
// their number some processes have one call and the others none. The state of a process is
// lost when it ends.
//
// # Health
//
//	      N network failures in a row
//	up ───────────────────────────────▶ down ──── after 5 s, then 10, 20 … ───▶ probing
//	▲                                    ▲                                        │ │
//	│                                    └────────────── failure ─────────────────┘ │
//	└────────────────────────── successes ──────────────────────────────────────────┘
//
// A probing destination takes a small share of its calls. A failure of the called
// party (busy, no such number) is a success of the network.
//
// # Quality
//
// The score of a destination combines its answer-seizure ratio, its average call
// duration and its post-dial delay over a sliding window. Decisions see a level: the
// score in steps. The level follows the score only when the sample is large enough,
// the score has left its step by more than chance explains, and a hold time is over,
// which doubles every time the level turns back. So the order can't oscillate:
// destinations of like quality share a level and are drawn by weight, and a
// destination that fails under load doesn't get the load back at once.
package trunk
