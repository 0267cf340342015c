package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage"
)

// inVersion sees that all that tells of the recording has that version: the bucket, the
// result, the manifest, the call, and the last event.
func (a *archive) inVersion(t *testing.T, id string, version int) {
	t.Helper()
	r := a.made(t, id)
	require.Equal(t, version, r.Version())
	mark := fmt.Sprintf(".v%d.", version)
	require.Contains(t, r.Manifest.Key, mark)
	require.Contains(t, r.Manifest.URL, mark)
	in, err := a.home.Open(t.Context(), r.Manifest.Key)
	require.NoError(t, err)
	manifest, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	for i := range r.Outputs {
		require.Contains(t, r.Outputs[i].Key, mark)
		require.Contains(t, r.Outputs[i].URL, mark)
		require.True(t, bytes.Contains(manifest, []byte(r.Outputs[i].Key)), "the manifest names %s", r.Outputs[i].Key)
	}
	for _, o := range there(t, a.home) {
		if k, ours := record.ParseObjectKey(o.Key); ours && string(k.RecordingID) == id {
			require.Equal(t, version, k.Version, o.Key)
		}
	}
	c, err := a.db.Call(t.Context(), "acme", callmodel.CallID(id))
	require.NoError(t, err)
	require.Equal(t, r.URL(), c.Recordings[0].URL)
}

// redactOnce redacts a range of everybody.
func (a *archive) redactOnce(t *testing.T, id string, from time.Duration) *ledger.Job {
	t.Helper()
	r, err := erasure.RedactionJob(a.job(t, record.Kind, id), []record.Redaction{{From: from, To: from + time.Second}}, "a card number", "ann")
	require.NoError(t, err)
	a.enqueue(t, r)
	return a.job(t, retention.KindRedact, r.Key)
}

// A version's number is never another version's, however often a recording is redacted, and
// all its objects have it, also where something has taken the key of one.
func TestVersionsAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newArchive(t, dir, fileURL(filepath.Join(dir, "bucket")))
	a.ended(t, "c1", archived...)
	a.work(t)
	a.inVersion(t, "c1", 1)
	for i, version := range []int{2, 3, 5, 6} {
		if version == 5 { // version 4 of an output is a killed worker's
			k, ok := record.ParseObjectKey(a.made(t, "c1").Outputs[1].Key)
			require.True(t, ok)
			_, err := a.home.Put(t.Context(), k.Next(), record.ObjectMeta{}, func(w io.Writer) error {
				_, err := io.WriteString(w, "something else")
				return err
			})
			require.NoError(t, err)
		}
		if version == 3 {
			require.NoError(t, os.RemoveAll(filepath.Join(a.legs, "c1")))
		}
		a.redactOnce(t, "c1", time.Duration(2+3*i)*time.Second)
		a.work(t)
		a.inVersion(t, "c1", version)
	}
	list, err := a.db.Erasures(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, list, 4)
	gone := map[string]bool{}
	for i := range list {
		for _, o := range list[i].Objects {
			require.False(t, gone[o.Key], "%s was destroyed twice", o.Key)
			gone[o.Key] = true
		}
	}
	require.Empty(t, a.mismatches(t).Found)

	events, err := a.db.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	for _, e := range events {
		if e.Type != outbox.RecordingRedacted {
			continue
		}
		var body struct{ Erasure retention.Erasure }
		require.NoError(t, json.Unmarshal(e.Body, &body))
		for _, o := range body.Erasure.Objects {
			require.True(t, gone[o.Key])
		}
	}
}

// killedBucket is one whose process dies when the object of that ending is put.
type killedBucket struct {
	*storage.Store

	ending string
}

func (b killedBucket) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if strings.HasSuffix(key.String(), b.ending) {
		return record.ObjectInfo{}, callmodel.Errorf(callmodel.CodeUnavailable, "killed before %s", key)
	}
	return b.Store.Put(ctx, key, m, write)
}

// A redaction that is killed while it makes its objects makes the same version when it is
// done again, and no other.
func TestKilledRedactionKeepsItsVersion(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{".flac", ".peaks.json", ".manifest.json"} {
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := newArchive(t, dir, fileURL(filepath.Join(dir, "bucket")))
			a.ended(t, "c1", archived...)
			a.work(t)
			a.redactOnce(t, "c1", 2*time.Second)
			a.work(t)
			a.redactOnce(t, "c1", 5*time.Second)
			library := stored.NewLibrary(a.db, killedBucket{a.home, ending})
			e, err := lifecycle.NewEraser(a.db, lifecycle.EraserOptions{
				Buckets: []lifecycle.Bucket{a.home}, Legs: a.dir, Redactor: stored.NewRedactor(library, a.dir, &stored.TranscodeOptions{TempDir: t.TempDir()}),
			})
			require.NoError(t, err)
			leases, err := a.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{retention.KindRedact}, TTL: time.Minute})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			_, err = e.Kinds()[1].Do(t.Context(), &task.Job{Job: leases[0].Job, Token: leases[0].Token})
			require.ErrorContains(t, err, "killed before")
			require.NoError(t, a.db.Release(t.Context(), leases[0]))
			a.work(t)
			a.inVersion(t, "c1", 3)
		})
	}
}
