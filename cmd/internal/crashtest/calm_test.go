//go:build linux

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/storage/calldb"
)

const (
	// drainWithin is how long the backlog may take when the faults are over, on a machine
	// that has other things to do.
	drainWithin = 6 * time.Minute
	// tidyWithin is how long it may take then until what is to go is gone: sweeps and looks
	// for legs begin within a minute of a program's start.
	tidyWithin = 4 * time.Minute
	// swept is after how long whatever is swept by its age is old enough.
	swept = 49 * time.Hour
	// publishReader is who reads the outbox to publish it.
	publishReader = "publish"
)

// calm waits until what is left when the faults are over is done, has two days pass, and
// ends the programs.
func (s *scene) calm() {
	for _, p := range s.all() {
		p.setClock(s.t, 0)
	}
	db := s.open()
	defer db.Close()
	begun := time.Now()
	s.until("the backlog", drainWithin, s.drained(db))
	s.report.Drained = seconds(time.Since(begun))
	s.until("the events", drainWithin, func(ctx context.Context) (bool, string) {
		place, err := db.OutboxPlace(ctx, publishReader)
		return err == nil && !place.More, fmt.Sprintf("published up to %d, %v", place.Through, err)
	})
	s.retryDeletions(db)
	s.ageHalf()
	for _, p := range s.all() {
		p.setClock(s.t, swept)
	}
	for _, p := range s.workers { // they sweep, and look for legs, soon after a start
		p.kill()
	}
	s.until("legs to be deleted and what was left to be swept", tidyWithin, s.tidy())
	s.until("the events of the deletions", drainWithin, s.drained(db))
	for _, p := range s.all() {
		if err := p.terminate(time.Minute); err != nil {
			s.t.Error(err)
		}
	}
}

// drained reports whether there is a job of each call, and none waits.
func (s *scene) drained(db *calldb.DB) func(ctx context.Context) (bool, string) {
	want := int64(len(s.callsMade()))
	asked, waits := time.Now(), ""
	return func(ctx context.Context) (bool, string) {
		stats, err := db.Stats(ctx)
		if err != nil {
			return false, err.Error()
		}
		n := stats.ByKind[record.Kind]
		if stats.Queued+stats.Running == 0 && n.Done+n.Quarantined >= want {
			return true, ""
		}
		if time.Since(asked) > 10*time.Second {
			asked, waits = time.Now(), s.waiting(ctx, db)
		}
		return false, fmt.Sprintf("%d calls, %+v\n%s", want, stats, waits)
	}
}

// retryDeletions has jobs that delete legs done again that were set aside, as an operator
// would: each of their three attempts was at a worker that was killed. Until then the legs
// stay, and nothing is lost.
func (s *scene) retryDeletions(db *calldb.DB) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	aside, err := db.Jobs(ctx, ledger.Filter{Kind: lifecycle.KindDeleteLegs, State: ledger.Quarantined, Limit: 1000})
	require.NoError(s.t, err)
	for i := range aside {
		require.NoError(s.t, db.Retry(ctx, aside[i].ID, "operator"))
	}
	s.report.Retried = len(aside)
}

// waiting names some jobs that wait, and calls that have none.
func (s *scene) waiting(ctx context.Context, db *calldb.DB) string {
	var waits []string
	there := map[string]bool{}
	for after := callmodel.JobID(""); ; {
		jobs, err := db.Jobs(ctx, ledger.Filter{Kind: record.Kind, Limit: 1000, After: after})
		if err != nil {
			return err.Error()
		}
		if len(jobs) == 0 {
			break
		}
		for i := range jobs {
			j := &jobs[i]
			after, there[string(j.CallID)], there[j.Key] = j.ID, true, true
			if j.State == ledger.Queued && len(waits) < faultsTold {
				waits = append(waits, fmt.Sprintf("%s waits until %v: %s", j.Key, j.RunAt.Format(time.TimeOnly), j.LastError))
			}
		}
	}
	for _, c := range s.callsMade() {
		if !there[c.id] && len(waits) < 2*faultsTold {
			waits = append(waits, fmt.Sprintf("%s has no job; by a message: %v", c.id, c.message))
		}
	}
	return strings.Join(waits, "\n")
}

// ageHalf has the first half of the jobs be old enough for their legs to be deleted.
func (s *scene) ageHalf() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, s.primary.URL)
	require.NoError(s.t, err)
	var half int64
	err = c.QueryRow(ctx, `SELECT max(seq) / 2 FROM jobs`).Scan(&half)
	if err == nil {
		err = s.aged.age(ctx, c, half)
	}
	require.NoError(s.t, errors.Join(err, c.Close(ctx)))
}

// tidy reports whether nothing is left that is to go: legs of complete recordings that are
// old enough, uploads that never ended, and whatever is in the backup.
func (s *scene) tidy() func(ctx context.Context) (bool, string) {
	return func(ctx context.Context) (bool, string) {
		gone, err := s.gone(s.callsMade())
		if err != nil {
			return false, err.Error()
		}
		isGone := map[string]bool{}
		for _, c := range gone {
			isGone[c.id] = true
		}
		left := 0
		for _, c := range s.callsMade() {
			if c.kind.outcome == record.StatusCompleted && c.kind.or == "" && s.aged.has(c.id) && !isGone[c.id] {
				left++
			}
		}
		home, err := s.home.srv.Uploads(ctx)
		backup, backupErr := s.backup.srv.Uploads(ctx)
		objects, listErr := s.backup.objects()
		return left == 0 && len(home)+len(backup)+len(objects) == 0 && errors.Join(err, backupErr, listErr) == nil,
			fmt.Sprintf("legs of %d calls, %d and %d uploads, %d objects in the backup: %v", left, len(home), len(backup), len(objects), errors.Join(err, backupErr, listErr))
	}
}

// objects are the keys of the bucket, by its server's files.
func (b *bucket) objects() (keys []string, err error) {
	err = filepath.WalkDir(b.srv.Dir, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil && os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case d.IsDir() && d.Name() == gatewayTemp:
			return filepath.SkipDir
		case !d.IsDir():
			key, err := filepath.Rel(b.srv.Dir, path)
			keys = append(keys, key)
			return err
		}
		return nil
	})
	return keys, err
}

// gatewayTemp is where the S3 gateway keeps parts of uploads, in the bucket's directory.
const gatewayTemp = ".sgwtmp"
