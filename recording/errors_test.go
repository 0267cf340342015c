package recording_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
)

// The error names the files that are missing or empty, and their legs.
func TestMissingFilesAreNamed(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Legs[0].Segments = append(spec.Legs[0].Segments,
		record.SegmentSpec{URI: "agent2.wav", Offset: time.Minute}, record.SegmentSpec{URI: "agent3.wav", Offset: 2 * time.Minute},
		record.SegmentSpec{URI: "agent4.wav", Offset: 3 * time.Minute}, record.SegmentSpec{URI: "agent5.wav", Offset: 4 * time.Minute})
	spec.EndedAt = time.Time{}
	legs := sampleLegs()
	legs["customer.wav"] = nil
	_, err := recording.NewProcessor(legs, &memObjects{}, nil).Process(t.Context(), spec, nil)
	var wait *recording.LegsNotReadyError
	require.ErrorAs(t, err, &wait)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, []string{"agent", "customer"}, wait.Legs)
	require.Len(t, wait.Files, 5)
	require.Equal(t, "agent5.wav", wait.Files[3].URI)
	require.ErrorIs(t, wait.Files[3].Err, fs.ErrNotExist)
	require.Equal(t, recording.LegFile{Leg: "customer", URI: "customer.wav"}, wait.Files[4])
	require.EqualError(t, err, `recording: no audio yet of leg agent (no file "agent2.wav", no file "agent3.wav", no file "agent4.wav", and 1 more), `+
		`customer (file "customer.wav" is empty)`)
}

// Long names don't make long errors.
func TestLongNamesAreCut(t *testing.T) {
	t.Parallel()
	e := &recording.LegsNotReadyError{
		Legs:  []string{"agent"},
		Files: []recording.LegFile{{Leg: "agent", URI: strings.Repeat("x/", 2000) + "agent.wav", Err: fs.ErrNotExist}},
	}
	require.Contains(t, e.Error(), `x/agent.wav"`)
	require.Less(t, len(e.Error()), 300)
}

// Legs that are only empty, or growing, are there.
func TestEmptyLegsExist(t *testing.T) {
	t.Parallel()
	legs := sampleLegs()
	legs["agent.wav"] = nil
	_, err := recording.NewProcessor(legs, &memObjects{}, nil).Process(t.Context(), sampleSpec(), nil)
	require.EqualError(t, err, `recording: no audio yet of leg agent (file "agent.wav" is empty)`)
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, &recording.LegsNotReadyError{Growing: []string{"agent"}}, fs.ErrNotExist)
}

// opener opens legs by a function.
type opener func(uri string) (io.ReadCloser, error)

func (o opener) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) { return o(uri) }

// Errors of opening and reading name the leg and the file, and hold their cause.
func TestErrorsOfFiles(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	for name, c := range map[string]struct {
		open opener
		want error
		text string
	}{
		"open": {
			func(uri string) (io.ReadCloser, error) {
				return nil, &fs.PathError{Op: "open", Path: uri, Err: fs.ErrPermission}
			},
			fs.ErrPermission, `recording: open leg "agent", file "agent.wav": open agent.wav: permission denied`,
		},
		"read": {
			func(string) (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil },
			broken, `recording: read leg "agent", file "agent.wav": the disk is broken`,
		},
	} {
		_, err := recording.NewProcessor(c.open, &memObjects{}, nil).Process(t.Context(), sampleSpec(), nil)
		require.ErrorIs(t, err, c.want, name)
		require.EqualError(t, err, c.text, name)
		var away *recording.LegsAwayError
		require.ErrorAs(t, err, &away, name)
		require.Equal(t, "agent", away.Leg)
		require.Equal(t, "agent.wav", away.URI)
	}
}

// What isn't the place's fault isn't said to be.
func TestPlaceIsNotAway(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var away *recording.LegsAwayError
	for name, c := range map[string]struct {
		ctx  context.Context
		open opener
	}{
		"no file":      {t.Context(), func(string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }},
		"no such name": {t.Context(), func(string) (io.ReadCloser, error) { return nil, callmodel.Permanent(fs.ErrInvalid) }},
		"ended":        {ended, func(string) (io.ReadCloser, error) { return nil, context.Canceled }},
	} {
		_, err := recording.NewProcessor(c.open, &memObjects{}, nil).Process(c.ctx, sampleSpec(), nil)
		require.Error(t, err, name)
		require.NotErrorAs(t, err, &away, name)
	}
}

// errReaderAt is a file of which only the beginning can be read.
type errReaderAt struct {
	memFile

	err error
}

func (e errReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off > 1000 {
		return 0, e.err
	}
	return e.memFile.ReadAt(p, off)
}

// A decoder that looks ahead and meets a broken disk doesn't take the file for one
// that ends there.
func TestFailedLookAheadIsNoDefect(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	whole := sampleLegs()["agent.wav"]
	damaged := append([]byte(nil), whole...)
	copy(damaged[40:44], []byte{0xff, 0xff, 0xff, 0xff}) // the data's size isn't known: what follows is looked at
	legs := opener(func(string) (io.ReadCloser, error) {
		return errReaderAt{memFile{bytes.NewReader(damaged)}, broken}, nil
	})
	_, err := recording.NewProcessor(legs, &memObjects{}, nil).Process(t.Context(), sampleSpec(), nil)
	require.ErrorIs(t, err, broken)
	var away *recording.LegsAwayError
	require.ErrorAs(t, err, &away)
}

// A file that goes away before it is read is the error of opening it.
func TestFileGoesAway(t *testing.T) {
	t.Parallel()
	legs := sampleLegs()
	opened := map[string]int{}
	spec := sampleSpec()
	spec.Legs[0].Segments = append(spec.Legs[0].Segments, record.SegmentSpec{URI: "customer.wav", Offset: time.Minute})
	spec.EndedAt = time.Time{}
	spec.Legs = spec.Legs[:1]
	_, err := recording.NewProcessor(opener(func(uri string) (io.ReadCloser, error) {
		if opened[uri]++; opened[uri] > 1 {
			return nil, fs.ErrNotExist
		}
		return legs.OpenLeg(t.Context(), uri)
	}), &memObjects{}, nil).Process(t.Context(), spec, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, `open leg "agent", file "agent.wav"`)
	var wait *recording.LegsNotReadyError
	require.NotErrorAs(t, err, &wait, "it was there")
}

// Check works without a Processor, and a spec of local files without ids or a
// start.
func TestCheckAndDefaults(t *testing.T) {
	t.Parallel()
	spec := record.Spec{Legs: sampleSpec().Legs, Outputs: []record.OutputSpec{{Codec: record.CodecWAV}}}
	require.NoError(t, recording.Check(spec, nil))
	objects := &memObjects{}
	r, err := recording.NewProcessor(sampleLegs(), objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, "local/year=1970/month=01/day=01/hour=00/call/call.v1.wav", r.Outputs[0].Key)
	require.Equal(t, record.LayoutStereo, r.Outputs[0].Layout)

	var faults callmodel.FieldErrors
	require.ErrorAs(t, recording.Check(spec, &codec.Registry{}), &faults)
	require.Equal(t, "outputs[0].codec", faults[0].Path)
	spec.Legs = nil
	require.ErrorAs(t, recording.Check(spec, nil), &faults)
	require.Equal(t, "legs", faults[0].Path)
}
