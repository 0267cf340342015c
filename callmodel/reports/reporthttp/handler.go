package reporthttp

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/reports"
)

// Store gives reports. *calldb.DB is one. A query that is none is refused with
// FieldErrors, and so is one whose report would have more rows than reports.MaxRows.
// Rows are in the order of their values.
type Store interface {
	ReportCalls(ctx context.Context, q *reports.Query) (reports.Report[reports.Calls], error)
	ReportRecordings(ctx context.Context, q *reports.Query) (reports.Report[reports.Recordings], error)
	ReportDefects(ctx context.Context, q *reports.Query) (reports.Report[reports.Defects], error)
	ReportPromise(ctx context.Context, q *reports.Query) (reports.Report[reports.Promise], error)
}

// Options configure a Handler. The zero value works.
type Options struct {
	// Now is the clock by which a report without until ends. Nil: the machine's.
	Now func() time.Time
	// MaxInFlight bounds the reports that are made at once; others are refused. 0 means 4.
	MaxInFlight int
	// RequestTimeout bounds the work on a report. 0 means 10 s.
	RequestTimeout time.Duration
	// AccessDenied notes that the principal asked for what it may not have. Nil: nowhere.
	AccessDenied func(ctx context.Context, p callmodel.Principal, what string)
	// Logger gets the requests that failed for no fault of their own. Nil logs nothing.
	Logger *slog.Logger
}

// usualSpan is the time of a report without since.
const usualSpan = 24 * time.Hour

// allTenants asks for everybody's.
const allTenants = "*"

const csvType = "text/csv"

// Handler serves reports. Make one with New; it may be used by any number of goroutines
// and has none of its own.
type Handler struct {
	store  Store
	opts   Options
	places chan struct{}
	mux    *http.ServeMux
}

// New makes the handler. o may be nil.
func New(s Store, o *Options) *Handler {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, 10*time.Second)
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the host may give another clock
	}
	h := &Handler{store: s, opts: opts, mux: http.NewServeMux(), places: make(chan struct{}, cmp.Or(opts.MaxInFlight, 4))}
	h.Mount(h.mux)
	h.mux.Handle("/", problem.Elsewhere(h.mux))
	return h
}

// ServeHTTP serves reports, and answers 404 at every path that is not theirs.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Mount adds the endpoints to a mux of the host's, beside those of other handlers.
func (h *Handler) Mount(mux *http.ServeMux) {
	frame := problem.Frame{Within: h.inPlace, Denied: h.opts.AccessDenied, Logger: h.opts.Logger}
	frame.Mount(mux, h.routes())
}

// routes lists the endpoints, as openapi.yaml does.
func (h *Handler) routes() []problem.Route {
	return []problem.Route{
		h.at("GET /v1/reports/calls", callmodel.ScopeCallsRead, h.calls,
			reports.Trunk, reports.Destination, reports.Direction, reports.Type, reports.Cause),
		h.at("GET /v1/reports/recordings", callmodel.ScopeRecordingsRead, h.recordings, reports.Status, reports.Reason),
		h.at("GET /v1/reports/defects", callmodel.ScopeRecordingsRead, h.defects, reports.Server, reports.Software, reports.Defect),
		h.at("GET /v1/promise", callmodel.ScopeRecordingsRead, h.promise, reports.Server, reports.Version, reports.Reason),
	}
}

// at is the route of a report, and what can be chosen of it.
func (h *Handler) at(pattern string, scope callmodel.Scope, report func(context.Context, *reports.Query) (*table, error), choices ...reports.Dimension) problem.Route {
	door := problem.Door{Query: []string{"since", "until", "by", "tenant"}, Gives: []string{problem.JSON, csvType}}
	for _, d := range choices {
		door.Query = append(door.Query, string(d))
	}
	return problem.At(pattern, scope, func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		q, err := h.query(r, p, choices)
		if err != nil {
			return err
		}
		t, err := report(r.Context(), q)
		if err != nil {
			return err
		}
		if problem.Preferred(r, door.Gives) == csvType {
			return t.writeCSV(w)
		}
		problem.WriteJSON(w, http.StatusOK, t)
		return nil
	}, door)
}

// inPlace serves an endpoint if there is room, within its time.
func (h *Handler) inPlace(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeOverloaded, "%d reports are being made already", cap(h.places)), time.Second)
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.RequestTimeout)
	defer cancel()
	return serve(w, r.WithContext(ctx), p)
}

// query is what the request asks for.
func (h *Handler) query(r *http.Request, p callmodel.Principal, choices []reports.Dimension) (*reports.Query, error) {
	values := problem.Values(r)
	q := &reports.Query{TenantID: p.TenantID}
	switch t := callmodel.TenantID(values.Get("tenant")); {
	case t == "" || t == p.TenantID:
	case !p.Allows(callmodel.ScopeTenantsEvery):
		return nil, callmodel.Errorf(callmodel.CodeForbidden, "the credentials are of another tenant; another's reports need the scope %q", callmodel.ScopeTenantsEvery)
	case t == allTenants:
		q.TenantID = ""
	default:
		q.TenantID = t
	}
	var faults callmodel.FieldErrors
	var err error
	if q.Until, err = problem.Time(r, "until", h.opts.Now()); err != nil {
		faults.AddAll("", err)
	}
	if q.Since, err = problem.Time(r, "since", q.Until.Add(-usualSpan)); err != nil {
		faults.AddAll("", err)
	}
	if by := values.Get("by"); by != "" {
		for name := range strings.SplitSeq(by, ",") {
			q.By = append(q.By, reports.Dimension(name))
		}
	}
	for _, d := range choices {
		if values.Has(string(d)) {
			if q.Where == nil {
				q.Where = map[reports.Dimension]string{}
			}
			q.Where[d] = values.Get(string(d))
		}
	}
	return q, faults.Err()
}

func (h *Handler) calls(ctx context.Context, q *reports.Query) (*table, error) {
	r, err := h.store.ReportCalls(ctx, q)
	if err != nil {
		return nil, err
	}
	t := newTable(q, r.Waiting, []string{
		"calls", "answered", "abandoned", "failed", "rejected", "answer_seizure_ratio",
		"talk_ms", "mean_duration_ms", "mean_post_dial_delay_ms",
	})
	var total reports.Calls
	for i := range r.Rows {
		total.Add(&r.Rows[i].Sums)
		t.rows = append(t.rows, row{r.Rows[i].Of, callNumbers(&r.Rows[i].Sums)})
	}
	t.total = callNumbers(&total)
	return t, nil
}

func callNumbers(c *reports.Calls) []json.Number {
	return []json.Number{
		whole(c.Calls), whole(c.Answered), whole(c.Abandoned), whole(c.Failed), whole(c.Rejected),
		ratio(c.AnswerSeizureRatio()),
		whole(c.Talk.Milliseconds()), whole(c.MeanDuration().Milliseconds()), whole(c.MeanPostDialDelay().Milliseconds()),
	}
}

func (h *Handler) recordings(ctx context.Context, q *reports.Query) (*table, error) {
	r, err := h.store.ReportRecordings(ctx, q)
	if err != nil {
		return nil, err
	}
	t := newTable(q, r.Waiting, []string{"recordings", "completed", "degraded", "absent", "quarantined", "duration_ms", "bytes"})
	var total reports.Recordings
	for i := range r.Rows {
		total.Add(&r.Rows[i].Sums, 1)
		t.rows = append(t.rows, row{r.Rows[i].Of, recordingNumbers(&r.Rows[i].Sums)})
	}
	t.total = recordingNumbers(&total)
	return t, nil
}

func recordingNumbers(r *reports.Recordings) []json.Number {
	return []json.Number{
		whole(r.Recordings), whole(r.Completed), whole(r.Degraded), whole(r.Absent), whole(r.Quarantined),
		whole(r.Duration.Milliseconds()), whole(r.Bytes),
	}
}

func (h *Handler) defects(ctx context.Context, q *reports.Query) (*table, error) {
	r, err := h.store.ReportDefects(ctx, q)
	if err != nil {
		return nil, err
	}
	t := newTable(q, r.Waiting, []string{"recordings"})
	total := int64(0)
	for i := range r.Rows {
		total += r.Rows[i].Sums.Recordings
		t.rows = append(t.rows, row{r.Rows[i].Of, []json.Number{whole(r.Rows[i].Sums.Recordings)}})
	}
	t.total = []json.Number{whole(total)}
	return t, nil
}

func (h *Handler) promise(ctx context.Context, q *reports.Query) (*table, error) {
	r, err := h.store.ReportPromise(ctx, q)
	if err != nil {
		return nil, err
	}
	t := newTable(q, r.Waiting, promiseNames())
	t.more = map[string]any{"within_ms": whole(reports.PromiseWithin.Milliseconds()), "objective": reports.PromiseObjective}
	var total reports.Promise
	for i := range r.Rows {
		total.Add(&r.Rows[i].Sums, 1)
		t.rows = append(t.rows, row{r.Rows[i].Of, promiseNumbers(&r.Rows[i].Sums)})
	}
	total.Sum()
	t.total = promiseNumbers(&total)
	return t, nil
}

// promiseNames are those of promiseNumbers. The headline comes first.
func promiseNames() []string {
	names := []string{"unexplained", "calls", "waiting", "explained", "recorded", "absent", "quarantined", "kept_ratio", "burn_rate", "budget_left", "mean_url_ms"}
	for _, bound := range reports.PromiseBounds() {
		names = append(names, "within_"+strconv.FormatInt(bound.Milliseconds(), 10)+"_ms")
	}
	return append(names, "whole", "missing_legs", "silence", "gaps", "drift", "short", "faults")
}

func promiseNumbers(p *reports.Promise) []json.Number {
	var mean time.Duration
	if p.Recorded > 0 {
		mean = p.After / time.Duration(p.Recorded)
	}
	list := []json.Number{
		whole(p.Unexplained), whole(p.Calls), whole(p.Waiting), whole(p.Explained), whole(p.Recorded), whole(p.Absent), whole(p.Quarantined),
		ratio(p.Kept()), ratio(p.BurnRate()), ratio(p.BudgetLeft()), whole(mean.Milliseconds()),
	}
	for _, n := range p.By {
		list = append(list, whole(n))
	}
	return append(list, whole(p.Whole), whole(p.MissingLegs), whole(p.Silence), whole(p.Gaps), whole(p.Drift), whole(p.Short), whole(p.Faults))
}

func ratio(f float64) json.Number { return json.Number(strconv.FormatFloat(f, 'f', 4, 64)) }

func whole(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// table is a report as it is answered.
type table struct {
	since, until time.Time // whole hours
	by           []string
	names        []string // of the numbers
	rows         []row
	total        []json.Number
	waiting      int64
	more         map[string]any // members of the answer, beside those of every report
}

type row struct {
	of      []string
	numbers []json.Number
}

func newTable(q *reports.Query, waiting int64, names []string) *table {
	from, to := q.Hours()
	t := &table{since: time.Unix(from*3600, 0).UTC(), until: time.Unix(to*3600, 0).UTC(), names: names, waiting: waiting, by: []string{}}
	for _, d := range q.By {
		t.by = append(t.by, string(d))
	}
	return t
}

// MarshalJSON implements json.Marshaler.
func (t *table) MarshalJSON() ([]byte, error) {
	rows := make([]map[string]any, len(t.rows))
	for i, r := range t.rows {
		rows[i] = t.object(r.numbers)
		for j, by := range t.by {
			rows[i][by] = r.of[j]
		}
	}
	all := map[string]any{
		"since": t.since, "until": t.until, "by": t.by, "rows": rows, "total": t.object(t.total), "waiting": t.waiting,
	}
	maps.Copy(all, t.more)
	return json.Marshal(all)
}

func (t *table) object(numbers []json.Number) map[string]any {
	o := make(map[string]any, len(numbers)+len(t.by))
	for i, n := range numbers {
		o[t.names[i]] = n
	}
	return o
}

// writeCSV writes the rows (RFC 4180), with a header and without a total.
func (t *table) writeCSV(w http.ResponseWriter) error {
	head := w.Header()
	head.Set("Content-Type", csvType)
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	out := csv.NewWriter(w)
	_ = out.Write(append(append([]string{}, t.by...), t.names...)) // a client that is gone
	for _, r := range t.rows {
		line := append([]string{}, r.of...)
		for _, n := range r.numbers {
			line = append(line, n.String())
		}
		_ = out.Write(line)
	}
	out.Flush()
	return nil
}
