package webhook_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// delivererURL makes the test binary a process that delivers of that database, until it
// is killed.
const delivererURL = "SWITCHTAPE_TEST_DELIVERER_URL"

func TestMain(m *testing.M) {
	if at := os.Getenv(delivererURL); at != "" {
		if err := deliverUntilKilled(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func deliverUntilKilled(at string) error {
	db, err := calldb.Open(context.Background(), at, &calldb.Options{BusyTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer db.Close()
	// A lease is for four tries and the time to note them: short, so that those of one that
	// was killed come back soon.
	o := options(fmt.Sprint("process-", os.Getpid()))
	o.TTL, o.Timeout, o.LeaseSlack = 500*time.Millisecond, 250*time.Millisecond, 100*time.Millisecond
	return webhook.New(db, o).Run(context.Background())
}

// TestKilledBetweenCommitAndDelivery: processes that are killed at any moment lose no
// event: each is delivered at least once, under the id that it has in the outbox. Of 10,000
// events with SWITCHTAPE_LONG_TESTS=1.
func TestKilledBetweenCommitAndDelivery(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at     func(testing.TB) string
		events int
	}{"SQLite": {sqliteURL, 2000}, "PostgreSQL": {pgtest.URL, 500}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := 6
			if os.Getenv("SWITCHTAPE_LONG_TESTS") == "1" {
				c.events, kills = 10_000, 20
			}
			if testing.Short() || raced {
				c.events, kills = 200, 2
			}
			killed(t, c.at(t), c.events, kills)
		})
	}
}

func killed(t *testing.T, at string, events, kills int) {
	t.Helper()
	db := migrated(t, at)
	r := newReceiver(t, nil)
	n := create(t, db, "a", r.URL)
	happen(t, db, "c", events)
	process := func() *exec.Cmd {
		t.Helper()
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), delivererURL+"="+at)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		return cmd
	}
	for range kills {
		before := len(r.all())
		cmd := process()
		require.Eventually(t, func() bool { return len(r.all()) >= before+events/(2*kills) }, 2*within, time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}
	require.Less(t, len(r.all()), 2*events)
	cmd := process()
	require.Eventually(t, func() bool {
		s, err := db.WebhookStats(t.Context())
		return err == nil && s.Waiting == 0 && len(r.all()) >= events
	}, 2*within, 20*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	got := map[string]int{}
	for _, g := range r.all() {
		got[verify(t, n.Secret, g, time.Time{})]++
	}
	require.Len(t, got, events)
	for after := int64(0); ; {
		page, err := db.OutboxEvents(t.Context(), after, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for i := range page {
			require.Positive(t, got[webhooks.EventID(page[i].Key)], page[i].Key)
		}
		after = page[len(page)-1].ID
	}
	t.Logf("%d events, %d deliveries, %d kills", events, len(r.all()), kills)
}
