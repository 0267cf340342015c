package wav

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/internal/seam"
)

// files reads the first file of a stream and those that are joined behind it, as cat
// joins them.
type files struct {
	*source // the first

	hint    codec.Hint
	last    *source         // the current one, if it isn't the first
	from    audio.Source    // of the current one, in the first one's format
	joined  int             // files behind the first
	changed []string        // what begins with another format
	before  []record.Defect // of the files between the first and the current one
	left    string          // why the rest was left out
}

// ReadFrames implements [audio.Source].
func (f *files) ReadFrames(dst []float32) (int, error) {
	return seam.Fill(dst, f.format.NumChannels, func(dst []float32) (int, error) {
		n, err := f.from.ReadFrames(dst)
		if current := f.current(); n == 0 && errors.Is(err, io.EOF) && current.joined {
			if current.joined = false; f.next(current) {
				return 0, nil
			}
		}
		return n, err
	})
}

// Format implements [audio.Source].
func (f *files) Format() *goaudio.Format { return f.source.Format() }

func (f *files) current() *source {
	if f.last != nil {
		return f.last
	}
	return f.source
}

// next begins the file behind the current one. It reports false if that has no audio.
func (f *files) next(current *source) bool {
	following, err := f.following(current.in, current.at, f.hint)
	if err != nil {
		f.left = err.Error()
		return false
	}
	following.prepare()
	from, err := seam.Conform(following, &f.format)
	if err != nil {
		f.left = err.Error()
		return false
	}
	if f.last != nil {
		f.before = append(f.before, f.last.Defects()...)
	}
	if f.joined++; following.format != f.format {
		f.changed = append(f.changed, seam.Name(&following.format))
	}
	f.last, f.from = following, from
	return true
}

// following opens the file that begins at the current byte of in.
func (s *source) following(in *input, at io.ReaderAt, hint codec.Hint) (*source, error) {
	n := &source{walk: walk{in: in, raw: s.raw, at: at}, frames: -1}
	if err := n.open(); err != nil {
		return nil, err
	}
	if err := n.setLayout(hint); err != nil {
		return nil, err
	}
	if n.enc == encMP3 || !seam.CanJoin(n.rate, s.rate) {
		return nil, unsupported("a WAV file of %s at %d Hz behind one at %d Hz", n.encoding(), n.rate, s.rate)
	}
	return n, nil
}

// Defects implements [codec.DefectReporter].
func (f *files) Defects() []record.Defect {
	d := append(f.source.Defects(), f.before...)
	if f.last != nil {
		d = append(d, f.last.Defects()...)
	}
	if f.joined > 0 {
		d = append(d, record.Defect{
			Code: record.DefectHeaderRepaired, Detail: fmt.Sprintf("repaired: %d more WAV files joined behind the first", f.joined),
		})
	}
	if len(f.changed) > 0 {
		d = append(d, record.Defect{
			Code: record.DefectFormatChanged, Count: int64(len(f.changed)),
			Detail: "a joined file has " + f.changed[0] + "; all of it was read as " + seam.Name(&f.format),
		})
	}
	if f.left != "" {
		d = append(d, record.Defect{Code: record.DefectTruncated, Detail: "a WAV file joined behind the audio was left out: " + f.left})
	}
	return d
}

// fileIn is where in b a WAV file begins that has its fmt chunk first, as nearly all have:
// 12 bytes of it are the same in each, which samples don't come by. It is -1 if none does.
func fileIn(b []byte) int {
	for at := 0; ; {
		k := bytes.Index(b[at:], []byte("RIFF"))
		if k < 0 || at+k+16 > len(b) {
			return -1
		}
		if at += k; string(b[at+8:at+16]) == "WAVEfmt " {
			return at
		}
		at += 4
	}
}

// nextFile is where another file begins in audio that goes from off to the end of a file
// that can be read at random.
func (w *walk) nextFile(off int64) (at int64, found bool) {
	if !w.toEnd || w.at == nil || w.in.size < 0 {
		return 0, false
	}
	const overlap = 15
	buf := make([]byte, resyncWindow)
	for ; off < w.in.size; off += resyncWindow - overlap {
		n, err := w.at.ReadAt(buf[:min(resyncWindow, w.in.size-off)], off)
		if k := fileIn(buf[:n]); k >= 0 {
			return off + int64(k), true
		}
		if err != nil {
			return 0, false
		}
	}
	return 0, false
}
