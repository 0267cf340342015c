package shadow_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/shadow"
	"github.com/switchtape/switchtape/storage"
)

// stored is a recording that is done, with its legs.
type stored struct {
	legs   string
	store  *storage.Store
	spec   record.Spec
	result record.Result
}

func recorded(t *testing.T) *stored {
	t.Helper()
	s := &stored{legs: t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(s.legs, "agent.wav"), samplecall.Agent(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(s.legs, "customer.wav"), samplecall.Customer(), 0o600))
	var err error
	s.store, err = storage.Open(t.Context(), "file://"+t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.spec = record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: start,
		Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav"), record.NewLeg("customer", "customer.wav")},
		Outputs: []record.OutputSpec{
			{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000, SampleRateHz: 16000},
			{Codec: record.CodecFLAC, Layout: record.LayoutStereo},
		},
	}
	s.result = s.process(t, s.spec)
	return s
}

func (s *stored) process(t *testing.T, spec record.Spec) record.Result {
	t.Helper()
	r, err := recording.NewProcessor(local.NewDir(s.legs), s.store, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompleted, r.Status)
	return r
}

func (s *stored) compare(t *testing.T) shadow.Report {
	t.Helper()
	temp := t.TempDir()
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r, err := shadow.Compare(t.Context(), local.NewDir(s.legs), s.store, &s.spec, &s.result, shadow.Options{
		TempDir: temp, Now: func() time.Time { clock = clock.Add(time.Second); return clock },
	})
	require.NoError(t, err)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is kept")
	return r
}

func TestSame(t *testing.T) {
	t.Parallel()
	s := recorded(t)
	r := s.compare(t)
	assert.Equal(t, shadow.Same, r.Status, "%+v", r)
	assert.Len(t, r.Outputs, 2)
	assert.Equal(t, time.Second, r.Elapsed)
	assert.Equal(t, s.result.Duration, r.Audio)
}

// What another encoder made is measured against what this one makes.
func TestDiffers(t *testing.T) {
	t.Parallel()
	s := recorded(t)
	other := s.spec
	other.RecordingID = "c2"
	other.Outputs = append([]record.OutputSpec(nil), s.spec.Outputs...)
	other.Outputs[0].BitrateBps = 24000
	was := s.process(t, other)
	was.Outputs[0].Encoder = "another/1"
	s.result.Outputs[0] = was.Outputs[0]
	r := s.compare(t)
	assert.Equal(t, shadow.Differs, r.Status)
	mp3, flac := r.Outputs[0], r.Outputs[1]
	assert.False(t, mp3.Same)
	assert.Empty(t, mp3.Problem)
	assert.Equal(t, "another/1", mp3.Before.Encoder)
	assert.Greater(t, mp3.SNRdB, 5.0)
	assert.Less(t, mp3.SNRdB, 60.0)
	assert.Positive(t, mp3.MaxDifference)
	assert.True(t, flac.Same)

	require.NoError(t, os.Remove(s.store.LocalPath(was.Outputs[0].Key)))
	r = s.compare(t)
	assert.Equal(t, shadow.Differs, r.Status)
	assert.Contains(t, r.Outputs[0].Problem, "reading")

	s.result.Defects = []record.Defect{{Code: record.DefectLegMissing, Leg: "agent"}}
	assert.Contains(t, s.compare(t).Why, "its defects are")
	s.result.Outputs = s.result.Outputs[:1]
	assert.Contains(t, s.compare(t).Why, "2 outputs now and were 1")
}

// What can't be made again is no difference.
func TestSkipped(t *testing.T) {
	t.Parallel()
	s := recorded(t)
	made := s.result
	s.result = record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia}
	r := s.compare(t)
	assert.Equal(t, shadow.Skipped, r.Status)
	assert.Contains(t, r.Why, record.ReasonNoMedia)

	s.result = made
	require.NoError(t, os.WriteFile(filepath.Join(s.legs, "agent.wav"), samplecall.Customer(), 0o600))
	r = s.compare(t)
	assert.Equal(t, shadow.Skipped, r.Status)
	assert.Contains(t, r.Why, "leg agent is another one")
	require.NoError(t, os.Remove(filepath.Join(s.legs, "agent.wav")))
	r = s.compare(t)
	assert.Equal(t, shadow.Skipped, r.Status)
	assert.Contains(t, r.Why, "leg agent isn't here any more")
	require.NoError(t, os.RemoveAll(s.legs))
	r = s.compare(t)
	assert.Equal(t, shadow.Skipped, r.Status)
	assert.Contains(t, r.Why, "legs aren't here")
}

// A directory that can't be written is no difference either, but an error.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	s := recorded(t)
	_, err := shadow.Compare(t.Context(), local.NewDir(s.legs), s.store, &s.spec, &s.result, shadow.Options{TempDir: filepath.Join(t.TempDir(), "none"), Now: time.Now})
	require.ErrorContains(t, err, "shadow: ")
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = shadow.Compare(ended, local.NewDir(s.legs), s.store, &s.spec, &s.result, shadow.Options{Now: time.Now})
	require.ErrorIs(t, err, context.Canceled)
}

// broken is a bucket whose objects end in an error.
type broken struct{}

func (broken) Open(context.Context, string) (io.ReadCloser, error) {
	return nil, errors.New("the bucket is away")
}

func TestBucketIsAway(t *testing.T) {
	t.Parallel()
	s := recorded(t)
	s.result.Outputs[0].SHA256 = "another"
	r, err := shadow.Compare(t.Context(), local.NewDir(s.legs), broken{}, &s.spec, &s.result, shadow.Options{Now: time.Now})
	require.NoError(t, err)
	assert.Equal(t, shadow.Differs, r.Status)
	assert.Equal(t, "the bucket is away", r.Outputs[0].Problem)
}
