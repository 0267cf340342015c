package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// verifyPlace is what a directory of a comparison says of how far it has come.
type verifyPlace struct {
	Phase string `json:"phase"`
	Home  struct {
		Key string `json:"key"`
	} `json:"home"`
	Report reconcile.Report `json:"report"`
}

var verifyPhases = []string{"", "calls", "jobs", "objects", "backup", "legs", "done"}

// before reports whether p is less far than o.
func (p *verifyPlace) before(o *verifyPlace) bool {
	x, y := slices.Index(verifyPhases, p.Phase), slices.Index(verifyPhases, o.Phase)
	return x < y || x == y && p.Home.Key < o.Home.Key
}

func readPlace(t *testing.T, dir string) (p verifyPlace) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "position.json"))
	if errors.Is(err, os.ErrNotExist) {
		return p
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &p), "a position is whole, whenever the process was killed: %s", b)
	return p
}

// A comparison whose process is killed, again and again, goes on each time where it was, and
// comes to what one comes to that nobody stops.
func TestVerifyIsKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	const recordings = 2_000 // each an object and a manifest
	at, objects := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db")), t.TempDir()
	bucket := service.FileURL(objects)
	db := openLedger(t, at)
	store, err := storage.Open(t.Context(), bucket, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	const text = "a recording"
	for i := range recordings {
		s := storetest.Spec(fmt.Sprintf("call-%05d", i*7919%recordings)) // not in the order of the keys
		res := storetest.Result(string(s.RecordingID))
		key, manifest := s.Key(s.Outputs[0]).String(), s.ManifestKey().String()
		res.Outputs[0].Key, res.Outputs[0].Bytes = key, int64(len(text))
		res.Manifest = &record.ManifestResult{Key: manifest, Bytes: int64(len(text)), URL: store.URL(manifest)}
		_, _, err := db.Adopt(t.Context(), storetest.RequestOf(s), storetest.Outcome(res))
		require.NoError(t, err)
		for _, k := range []string{key, manifest} {
			if i%500 == 7 && k == key {
				continue // missing
			}
			name := store.LocalPath(k)
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
			require.NoError(t, os.WriteFile(name, []byte(text[:len(text)-i%2]), 0o600)) // every other one is too short
		}
	}

	dir := t.TempDir()
	args := []string{"verify", "--db", at, "--bucket", bucket, "--dir", dir, "--json"}
	var killed []verifyPlace
	var began time.Time
	for {
		require.Less(t, len(killed), 200)
		last := readPlace(t, dir)
		if len(killed) > 0 {
			require.False(t, last.before(&killed[len(killed)-1]), "it goes on where it was: %v", last)
			require.True(t, began.IsZero() || last.Report.BegunAt.Equal(began), "it is one comparison")
			began = last.Report.BegunAt
		}
		var out strings.Builder
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asCommand+"=1")
		cmd.Stdout, cmd.Stderr = &out, os.Stderr
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		look := time.NewTicker(time.Millisecond)
		done := false
		for !done {
			select {
			case <-ended:
				done = true
			case <-look.C:
				now := readPlace(t, dir)
				if !last.before(&now) || now.Phase == "done" {
					continue
				}
				require.NoError(t, cmd.Process.Kill())
				<-ended
				killed, done = append(killed, readPlace(t, dir)), true
				out.Reset()
				if killed[len(killed)-1].Phase == "done" { // it came to its end before the signal came
					killed, began = nil, time.Time{}
					require.NoError(t, os.RemoveAll(dir))
					require.NoError(t, os.Mkdir(dir, 0o750))
				}
			}
		}
		look.Stop()
		if out.Len() == 0 {
			continue
		}
		var got, whole verifyOutput
		require.NoError(t, json.Unmarshal([]byte(out.String()), &got), out.String())
		code, text, errs := run(t, "verify", "--db", at, "--bucket", bucket, "--json")
		require.Equal(t, 1, code, errs)
		require.NoError(t, json.Unmarshal([]byte(text), &whole))
		assert.Equal(t, began.UTC(), got.Report.BegunAt.UTC())
		got.Report.BegunAt = whole.Report.BegunAt
		assert.Equal(t, whole, got)
		assert.EqualValues(t, recordings/500, whole.Report.Found[reconcile.ObjectMissing])
		assert.EqualValues(t, recordings-recordings/500, whole.Report.Found[reconcile.ObjectDiffers])
		break
	}
	t.Logf("killed %d times", len(killed))
	inObjects := 0
	for i := range killed {
		if killed[i].Phase == "objects" && killed[i].Home.Key != "" {
			inObjects++
		}
	}
	assert.Positive(t, inObjects, "it was killed in the middle of the objects")
}
