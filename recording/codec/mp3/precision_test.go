package mp3

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// The transforms are those of the standard, computed with float32: a stream's
// samples are those of its lines by the sums in double precision.
func TestRenderIsTheStandards(t *testing.T) {
	t.Parallel()
	for _, sig := range signals() {
		if sig.frames(8000) < 576 {
			continue
		}
		for _, rate := range []int{8000, 44100} {
			samples := sig.at(rate, rate/2, 1)
			data := encodeAll(t, samples, 1, rate, ValidBitrates(rate)[8], nil)
			f := newFeed(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, f.begin())
			d := newFrameDecoder()
			var ref [2]reference
			var out [4 * granuleLines]float32
			var got, want []float32
			for {
				err := f.next()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				h := &f.header
				d.side.parse(&bitReader{buf: f.side}, h.lsf(), h.channels())
				require.NoError(t, d.read(h, f.main))
				lines := d.channels[0].lines
				d.render(h, out[:])
				for gr := range h.granules() {
					for _, x := range ref[0].granule(&lines[gr], &d.side.granules[gr][0]) {
						want = append(want, float32(x))
					}
				}
				got = append(got, out[:h.samples()]...)
			}
			dev := difference(want, got)
			t.Log(sig.name, rate, dev)
			require.LessOrEqual(t, dev.max, sameSample)
		}
	}
}
