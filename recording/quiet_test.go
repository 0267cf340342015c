package recording_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// dirLegs are files in a directory.
type dirLegs string

func (d dirLegs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(d), uri))
}

// A file that was written to lately may be between two writes, even if it doesn't
// grow while it is read. It is waited for; or what it held is recorded, with a
// defect.
func TestQuietSince(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, b := range sampleLegs() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), at, at))
	}
	require.NoError(t, os.Chtimes(filepath.Join(dir, "customer.wav"), at, at.Add(time.Minute)))

	objects := &memObjects{}
	p := recording.NewProcessor(dirLegs(dir), objects, nil)
	_, err := p.Process(t.Context(), sampleSpec(), &recording.ProcessOptions{AcceptMissing: true, QuietSince: at})
	var notReady *recording.LegsNotReadyError
	require.ErrorAs(t, err, &notReady)
	require.Equal(t, []string{"customer"}, notReady.Growing)
	require.Empty(t, notReady.Legs)
	require.Empty(t, objects.data)

	for name, o := range map[string]*recording.ProcessOptions{
		"accepted":              {AcceptGrowing: true, QuietSince: at},
		"quiet for long enough": {QuietSince: at.Add(time.Minute)},
		"not asked":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := recording.NewProcessor(dirLegs(dir), &memObjects{}, nil).Process(t.Context(), sampleSpec(), o)
			require.NoError(t, err)
			if name != "accepted" {
				require.Equal(t, record.StatusCompleted, r.Status, r.Defects)
				return
			}
			require.Equal(t, record.StatusCompletedDegraded, r.Status)
			require.Len(t, r.Defects, 1)
			require.Equal(t, record.DefectLegGrowing, r.Defects[0].Code)
			require.Equal(t, "customer", r.Defects[0].Leg)
			require.Contains(t, r.Defects[0].Detail, "just before it was read")
		})
	}

	// A stream doesn't tell when it was written.
	_, err = recording.NewProcessor(streamLegs{sampleLegs()}, &memObjects{}, nil).Process(t.Context(), sampleSpec(), &recording.ProcessOptions{QuietSince: at})
	require.NoError(t, err)
}

// Of files that were just written, those that look cut, or like nothing yet, may be
// only a beginning. Those whose header says that they are whole are whole.
func TestCutQuietSince(t *testing.T) {
	t.Parallel()
	whole := samplecall.Customer()
	unfilled := bytes.Clone(whole)
	clear(unfilled[40:44])
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	o := &recording.ProcessOptions{AcceptMissing: true, CutQuietSince: at}
	for name, c := range map[string]struct {
		customer []byte
		growing  bool
	}{
		"whole":             {whole, false},
		"cut":               {whole[:30000], true},
		"its sizes unknown": {unfilled, true},
		"half of a header":  {whole[:30], true},
		"nothing known":     {whole[:3], true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, b := range map[string][]byte{"agent.wav": samplecall.Agent(), "customer.wav": c.customer} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), b, 0o600))
				require.NoError(t, os.Chtimes(filepath.Join(dir, file), at, at.Add(time.Second)))
			}
			objects := &memObjects{}
			_, err := recording.NewProcessor(dirLegs(dir), objects, nil).Process(t.Context(), sampleSpec(), o)
			if !c.growing {
				require.NoError(t, err)
				return
			}
			var notReady *recording.LegsNotReadyError
			require.ErrorAs(t, err, &notReady)
			require.Equal(t, []string{"customer"}, notReady.Growing)
			require.Empty(t, objects.data)

			accepting := *o
			accepting.AcceptGrowing = true
			r, err := recording.NewProcessor(dirLegs(dir), objects, nil).Process(t.Context(), sampleSpec(), &accepting)
			require.NoError(t, err)
			require.True(t, r.Has(record.DefectLegGrowing), r.Defects)

			require.NoError(t, os.Chtimes(filepath.Join(dir, "customer.wav"), at, at))
			r, err = recording.NewProcessor(dirLegs(dir), &memObjects{}, nil).Process(t.Context(), sampleSpec(), o)
			require.NoError(t, err)
			require.False(t, r.Has(record.DefectLegGrowing), r.Defects)
			require.Equal(t, record.StatusCompletedDegraded, r.Status, "it will grow no more, and that is what is wrong with it")
		})
	}
}

// A leg that is missing and one that is growing are two things to accept.
func TestMissingAndGrowingApart(t *testing.T) {
	t.Parallel()
	legs := func() recording.LegOpener {
		m := sampleLegs()
		delete(m, "agent.wav")
		return &growingLegs{memLegs: m, uri: "customer.wav", grown: map[string][]byte{"end": make([]byte, 1000)}}
	}
	for name, c := range map[string]struct {
		o                recording.ProcessOptions
		missing, growing []string
	}{
		"neither":     {recording.ProcessOptions{}, []string{"agent"}, nil}, // nothing was read that could have grown
		"the missing": {recording.ProcessOptions{AcceptMissing: true}, nil, []string{"customer"}},
		"the growing": {recording.ProcessOptions{AcceptGrowing: true}, []string{"agent"}, nil},
	} {
		_, err := recording.NewProcessor(legs(), &memObjects{}, nil).Process(t.Context(), sampleSpec(), &c.o)
		var notReady *recording.LegsNotReadyError
		require.ErrorAs(t, err, &notReady, name)
		require.Equal(t, c.missing, notReady.Legs, name)
		require.Equal(t, c.growing, notReady.Growing, name)
	}
	objects := &memObjects{}
	r, err := recording.NewProcessor(legs(), objects, nil).Process(t.Context(), sampleSpec(),
		&recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true, NewVersion: true})
	require.NoError(t, err)
	require.True(t, r.Has(record.DefectLegMissing) && r.Has(record.DefectLegGrowing), r.Defects)
	require.Len(t, objects.meta, 2)
	for key, m := range objects.meta {
		require.True(t, m.NewVersion, "%s: the store knows that it is a later version", key)
	}
}
