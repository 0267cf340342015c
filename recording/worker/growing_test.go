package worker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/storetest"
)

// recorder is a telephone server that goes on writing a leg, a bit more whenever
// somebody reads it, until it is whole; then it fills in the header's sizes.
type recorder struct {
	path  string
	whole []byte
	parts int
	asked chan chan error
	rest  atomic.Bool // the next bit is all that is left
	idle  atomic.Bool // there is no next bit
}

// begin puts the leg's beginning in dir, with a header that has no sizes yet, and
// writes on until the test ends.
func begin(t *testing.T, dir string, whole []byte, parts int) *recorder {
	t.Helper()
	r := &recorder{path: filepath.Join(dir, "agent.wav"), whole: whole, parts: parts, asked: make(chan chan error)}
	begun := bytes.Clone(whole[:begunBytes])
	binary.LittleEndian.PutUint32(begun[4:], 0)
	binary.LittleEndian.PutUint32(begun[40:], 0)
	require.NoError(t, os.WriteFile(r.path, begun, 0o600))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go r.write(ctx)
	t.Cleanup(stop)
	return r
}

// endless is a leg that no test sees the end of.
func endless() []byte {
	whole := make([]byte, 1<<22)
	copy(whole, samplecall.Agent()[:begunBytes])
	return whole
}

const (
	wavHeaderBytes = 44
	begunBytes     = wavHeaderBytes + 16000 // of the file, when the job is taken
)

// write appends to the file until ctx ends.
func (r *recorder) write(ctx context.Context) {
	written := begunBytes
	for {
		select {
		case <-ctx.Done():
			return
		case done := <-r.asked:
			end := min(written+len(r.whole)/r.parts, len(r.whole))
			switch {
			case r.idle.Load():
				end = written
			case r.rest.Load():
				end = len(r.whole)
			}
			done <- r.add(written, end)
			written = end
		}
	}
}

func (r *recorder) add(from, to int) error {
	if from == to {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(r.whole[from:to], int64(from)); err != nil {
		return err
	}
	if to == len(r.whole) {
		_, err = f.WriteAt(r.whole[:wavHeaderBytes], 0)
	}
	return err
}

// OpenLeg opens a file beside the one that is written, or that one, which has
// become longer by the first read of its audio.
func (r *recorder) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	path := filepath.Join(filepath.Dir(r.path), uri)
	f, err := os.Open(path)
	if path != r.path {
		return f, err
	}
	return &watched{File: f, r: r}, err
}

type watched struct {
	*os.File

	r    *recorder
	once sync.Once
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.File.Read(p)
	w.once.Do(func() {
		done := make(chan error)
		w.r.asked <- done
		if bad := <-done; bad != nil {
			err = bad
		}
	})
	return n, err
}

// bucket keeps the objects that are put.
type bucket struct {
	mu   sync.Mutex
	puts [][]byte
}

func (b *bucket) Put(_ context.Context, k record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return record.ObjectInfo{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts = append(b.puts, buf.Bytes())
	return record.ObjectInfo{Key: k, URL: "mem://" + k.String()}, nil
}

// A leg that is still being written when its job is taken is recorded once, when
// it is whole; at the deadline what is there is, and that it was growing is said.
func TestGrowingLegIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait  time.Duration
		parts int
	}{
		"it is finished":  {time.Hour, 5},
		"it never is one": {300 * time.Millisecond, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := samplecall.Agent()
			if c.parts > 100 {
				whole = endless()
			}
			r := begin(t, t.TempDir(), whole, c.parts)

			q, objects := jobLedger(t), &bucket{}
			o := options()
			o.MissingLegWait, o.FollowGrowing, o.Quiet = c.wait, -1, 20*time.Millisecond
			id := enqueue(t, q, 1)[0]
			start(t, worker.New(q, recording.NewProcessor(r, objects, nil), o))
			j := waitState(t, q, id, ledger.Done)
			assert.Zero(t, j.Attempts, "waiting doesn't count")
			made := storetest.ResultOf(t, &j)
			require.NotNil(t, made)
			require.Len(t, objects.puts, 2, "a recording and its manifest: nothing is put before the leg is whole")
			if c.parts > 100 {
				require.Equal(t, record.StatusCompletedDegraded, made.Status)
				require.Equal(t, record.DefectLegGrowing, made.Defects[len(made.Defects)-1].Code)
				return
			}
			require.Equal(t, record.StatusCompleted, made.Status, made.Defects)
			require.EqualValues(t, samplecall.AgentFrames, made.Outputs[0].Frames)
			require.Equal(t, whole[wavHeaderBytes:], objects.puts[0][wavHeaderBytes:])
		})
	}
}

// A leg that is cut and was just written to is waited for, though nothing is added
// to it while it is read; one that nobody writes to any more is what it is.
func TestCutLegIsWaitedForWhileItIsNew(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]bool{"the rest comes": true, "it was all": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, whole := t.TempDir(), samplecall.Agent()
			path := filepath.Join(dir, "agent.wav")
			require.NoError(t, os.WriteFile(path, whole[:begunBytes], 0o600))

			q, objects := jobLedger(t), &bucket{}
			id := enqueue(t, q, 1)[0]
			turns := make(chan worker.Outcome)
			o := options()
			o.MissingLegWait, o.Quiet, o.LeaseTTL = time.Hour, 30*time.Minute, time.Minute
			o.Finished = func(r worker.Report) { turns <- r.Outcome }
			var log logBuffer
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			start(t, worker.New(q, recording.NewProcessor(&recorder{path: filepath.Join(dir, "other")}, objects, nil), o))
			for range 3 {
				require.Equal(t, worker.Waiting, <-turns)
			}
			require.Equal(t, 1, strings.Count(log.String(), "recording waits"), "what it waits for is said once: %s", &log)
			if rest {
				require.NoError(t, os.WriteFile(path, whole, 0o600))
			}
			long := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(path, long, long))
			out := worker.Waiting
			for out == worker.Waiting { // a turn may have begun before
				out = <-turns
			}
			require.Equal(t, worker.Done, out)
			j := waitState(t, q, id, ledger.Done)
			made := storetest.ResultOf(t, &j)
			require.Len(t, objects.puts, 2, "a recording and its manifest")
			if rest {
				require.Equal(t, record.StatusCompleted, made.Status, made.Defects)
				require.Equal(t, whole[wavHeaderBytes:], objects.puts[0][wavHeaderBytes:])
				return
			}
			require.Equal(t, record.StatusCompletedDegraded, made.Status)
			require.Equal(t, record.DefectTruncated, made.Defects[0].Code)
			require.False(t, made.Has(record.DefectLegGrowing))
		})
	}
}
