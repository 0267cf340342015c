package simulation

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/storage"
)

func jobsOf(k *known) ledger.Filter {
	return ledger.Filter{Kind: k.kind, CallID: callmodel.CallID(k.key)}
}

// settled reports whether all has come to its end.
func (w *world) settled() bool {
	return len(w.unsettled(1)) == 0
}

// unsettled is what hasn't come to its end, once there are so many.
func (w *world) unsettled(most int) (left []string) {
	for _, m := range w.queue.messages {
		if !m.acked {
			left = append(left, "message "+m.id)
		}
	}
	if w.sent < len(w.events) {
		left = append(left, "event "+w.events[w.sent])
	}
	for _, k := range w.jobs {
		if len(left) >= most {
			break
		}
		if k.state != "done" && k.state != "quarantined" {
			left = append(left, k.String()+" is "+k.state)
		}
		deletion := w.byName[lifecycle.KindDeleteLegs+"/"+k.key]
		if deletion != nil && deletion.state == "quarantined" {
			continue // who did it crashed three times: a person looks into that
		}
		if r := k.recorded; k.state == "done" && r != nil && r.Status == record.StatusCompleted {
			for _, uri := range w.left(k.key) {
				left = append(left, "leg "+uri)
			}
		}
	}
	slices.Sort(left)
	return left
}

// checkEnding holds the end of a run against the rules.
func (w *world) checkEnding(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	list, err := w.dbs["services"].Jobs(ctx, ledger.Filter{Limit: 1000})
	require.NoError(t, err)
	if len(list) != len(w.jobs) {
		w.fail("no job is lost", "there are %d, and there were %d", len(list), len(w.jobs))
	}
	for _, m := range w.queue.messages {
		_, letter := w.letters[m.id]
		job := m.job != "" && w.byName[record.Kind+"/"+m.job] != nil
		if job == (letter && m.job == "") || !job && !letter {
			w.fail("no job is lost", "of message %s there is a job: %v, a dead letter: %v", m.id, job, letter)
		}
	}
	for i := range list {
		w.checkOutcome(&list[i])
	}
	p := &process{world: w, name: "the end", died: make(chan struct{})}
	s, err := storage.Open(ctx, "sim://recordings", &storage.Options{Drivers: []storage.Driver{bucketDriver(p, nil)}})
	require.NoError(t, err)
	_, err = s.Sweep(ctx, time.Now())
	require.NoError(t, err)
	if n := len(w.bucket.uploads); n > 0 {
		w.fail("nothing is left of uploads", "%d are", n)
	}
	require.NoError(t, s.Close())
	files, err := os.ReadDir(w.dir)
	require.NoError(t, err)
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "ledger.db") && f.Name() != "finished" {
			w.fail("no file is left", "%s is", f.Name())
		}
	}
}

// checkOutcome holds a job at its end, and its call, against the bucket.
func (w *world) checkOutcome(j *ledger.Job) {
	if j.Kind != record.Kind {
		return
	}
	r, err := record.ResultOf(j)
	switch {
	case err != nil:
		w.fail("one of four outcomes", "%s: %v", j.Key, err)
		return
	case j.State == ledger.Done && (r == nil || r.Status == record.StatusQuarantined):
		w.fail("one of four outcomes", "%s is done without a result", j.Key)
		return
	case j.State == ledger.Done || j.Published:
		e := w.entries[j.Key]
		if e == nil || e.Status != r.Status || e.URL != r.URL() {
			w.fail("a call says what its job says", "%s: %s", j.Key, fmt.Sprint(e))
			return
		}
		if why := w.missing(r.Outputs, r.Manifest); why != "" {
			w.fail("an object is there, and is the ledger's, before its URL", "%s: %s", j.Key, why)
		}
	case w.entries[j.Key] == nil:
		w.fail("a call says what its job says", "%s was set aside, and the call doesn't say so", j.Key)
	}
	for _, uri := range w.legsOf(j.Key) {
		if w.files[uri].removed && (j.State != ledger.Done || r.Status != record.StatusCompleted) {
			w.fail("legs are never deleted early", "%s is gone, and %s is %s", uri, j.Key, j.State)
		}
	}
}

func (w *world) legsOf(job string) (uris []string) {
	for uri, f := range w.files {
		if f.job == job {
			uris = append(uris, uri)
		}
	}
	slices.Sort(uris)
	return uris
}

// outcomes counts the recordings by how they ended.
func (w *world) outcomes() map[string]int {
	n := map[string]int{}
	for _, k := range w.jobs {
		switch r := k.recorded; {
		case k.kind != record.Kind:
			n[k.kind+" "+k.state]++
		case k.state == "done" && r != nil:
			n[string(r.Status)]++
		default:
			n[k.state]++
		}
	}
	n["dead letters"] = len(w.letters)
	return n
}
