package service_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/nats"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/decider"
	"github.com/switchtape/switchtape/routing/settings"
	"github.com/switchtape/switchtape/routing/trunk"
)

const metricsReference = "../../../examples/docs/metrics.md"

// metricsTable is the file metrics.md, from the code.
func metricsTable() string {
	var b strings.Builder
	b.WriteString(`# Metrics

All that the three programs show on ` + "`/metrics`" + ` besides what Go's own collectors do (` + "`go_*`, `process_*`" + `),
as their code has it. ` + "`switchtape serve`" + ` has those of an API and of a worker. A scraper that takes
OpenMetrics gets exemplars with the histograms: the ids of the trace, the request, the call or the job.

*process*: each process tells of itself, and a fleet is their sum. *fleet*: each tells of all, as the
database does, so that the maximum is right and the sum is not. Nothing here reads a whole table for
a scrape. The names' endings are the units; where there is none it is a number.

Alerts on them are in [alerts.yaml](../deploy/prometheus/alerts.yaml), and what to do then in
[runbooks.md](runbooks.md); dashboards are in [grafana](../deploy/grafana/).
`)
	for _, s := range ops.Catalogue() {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | unit | labels | of | which processes | what it says |\n|---|---|---|---|---|---|---|\n", s.Title)
		for _, d := range s.Metrics {
			var labels []string
			for _, l := range d.Labels {
				labels = append(labels, "`"+l.Name+"`: "+l.Values)
			}
			of := "process"
			if d.Fleet {
				of = "fleet"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", d.Name, d.Type, d.Unit(), strings.Join(labels, "<br>"), of, d.When, d.Help)
		}
	}
	return b.String()
}

// metrics.md is what the code says: SWITCHTAPE_UPDATE=1 writes it.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	want := metricsTable()
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(metricsReference, []byte(want), 0o600))
	}
	got, err := os.ReadFile(metricsReference)
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
}

// TestEveryMetricIsListed: the processes, with all that they can be told, have the metrics
// of the catalogue and no others, each of its type, with its help and its labels.
func TestEveryMetricIsListed(t *testing.T) {
	t.Parallel()
	listed, shown := map[string]ops.Definition{}, map[string]*dto.MetricFamily{}
	for _, s := range ops.Catalogue() {
		for _, d := range s.Metrics {
			assert.NotContains(t, listed, d.Name)
			assert.Equal(t, d.Type == ops.Counter, strings.HasSuffix(d.Name, "_total"), d.Name)
			assert.NotEmpty(t, d.When, d.Name)
			listed[d.Name] = d
		}
	}
	for _, m := range []*ops.Metrics{fullAPI(t), fullWorker(t), whatHappened(t)} {
		families, err := m.Registry.Gather()
		if err != nil {
			require.ErrorContains(t, err, "connection refused") // the API's database isn't there
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "switchtape_") {
				shown[f.GetName()] = f
			}
		}
	}
	for name, f := range shown {
		d, ok := listed[name]
		if !assert.True(t, ok, "%s isn't in the catalogue", name) {
			continue
		}
		assert.Equal(t, string(d.Type), strings.ToLower(f.GetType().String()), name)
		assert.True(t, strings.HasPrefix(f.GetHelp(), d.Help) && d.Help != "", name)
		assert.Equal(t, d.Fleet, strings.Contains(f.GetHelp(), "Of the whole fleet"), name)
		var want, got []string
		for _, l := range d.Labels {
			want = append(want, l.Name)
		}
		for _, l := range f.GetMetric()[0].GetLabel() {
			got = append(got, l.GetName())
		}
		slices.Sort(want)
		assert.Equal(t, want, got, name)
	}
	for name := range listed {
		assert.Contains(t, shown, name, "nobody shows it")
	}
}

// fullAPI is an API that is told everything, on a database that isn't there.
func fullAPI(t *testing.T) *ops.Metrics {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	const away = "postgres://nobody@127.0.0.1:1/calls?sslmode=disable"
	o := service.APIOptions{
		Emergency: []string{"sip:psap.example.com"}, Journal: filepath.Join(dir, "journal"),
		ReplicaOptions:  service.ReplicaOptions{DBReplica: away},
		AuthOptions:     service.AuthOptions{DBKeys: true},
		RoutingOptions:  service.RoutingOptions{DeciderURL: "http://127.0.0.1:1/"},
		SettingsOptions: service.SettingsOptions{SettingsURL: "http://127.0.0.1:1/", SettingsAt: []string{"start"}},
		RecordOptions:   service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"},
		IntakeOptions:   service.IntakeOptions{Intake: []cli.Private{"nats://127.0.0.1:1?stream=S&consumer=c&tenant=acme"}, Publish: []cli.Private{"nats://127.0.0.1:1?subject=s"}},
		ShareOptions:    service.ShareOptions{ShareURL: "https://calls.example.com"},
		VerifyOptions:   service.VerifyOptions{VerifyEvery: time.Hour, VerifyDir: dir},
		ListenOptions:   service.ListenOptions{TLSOptions: service.TLSOptions{TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}},
	}
	certify(t, o.TLSOptions, 1)
	s, _, err := service.OpenForCalls(t.Context(), service.DBOptions{DB: away}, false, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	require.NoError(t, s.OpenBucket(t.Context(), nil, service.BucketOptions{Bucket: "file://" + dir}, log))
	m := ops.NewMetrics()
	m.Build("switchtape-api", service.LaneBoth, "1.0.0")
	api, err := service.NewAPI(t.Context(), s, o, m, log, nil)
	require.NoError(t, err)
	_, err = o.OpenBrokers(s, broker.Drivers{nats.Driver()}, api.Door(), "api", nil, m, log)
	require.NoError(t, err)
	l, err := service.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	handlers, err := service.HTTP(s, api, nil, l.Addr(), service.AdminOptions{}, m)
	require.NoError(t, err)
	doors, err := o.OpenDoors(t.Context(), l, true)
	require.NoError(t, err)
	doors.Metrics(m)
	service.Attend(s, o.Presence(), m, log)
	handlers.Public.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/calls", nil))
	return m
}

// fullWorker is a worker that is told everything.
func fullWorker(t *testing.T) *ops.Metrics {
	t.Helper()
	legs, log := t.TempDir(), slog.New(slog.DiscardHandler)
	s := &service.Stores{}
	var err error
	s.DB, err = service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(t.TempDir())}, true)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	bucket := service.BucketOptions{Bucket: "file://" + t.TempDir(), BackupBucket: "file://" + t.TempDir(), SpoolDir: t.TempDir()}
	require.NoError(t, s.OpenBucket(t.Context(), nil, bucket, log))
	m := ops.NewMetrics()
	m.Build("switchtape-worker", "", "1.0.0")
	o := service.WorkerOptions{Legs: legs, Queues: []string{"here"}, LegsKeep: 24 * time.Hour, LegsReserve: "1%", SpoolReserve: "1%"}
	w, place, err := service.NewWorker(t.Context(), s, o, nil, m, log)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, place.Close()) })
	spools, err := service.OpenSpools(service.SpoolOptions{Spool: []string{"pbx?pattern=asterisk&tenant=acme"}}, service.SpoolPlace{Legs: legs}, s.DB, nil, m, log)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, spools.Close()) })
	_, err = (&service.WebhookOptions{}).Deliverer(s, "worker", m, log)
	require.NoError(t, err)
	_, err = service.HTTP(s, nil, w, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, service.AdminOptions{}, m)
	require.NoError(t, err)
	return m
}

// whatHappened has the metrics of what doesn't happen to the others.
func whatHappened(t *testing.T) *ops.Metrics {
	t.Helper()
	m := ops.NewMetrics()
	m.Asked(decider.Outcome{Source: calls.SourceDecider})
	m.AskedSettings(settings.Outcome{Moment: callservice.SettingsAtStart})
	m.TrunkChanged("acme", trunk.Change{Destination: "a", Why: "health"})
	m.Destinations(func() []callservice.TrunkStats { return []callservice.TrunkStats{{Owner: "acme"}} })
	m.Webhooks(func(context.Context) (webhooks.Stats, error) {
		return webhooks.Stats{Failing: []webhooks.FailingEndpoint{{TenantID: "acme", ID: "w", SinceSuccess: time.Second}}}, nil
	})
	m.Holds(func(context.Context) (int64, error) { return 2, nil })
	m.Database(func() map[string]sql.DBStats { return nil })
	m.Attempt(worker.Report{
		Job: ledger.Job{Kind: record.Kind}, Outcome: worker.Done, Elapsed: time.Second,
		Result: record.Result{Status: record.StatusCompletedDegraded, Duration: time.Minute, Defects: []record.Defect{{Code: record.DefectClipped}}},
	})
	return m
}

// objects is a bucket that takes everything, or fails.
type objects struct{ err error }

func (o objects) Put(_ context.Context, _ record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if err := write(io.Discard); err != nil {
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{Bytes: 100}, o.err
}

// TestUploadsAreMeasured: by how they ended, and not those whose recording failed before.
func TestUploadsAreMeasured(t *testing.T) {
	t.Parallel()
	m, broken := ops.NewMetrics(), errors.New("broken")
	put := func(o objects, written error) error {
		_, err := m.Uploads("mem://a", o).Put(t.Context(), record.ObjectKey{}, record.ObjectMeta{}, func(io.Writer) error { return written })
		return err
	}
	require.NoError(t, put(objects{}, nil))
	require.ErrorIs(t, put(objects{}, broken), broken)
	require.ErrorIs(t, put(objects{err: broken}, nil), broken)
	w := httptest.NewRecorder()
	mux := http.NewServeMux()
	ops.MountMetrics(mux, m)
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`switchtape_upload_duration_seconds_count{bucket="mem://a",outcome="stored"} 1`,
		`switchtape_upload_duration_seconds_count{bucket="mem://a",outcome="failed"} 1`,
		`switchtape_upload_duration_seconds_count{bucket="mem://a",outcome="existed"} 0`,
		`switchtape_uploaded_bytes_total{bucket="mem://a"} 100`,
	} {
		assert.Contains(t, w.Body.String(), line+"\n")
	}
}
