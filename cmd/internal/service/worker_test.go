package service_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A worker takes the jobs of its own host and those that name none, and says of no
// others that their legs are missing, unless it is told that all legs are here.
func TestQueuesOfAWorker(t *testing.T) {
	t.Parallel()
	mine, none, other := service.HostName(), ledger.DefaultQueue, "pbx-of-another-disk"
	const absent, away, untouched = "absent", "away", "untouched"
	for name, c := range map[string]struct {
		o    service.WorkerOptions
		want map[string]string
	}{
		"by default":       {service.WorkerOptions{}, map[string]string{mine: absent, none: absent, other: untouched}},
		"named":            {service.WorkerOptions{Queues: []string{other}}, map[string]string{other: absent, mine: untouched, none: untouched}},
		"every queue":      {service.WorkerOptions{Queues: []string{"*", none}}, map[string]string{none: absent, mine: away, other: away}},
		"the only machine": {service.WorkerOptions{Queues: []string{"*"}, AllLegs: true}, map[string]string{none: absent, mine: absent, other: absent}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &service.Stores{}
			t.Cleanup(func() { assert.NoError(t, s.Close()) })
			var err error
			s.DB, err = service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
			require.NoError(t, err)
			err = s.OpenBucket(t.Context(), service.Buckets(nil), service.BucketOptions{Bucket: "file://" + t.TempDir()}, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			ids := map[string]callmodel.JobID{}
			for queue := range c.want {
				r := storetest.Request("of-" + queue)
				r.Queue = queue
				ids[queue], _, err = s.DB.Enqueue(t.Context(), r)
				require.NoError(t, err)
			}
			o := c.o
			o.Legs, o.Concurrency, o.LeaseTTL = dir, 1, time.Minute
			w, legs, err := service.NewWorker(t.Context(), s, o, service.Buckets(nil), ops.NewMetrics(), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- w.Run(ctx) }()
			reached := func(queue, want string) bool {
				j, err := s.DB.Job(t.Context(), ids[queue])
				require.NoError(t, err)
				switch want {
				case absent:
					return j.State == ledger.Done && storetest.ResultOf(t, &j).Status == record.StatusAbsent
				case away:
					return j.State == ledger.Queued && j.Reason == record.LegsAway
				}
				return j.State == ledger.Queued && j.Reason == ""
			}
			for queue, want := range c.want {
				require.Eventually(t, func() bool { return reached(queue, want) }, time.Minute, 5*time.Millisecond, "%s: %s", queue, want)
			}
			stop()
			require.NoError(t, <-done)
			require.NoError(t, legs.Close())
			for queue, want := range c.want {
				require.True(t, reached(queue, want), "%s: %s", queue, want)
			}
		})
	}
}
