package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/reports"
)

func (c *Console) fleetRoutes() []route {
	const read = callmodel.ScopeRecordingsRead
	return []route{
		{"GET /fleet", read, c.showFleet},
		{"GET /live/fleet", read, c.liveFleet},
	}
}

// Health is how something is that calls or recordings need, as this process sees it.
type Health struct {
	Kind   string             // "destination", "bucket" or "service"
	Name   string             // of the thing, among those of its kind
	Tenant callmodel.TenantID // whose it is; "": everybody's
	State  string             // "up", "probing", "degraded", "down" or "not watched"
	Detail string             // more of it, in words; "" for nothing
}

// period is a time that the page looks at.
type period struct {
	Name, Text string
	span       time.Duration
	by         reports.Dimension // of the bars
}

// periods are those that the page offers. The first is the one of an address without.
func periods() []period {
	const day = 24 * time.Hour
	return []period{
		{"24h", "24 hours", day, reports.Hour},
		{"1h", "1 hour", time.Hour, reports.Hour},
		{"7d", "7 days", 7 * day, reports.Hour},
		{"30d", "30 days", 30 * day, reports.Day},
	}
}

// periodOf is that of the page's address.
func periodOf(r *http.Request) period {
	all := periods()
	for _, p := range all {
		if p.Name == r.URL.Query().Get("period") {
			return p
		}
	}
	return all[0]
}

// fleetPage is the page of the fleet.
type fleetPage struct {
	Period     period
	Periods    []period
	Since      time.Time
	Until      time.Time
	Now        fleetNow
	Within     time.Duration // in which a URL is promised
	Objective  float64       // of which share of calls
	Window     string        // that the budget is of
	Budget     promiseSums   // of PromiseWindow
	Bounds     []bound
	Chart      *chart // nil without calls
	Servers    []promiseSums
	Reasons    []reasonRow
	Recordings recordingSums
	Uncounted  int64 // calls that are known to wait to be counted
}

// fleetNow is the part of the page that is asked for again while it is open.
type fleetNow struct {
	Live   string // where
	Total  promiseSums
	Queues []queueRow
	Health []Health
}

// bound is how many recordings had their URL within a time.
type bound struct {
	Within   string
	Count    int64
	Share    float64 // of those recorded
	Promised bool
}

// reasonRow is a reason for which there is no recording in time.
type reasonRow struct {
	promiseSums
	Why reason
}

// recordingSums are what the report on recordings sums up.
type recordingSums struct {
	Recordings  int64   `json:"recordings"`
	Completed   int64   `json:"completed"`
	Degraded    int64   `json:"degraded"`
	Absent      int64   `json:"absent"`
	Quarantined int64   `json:"quarantined"`
	DurationMS  float64 `json:"duration_ms"`
	Bytes       int64   `json:"bytes"`
}

// Duration is how much was recorded.
func (s recordingSums) Duration() time.Duration {
	return time.Duration(s.DurationMS * float64(time.Millisecond))
}

// span is the query of the time from so long ago until now, with what the rows are by.
func (c *Console) span(ago time.Duration, by string) url.Values {
	now := c.opts.Now().UTC()
	q := url.Values{"since": {now.Add(-ago).Format(time.RFC3339)}, "until": {now.Format(time.RFC3339)}}
	if by != "" {
		q.Set("by", by)
	}
	return q
}

func (c *Console) promiseBy(r *http.Request, ago time.Duration, by string) (promiseReport, error) {
	return get[promiseReport](c, r, "/v1/promise", c.span(ago, by))
}

// nowOf is what is asked for again.
func (c *Console) nowOf(r *http.Request, p period) (now fleetNow, err error) {
	now.Live = "/live/fleet?period=" + p.Name
	report, err := c.promiseBy(r, p.span, "")
	if err != nil {
		return now, err
	}
	now.Total = report.Total
	if now.Queues, err = c.queuesOf(r); err != nil {
		return now, err
	}
	now.Health = c.healthFor(r)
	return now, nil
}

// healthFor is the health of what is the tenant's own, or everybody's.
func (c *Console) healthFor(r *http.Request) (list []Health) {
	if c.opts.Health == nil {
		return nil
	}
	who, _ := callmodel.PrincipalFrom(r.Context())
	for _, h := range c.opts.Health(r.Context()) {
		if h.Tenant == "" || h.Tenant == who.TenantID || who.Allows(callmodel.ScopeTenantsEvery) {
			list = append(list, h)
		}
	}
	return list
}

func (c *Console) showFleet(w http.ResponseWriter, r *http.Request) error {
	p := periodOf(r)
	view := &fleetPage{Period: p, Periods: periods(), Window: fmt.Sprintf("%d days", reports.PromiseWindow/(24*time.Hour))}
	var err error
	if view.Now, err = c.nowOf(r, p); err != nil {
		return err
	}
	byTime, err := c.promiseBy(r, p.span, string(p.by))
	if err != nil {
		return err
	}
	view.Since, view.Until, view.Uncounted = byTime.Since, byTime.Until, byTime.Waiting
	view.Within, view.Objective = time.Duration(byTime.WithinMS)*time.Millisecond, byTime.Objective
	view.Bounds, view.Chart = boundsOf(&byTime), chartOf(&byTime, p.by)
	byServer, err := c.promiseBy(r, p.span, "server,version")
	if err != nil {
		return err
	}
	view.Servers = byServer.Rows
	byReason, err := c.promiseBy(r, p.span, "reason")
	if err != nil {
		return err
	}
	for _, row := range byReason.Rows {
		if row.Reason != "" {
			view.Reasons = append(view.Reasons, reasonRow{row, reasons()[row.Reason]})
		}
	}
	budget, err := c.promiseBy(r, reports.PromiseWindow, "")
	if err != nil {
		return err
	}
	view.Budget = budget.Total
	made, err := get[struct {
		Total recordingSums `json:"total"`
	}](c, r, "/v1/reports/recordings", c.span(p.span, ""))
	if err != nil {
		return err
	}
	view.Recordings = made.Total
	return c.show(w, r, http.StatusOK, "fleet", "Fleet", view)
}

// liveFleet answers with what changes by the minute.
func (c *Console) liveFleet(w http.ResponseWriter, r *http.Request) error {
	now, err := c.nowOf(r, periodOf(r))
	if err != nil {
		return err
	}
	return c.write(w, r, http.StatusOK, "fleet", "now", now)
}

// boundsOf are the shares of recordings by the time to their URL.
func boundsOf(p *promiseReport) []bound {
	var list []bound
	for i, d := range reports.PromiseBounds() {
		b := bound{Within: spoken(d), Count: p.Total.By[i], Promised: d == time.Duration(p.WithinMS)*time.Millisecond}
		if p.Total.Recorded > 0 {
			b.Share = float64(b.Count) / float64(p.Total.Recorded)
		}
		list = append(list, b)
	}
	return list
}

// spoken is a duration in the largest unit that it is a whole number of, or in seconds.
func spoken(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	}
}
