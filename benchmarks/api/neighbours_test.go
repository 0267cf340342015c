package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

// tenants share the service: one of them is loud.
const tenants = 10

const anyRules = `
destinations: {a: {uri: "sip:a.example.com"}, b: {uri: "sip:b.example.com"}}
rules: [{id: all, default: true, route: [[{to: a}], [{to: b}]]}]
`

// api is a service on a real database behind a real server.
type api struct {
	url     string
	clients sync.Map
	svc     *callservice.Service
}

// newAPI starts it, for as long as the benchmark runs.
func newAPI(b *testing.B, o callservice.Options) *api {
	b.Helper()
	db, err := calldb.Open(b.Context(), calldb.SQLiteURL(filepath.Join(b.TempDir(), "calls.db")), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.Migrate(b.Context())
	require.NoError(b, err)
	o.PlatformTenant, o.DefaultRegion = "platform", "US"
	a := &api{svc: callservice.New(db, &o)}
	_, err = a.svc.InstallRules(b.Context(), "platform", []byte(anyRules), "bench", "")
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = a.svc.Run(ctx) })
	b.Cleanup(func() { stop(); running.Wait() })
	h := callhttp.New(a.svc, nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := callmodel.Principal{TenantID: callmodel.TenantID(r.Header.Get("Tenant")), Subject: "bench", Scopes: callmodel.RoleScopes(callmodel.RoleOperator)}
		h.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	}))
	b.Cleanup(srv.Close)
	a.url = srv.URL + "/v1/calls"
	return a
}

// create makes a call and returns the status of its answer.
func (a *api) create(ctx context.Context, tenant string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, strings.NewReader(`{"from":"+12025550123","to":"+12125550188"}`))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Tenant", tenant)
	v, ok := a.clients.Load(tenant)
	if !ok {
		v, _ = a.clients.LoadOrStore(tenant, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}})
	}
	resp, err := v.(*http.Client).Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errorsOf(err, resp.Body.Close())
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// capacity is how many calls a second are created when there are always as many on their
// way as one tenant has.
func (a *api) capacity(b *testing.B, d time.Duration) float64 {
	b.Helper()
	const callers = 32
	var made atomic.Int64
	began := time.Now()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for time.Since(began) < d {
				status, err := a.create(b.Context(), tenant(i%tenants))
				if err != nil {
					b.Error(err)
					return
				}
				if status == http.StatusCreated {
					made.Add(1)
				}
			}
		})
	}
	all.Wait()
	return float64(made.Load()) / time.Since(began).Seconds()
}

func tenant(i int) string { return "tenant" + strconv.Itoa(i) }

// answers are those to one tenant, or to several.
type answers struct {
	mu      sync.Mutex
	took    []time.Duration // of the calls that were created
	refused int
}

// ms is a quantile of the times that the calls took, in milliseconds.
func (s *answers) ms(q float64) float64 {
	slices.Sort(s.took)
	if len(s.took) == 0 {
		return 0
	}
	return s.took[int(float64(len(s.took)-1)*q)].Seconds() * 1000
}

func (s *answers) refusedPercent() float64 {
	return 100 * float64(s.refused) / float64(max(len(s.took)+s.refused, 1))
}

// send sends calls at so many a second, whether or not they are answered, and times each
// from when it was due.
func (a *api) send(b *testing.B, tenant string, rate float64, d time.Duration, to *answers) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	began := time.Now()
	var all sync.WaitGroup
	defer all.Wait()
	for i := 0; ; i++ {
		due := time.Duration(float64(i) / rate * float64(time.Second))
		if due >= d {
			return
		}
		time.Sleep(time.Until(began.Add(due)))
		all.Go(func() {
			status, err := a.create(ctx, tenant)
			took := time.Since(began) - due
			if ctx.Err() != nil {
				return // it was still on its way at the end of the phase
			}
			to.mu.Lock()
			defer to.mu.Unlock()
			switch {
			case err != nil:
				b.Error(err)
			case status == http.StatusCreated:
				to.took = append(to.took, took)
			case status == http.StatusTooManyRequests:
				to.refused++
			default:
				b.Errorf("a call is answered with %d", status)
			}
		})
	}
}

// rounds is how often the tenants are measured without and with the loud one: machines
// have their moods, so the two are compared within a round, and the median counts.
const rounds = 15

// BenchmarkNeighbours: nine tenants create calls at half their share, which is a tenth of half
// of what the service can do unless SHARE says it, alone and then beside a tenth at ten times its share. What
// counts is the p99 of the nine.
func BenchmarkNeighbours(b *testing.B) {
	for name, o := range map[string]callservice.Options{
		"adaptive": {},
		"fixed":    {MinInFlight: 256, MaxInFlight: 256},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				neighbours(b, o, seconds())
			}
		})
	}
}

func neighbours(b *testing.B, o callservice.Options, phase time.Duration) {
	b.Helper()
	a := newAPI(b, o)
	_ = a.capacity(b, 2*time.Second) // it is warm then
	share, err := strconv.ParseFloat(os.Getenv("SHARE"), 64)
	if err != nil {
		share = a.capacity(b, 2*time.Second) / 2 / tenants
	}
	run := func(loud float64) (others, it *answers) {
		others, it = &answers{}, &answers{}
		var all sync.WaitGroup
		for i := range tenants - 1 {
			all.Go(func() { a.send(b, tenant(i), share/2, phase, others) })
		}
		if loud > 0 {
			all.Go(func() { a.send(b, "loud", loud, phase, it) })
		}
		all.Wait()
		return others, it
	}
	var alone, beside, ratios, medians, refused, loudRefused []float64
	for range rounds {
		before, _ := run(0)
		after, loud := run(10 * share)
		alone = append(alone, before.ms(0.99))
		beside = append(beside, after.ms(0.99))
		ratios = append(ratios, after.ms(0.99)/before.ms(0.99))
		medians = append(medians, after.ms(0.5)/before.ms(0.5))
		refused, loudRefused = append(refused, after.refusedPercent()), append(loudRefused, loud.refusedPercent())
		b.Logf("alone p50 %.1f ms, p99 %.1f ms; beside p50 %.1f ms, p99 %.1f ms, %.2f %% refused; loud %d created, %.0f %% refused; %d places",
			before.ms(0.5), before.ms(0.99), after.ms(0.5), after.ms(0.99), after.refusedPercent(), len(loud.took), loud.refusedPercent(), a.svc.Lane().Limit)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(share, "share/s")
	b.ReportMetric(median(alone), "unloaded-p99-ms")
	b.ReportMetric(median(beside), "beside-p99-ms")
	b.ReportMetric(median(ratios), "p99-ratio")
	b.ReportMetric(median(medians), "p50-ratio")
	b.ReportMetric(median(refused), "refused-%")
	b.ReportMetric(median(loudRefused), "loud-refused-%")
}
