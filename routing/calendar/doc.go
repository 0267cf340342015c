// Package calendar says when a rule holds: at times of the week, on dates, and by
// the recurrences of iCalendar, in a time zone.
//
//	Windows ── Reader.Check ──▶ faults
//	        └─ Reader.Compile ─▶ Window ── Open(t) ──▶ bool, in some ten nanoseconds
//
// Weekly times and dates follow the wall clock through both changes of daylight
// saving: an hour that the clocks skip never comes, and an hour that they repeat
// counts twice. Recurrences start on the wall clock and then last as long as their
// duration says. Where the clocks skip a start, it comes later by the time that
// was skipped; of a start that they repeat, the first counts (RFC 5545 section
// 3.3.5). Recurrences are expanded when they are compiled, to the end of 2099; the
// window is closed after that.
package calendar
