package recording_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

var errStore = errors.New("503 slow down")

// failing is a store that fails after so many bytes of one key.
type failingStore struct {
	memObjects

	after int
}

func (f *failingStore) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if key.Name == "bad" {
		return record.ObjectInfo{}, write(&limitedWriter{f.after})
	}
	return f.memObjects.Put(ctx, key, m, write)
}

type limitedWriter struct{ left int }

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errStore
	}
	return len(p), nil
}

// A store or a leg that fails ends the whole recording with its error, every
// goroutine, and the other outputs without a commit.
func TestFailuresEndEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	spec := sampleSpec()
	spec.Outputs = append(spec.Outputs, record.OutputSpec{Name: "bad", Codec: record.CodecWAV, Layout: record.LayoutMono})
	for _, after := range []int{0, 10, 100000, 700000} {
		objects := &failingStore{after: after}
		_, err := recording.NewProcessor(sampleLegs(), objects, nil).Process(t.Context(), spec, nil)
		require.ErrorIs(t, err, errStore)
		require.ErrorContains(t, err, `"bad" (wav)`)
	}
	_, err := recording.NewProcessor(brokenLegs{sampleLegs()}, &memObjects{}, nil).Process(t.Context(), spec, nil)
	require.ErrorIs(t, err, errStore)
	require.ErrorContains(t, err, `leg "customer"`)
	ctx, cancel := context.WithCancel(t.Context())
	objects := &memObjects{}
	_, err = recording.NewProcessor(sampleLegs(), objects, nil).Process(ctx, spec,
		&recording.ProcessOptions{Progress: func(done, _ int64) {
			if done > 100000 {
				cancel()
			}
		}})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, objects.data)
	// Six recordings failed; Eventually has a goroutine of its own.
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 30*time.Second, time.Millisecond)
}

type brokenLegs struct{ memLegs }

func (b brokenLegs) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	r, err := b.memLegs.OpenLeg(ctx, uri)
	if uri == "customer.wav" {
		f, _ := r.(memFile)
		return &brokenFile{memFile: f}, err
	}
	return r, err
}

type brokenFile struct {
	memFile

	read int
}

func (b *brokenFile) Read(p []byte) (int, error) {
	if b.read > 300000 {
		return 0, errStore
	}
	n, err := b.memFile.Read(p)
	b.read += n
	return n, err
}

// impatientStore gives up while its write still runs.
type impatientStore struct{ ended chan error }

func (s *impatientStore) Put(_ context.Context, _ record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	began := make(chan struct{})
	go func() { s.ended <- write(&beginning{began: began}) }()
	<-began
	return record.ObjectInfo{}, errStore
}

// beginning is a writer that tells of its first bytes.
type beginning struct {
	began chan struct{}
	once  sync.Once
}

func (w *beginning) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.began) })
	return len(p), nil
}

// If a store gives up, its error ends the recording, and the legs aren't read any
// more.
func TestStoreThatGivesUp(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := &impatientStore{ended: make(chan error, 1)}
		_, err := recording.NewProcessor(sampleLegs(), s, nil).Process(t.Context(), sampleSpec(), nil)
		require.ErrorIs(t, err, errStore)
		<-s.ended // its write ends, too
	}
}
