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

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// changing is a leg whose file isn't what it was when it was opened: it says it
// has size bytes, and holds others.
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

// A file that grows while it is read is recorded as it was at first; of one
// that shrinks all that is left is.
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
		code   callmodel.DefectCode
	}{
		"grows": {
			func() io.ReadCloser { return changing{bytes.NewReader(more), int64(len(whole))} }, whole, frames, callmodel.DefectLegGrowing,
		},
		"grows, a stream": {
			func() io.ReadCloser { return unseekable{bytes.NewReader(more), int64(len(whole))} }, whole, frames, callmodel.DefectLegGrowing,
		},
		"shrinks": {
			func() io.ReadCloser { return changing{bytes.NewReader(less), int64(len(whole))} }, less, kept / 2, callmodel.DefectTruncated,
		},
		"shrinks, a stream": {
			func() io.ReadCloser { return unseekable{bytes.NewReader(less), int64(len(whole))} }, less, kept / 2, callmodel.DefectTruncated,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs := changingLegs{memLegs{"agent.wav": pcmFile(t, 8000, recordingtest.Noise(frames, 0.5, 2))}, c.file}
			spec := sampleSpec()
			spec.Legs[1].Segments[0].Offset = 0
			spec.Span = callmodel.Millis(frames * time.Second / 8000)
			objects := &memObjects{}
			r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, nil)
			require.NoError(t, err)
			require.Equal(t, callmodel.StatusCompletedDegraded, r.Status)
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
