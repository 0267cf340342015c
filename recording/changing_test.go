package recording_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// changing is a leg whose file has changed since it was opened: it says it has size
// bytes, and holds others.
type changing struct {
	*bytes.Reader

	size int64
}

func (c changing) Size() int64 { return c.size }

func (changing) Close() error { return nil }

// unseekable hides what a file can do beyond being read.
type unseekable struct {
	io.Reader

	size int64
}

func (u unseekable) Size() int64 { return u.size }

func (unseekable) Close() error { return nil }

type changingLegs struct {
	memLegs

	file func() io.ReadCloser // of the customer
}

func (c changingLegs) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	if uri == "customer.wav" {
		return c.file(), nil
	}
	return c.memLegs.OpenLeg(ctx, uri)
}

// requireGrowing checks that the recording isn't made, as the customer's leg is
// still being written.
func requireGrowing(t *testing.T, p *recording.Processor, spec record.Spec, objects *memObjects) {
	t.Helper()
	_, err := p.Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: true})
	var notReady *recording.LegsNotReadyError
	require.ErrorAs(t, err, &notReady)
	require.Equal(t, []string{"customer"}, notReady.Growing)
	require.Empty(t, notReady.Legs)
	require.ErrorContains(t, err, "still growing: the file of leg customer")
	require.Empty(t, objects.data, "nothing is put")
}

// A file that grows while it is read is waited for. When the wait is over, what it
// held at first is recorded. Of a file that shrinks, all that is left is recorded.
func TestLegsThatChangeWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	const frames = 20000
	whole := pcmFile(t, 8000, recordingtest.Noise(frames, 0.5, 1))
	more := append(slices.Clone(whole), make([]byte, 5000)...)
	const kept = 12345 // bytes, so half a frame is left
	less := whole[:44+kept]
	for name, c := range map[string]struct {
		file   func() io.ReadCloser
		held   []byte // what is hashed
		frames int    // that are audio
		code   record.DefectCode
	}{
		"grows": {
			func() io.ReadCloser { return changing{bytes.NewReader(more), int64(len(whole))} }, whole, frames, record.DefectLegGrowing,
		},
		"grows, a stream": {
			func() io.ReadCloser { return unseekable{bytes.NewReader(more), int64(len(whole))} }, whole, frames, record.DefectLegGrowing,
		},
		"shrinks": {
			func() io.ReadCloser { return changing{bytes.NewReader(less), int64(len(whole))} }, less, kept / 2, record.DefectTruncated,
		},
		"shrinks, a stream": {
			func() io.ReadCloser { return unseekable{bytes.NewReader(less), int64(len(whole))} }, less, kept / 2, record.DefectTruncated,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs := changingLegs{memLegs{"agent.wav": pcmFile(t, 8000, recordingtest.Noise(frames, 0.5, 2))}, c.file}
			spec := sampleSpec()
			spec.Legs[1].Segments[0].Offset = 0
			spec.Span = frames * time.Second / 8000
			objects := &memObjects{}
			p := recording.NewProcessor(legs, objects, nil)
			if c.code == record.DefectLegGrowing {
				requireGrowing(t, p, spec, objects)
			}
			r, err := p.Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
			require.NoError(t, err)
			require.Equal(t, record.StatusCompletedDegraded, r.Status)
			require.NotEmpty(t, r.Defects)
			for _, d := range r.Defects {
				require.Equal(t, c.code, d.Code, "%+v", d)
				require.Equal(t, "customer", d.Leg)
			}
			sum := sha256.Sum256(c.held)
			require.Equal(t, hex.EncodeToString(sum[:]), r.Legs[1].SHA256, "the hash is of what was read")
			got, want := pcmSamples(objects.data[r.Outputs[0].Key]), pcmSamples(whole)
			require.Len(t, got, 2*frames)
			for i := range frames {
				if i >= c.frames {
					want[i] = 0
				}
				require.Equal(t, want[i], got[2*i+1], "frame %d", i)
			}
		})
	}
}

// growingLegs are legs of which one becomes longer each time it is opened, or
// once it has been read.
type growingLegs struct {
	memLegs

	uri   string
	grown map[string][]byte // by name of the moment: "open" or "end"
}

func (g *growingLegs) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	r, err := g.memLegs.OpenLeg(ctx, uri)
	if uri != g.uri {
		return r, err
	}
	if more := g.grown["open"]; more != nil {
		g.memLegs[uri] = append(slices.Clone(g.memLegs[uri]), more...)
	}
	f, _ := r.(memFile)
	return &growsAtEnd{memFile: f, more: g.grown["end"]}, err
}

// growsAtEnd is a file that goes on when its end has been met twice.
type growsAtEnd struct {
	memFile

	more []byte
	ends int
}

func (g *growsAtEnd) Read(p []byte) (int, error) {
	n, err := g.memFile.Read(p)
	if err == io.EOF { //nolint:errorlint // io.Reader's contract
		if g.ends++; g.ends > 1 && len(g.more) > 0 {
			return 1, nil
		}
	}
	return n, err
}

// A growing file is noticed however and whenever it grows: in segments that are
// opened again, out of order, with a header that has no sizes yet, and after all
// has been read. If growing legs are accepted, what it held at first is recorded.
func TestGrowingLegs(t *testing.T) {
	t.Parallel()
	first := pcmFile(t, 8000, recordingtest.Noise(8000, 0.5, 1))
	noSizes := slices.Clone(first)
	copy(noSizes[4:8], []byte{0, 0, 0, 0})
	copy(noSizes[40:44], []byte{0, 0, 0, 0})
	more := make([]byte, 3000)
	for name, c := range map[string]struct {
		file     []byte
		moment   string
		segments []record.SegmentSpec
		defects  []record.DefectCode
	}{
		"the second of two": {
			first, "open",
			[]record.SegmentSpec{{URI: "other"}, {URI: "grows", Offset: ms(1000)}},
			[]record.DefectCode{record.DefectLegGrowing},
		},
		"out of order": {
			first, "open",
			[]record.SegmentSpec{{URI: "grows", Offset: ms(1000)}, {URI: "other"}},
			[]record.DefectCode{record.DefectLegGrowing},
		},
		"a header without sizes": {
			noSizes, "open",
			[]record.SegmentSpec{{URI: "other"}, {URI: "grows", Offset: ms(1000)}},
			[]record.DefectCode{record.DefectHeaderRepaired, record.DefectLegGrowing},
		},
		"after it was read": {
			first, "end",
			[]record.SegmentSpec{{URI: "grows", Offset: ms(1000)}},
			[]record.DefectCode{record.DefectLegGrowing},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := sampleSpec()
			spec.Legs[1].Segments = c.segments
			open := func() recording.LegOpener {
				return &growingLegs{
					memLegs: memLegs{
						"agent.wav": pcmFile(t, 8000, recordingtest.Noise(32000, 0.5, 2)),
						"other":     pcmFile(t, 8000, recordingtest.Noise(8000, 0.5, 3)),
						"grows":     c.file,
					},
					uri: "grows", grown: map[string][]byte{c.moment: more},
				}
			}
			objects := &memObjects{}
			requireGrowing(t, recording.NewProcessor(open(), objects, nil), spec, objects)
			accept := &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true}
			r, err := recording.NewProcessor(open(), objects, nil).Process(t.Context(), spec, accept)
			require.NoError(t, err)
			var codes []record.DefectCode
			for _, d := range r.Defects {
				codes = append(codes, d.Code)
			}
			require.Equal(t, c.defects, codes, "%+v", r.Defects)
			want, got := pcmSamples(first), pcmSamples(objects.data[r.Outputs[0].Key])
			for i := range 32000 - 8000 {
				x := 0
				if i < 8000 {
					x = want[i]
				}
				require.Equal(t, x, got[2*(8000+i)+1], "frame %d", i)
			}
		})
	}
}

// A stream of unknown length is growing if it has become longer since it was
// counted.
func TestGrowingStream(t *testing.T) {
	t.Parallel()
	first := pcmFile(t, 8000, recordingtest.Noise(8000, 0.5, 1))
	noSizes := slices.Clone(first)
	copy(noSizes[4:8], []byte{0, 0, 0, 0})
	copy(noSizes[40:44], []byte{0, 0, 0, 0})
	opened := 0
	legs := changingLegs{
		memLegs{"agent.wav": pcmFile(t, 8000, recordingtest.Noise(20000, 0.5, 2))},
		func() io.ReadCloser {
			opened++
			return io.NopCloser(io.MultiReader(bytes.NewReader(noSizes), bytes.NewReader(make([]byte, 1000*opened))))
		},
	}
	spec := sampleSpec()
	objects := &memObjects{}
	p := recording.NewProcessor(legs, objects, nil)
	requireGrowing(t, p, spec, objects)
	r, err := p.Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
	require.NoError(t, err)
	require.Equal(t, record.DefectLegGrowing, r.Defects[len(r.Defects)-1].Code, "%+v", r.Defects)
	require.Equal(t, int64(8000+3*500), r.Legs[1].Frames, "what was there when it was counted")
}
