package recordingtest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Decoding is a decoder and a sound file for it, for [DecoderContract].
type Decoding struct {
	Decode codec.Decoder
	File   []byte // some 1 KB to 1 MB
	Format goaudio.Format
	Want   []float32 // interleaved
	// Tolerance is how far a sample may be off. 0: it must be exact.
	Tolerance float64
	// Raw is the hint of a decoder of audio without a header.
	Raw *record.RawFormat
}

// readers are the ways in which a file may come.
func (d *Decoding) readers(file []byte) map[string]func() (io.Reader, codec.Hint) {
	known, unknown := codec.Hint{Size: int64(len(file)), Raw: d.Raw}, codec.Hint{Size: codec.SizeUnknown, Raw: d.Raw}
	stream := func() io.Reader { return struct{ io.Reader }{bytes.NewReader(file)} }
	return map[string]func() (io.Reader, codec.Hint){
		"a file":                     func() (io.Reader, codec.Hint) { return bytes.NewReader(file), known },
		"a file of unknown size":     func() (io.Reader, codec.Hint) { return bytes.NewReader(file), unknown },
		"a stream of known size":     func() (io.Reader, codec.Hint) { return stream(), known },
		"a stream":                   func() (io.Reader, codec.Hint) { return stream(), unknown },
		"a stream byte by byte":      func() (io.Reader, codec.Hint) { return iotest.OneByteReader(stream()), unknown },
		"a stream in halves":         func() (io.Reader, codec.Hint) { return iotest.HalfReader(stream()), unknown },
		"data and end in one":        func() (io.Reader, codec.Hint) { return iotest.DataErrReader(stream()), unknown },
		"a stream that pauses a lot": func() (io.Reader, codec.Hint) { return &pausing{r: stream()}, unknown },
	}
}

// DecoderContract tests a decoder against the contract of [codec.Decoder]:
//
//   - it gives the same samples from every kind of reader, as a Source that passes
//     [SourceContract];
//   - a total that it tells is true;
//   - a sound file has no defects;
//   - a reader's own error is passed on as such;
//   - a reader that gives nothing isn't waited for without end;
//   - the reader is never closed;
//   - a damaged file gives samples or a [*codec.DecodeError], in bounded memory.
func DecoderContract(t *testing.T, d Decoding) {
	t.Run("readers", func(t *testing.T) { d.fromReaders(t) })
	t.Run("source", func(t *testing.T) {
		SourceContract(t, func() audio.Source {
			s, _, err := d.Decode(bytes.NewReader(d.File), codec.Hint{Size: int64(len(d.File)), Raw: d.Raw})
			require.NoError(t, err)
			return s
		})
	})
	t.Run("reader's errors", func(t *testing.T) { d.readerErrors(t) })
	t.Run("damage", func(t *testing.T) { d.damage(t) })
}

func (d *Decoding) fromReaders(t *testing.T) {
	for name, open := range d.readers(d.File) {
		r, hint := open()
		closer := &closeWatcher{Reader: r}
		in := io.Reader(closer)
		if at, ok := r.(io.ReaderAt); ok {
			in = struct {
				*closeWatcher
				io.ReaderAt
			}{closer, at}
		}
		s, defects, err := d.Decode(in, hint)
		require.NoError(t, err, name)
		require.Equal(t, d.Format, *s.Format(), name)
		n, known := audio.FramesOf(s)
		if name == "a file" && !known {
			require.Fail(t, "the total must be known of a file that can be read at random")
		}
		got := ReadAll(t, s)
		require.True(t, Near(d.Want, got, d.Tolerance), "%s: %d samples, want %d", name, len(got), len(d.Want))
		if known {
			require.Equal(t, len(got)/d.Format.NumChannels, int(n), "%s: the total", name)
		}
		later := codec.LaterDefects(s)
		for _, fault := range append(defects, later...) {
			require.Equal(t, record.DefectClipped, fault.Code, "%s: a defect of a sound file: %s", name, fault.Detail)
		}
		require.Equal(t, later, codec.LaterDefects(s), "%s: defects change after the end", name)
		require.False(t, closer.closed, "%s: the reader was closed", name)
	}
}

func (d *Decoding) readerErrors(t *testing.T) {
	for _, n := range []int{0, 1, 10, len(d.File) / 10, len(d.File) / 2, len(d.File) - 1} {
		r := io.MultiReader(bytes.NewReader(d.File[:n]), iotest.ErrReader(ErrBroken))
		err := d.drain(t, r, codec.Hint{Size: int64(len(d.File)), Raw: d.Raw})
		require.ErrorIs(t, err, ErrBroken, "the reader fails after %d bytes", n)
		var fault *codec.DecodeError
		require.NotErrorAs(t, err, &fault, "the reader's error says nothing about the file")
		err = d.drain(t, io.MultiReader(bytes.NewReader(d.File[:n]), idle{}), codec.Hint{Size: codec.SizeUnknown, Raw: d.Raw})
		require.Error(t, err, "a reader that gives nothing after %d bytes", n)
		require.NotErrorIs(t, err, io.EOF, "a reader that gives nothing isn't at its end")
	}
}

// drain decodes all there is and returns how it ended.
func (d *Decoding) drain(t *testing.T, r io.Reader, hint codec.Hint) error {
	t.Helper()
	s, _, err := d.Decode(r, hint)
	if err != nil {
		return err
	}
	block := make([]float32, 4096*s.Format().NumChannels)
	for frames := 0; ; {
		n, err := s.ReadFrames(block)
		if err != nil {
			return err
		}
		if frames += n; frames > 1<<26 {
			require.Fail(t, "samples without end")
		}
	}
}

func (d *Decoding) damage(t *testing.T) {
	r := rand.New(rand.NewPCG(3, uint64(len(d.File))))
	for i := range 300 {
		bad := slices.Clone(d.File)
		head := min(len(bad), 256)
		switch i % 5 {
		case 0:
			bad = bad[:r.IntN(len(bad))]
		case 1:
			bad[r.IntN(head)] ^= 1 << r.IntN(8)
		case 2:
			at := r.IntN(head - min(head-1, 4))
			copy(bad[at:], [][]byte{{0xFF, 0xFF, 0xFF, 0xFF}, {0, 0, 0, 0}, {0x7F, 0xFF, 0xFF, 0x7F}}[r.IntN(3)])
		case 3:
			for range 20 {
				bad[r.IntN(len(bad))] = byte(r.Uint32())
			}
		case 4:
			at := r.IntN(len(bad))
			bad = slices.Delete(bad, at, min(len(bad), at+1+r.IntN(40)))
		}
		for _, hint := range []codec.Hint{{Size: int64(len(bad)), Raw: d.Raw}, {Size: codec.SizeUnknown, Raw: d.Raw}} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := d.drain(t, bytes.NewReader(bad), hint)
			runtime.ReadMemStats(&after)
			var fault *codec.DecodeError
			require.True(t, errors.Is(err, io.EOF) || errors.As(err, &fault), "damage %d: %v", i, err)
			// Other tests may run beside this one, so the bound is far above what one
			// decoder takes.
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(512<<20), "bytes allocated for a file of %d", len(bad))
		}
	}
	var fault *codec.DecodeError
	if d.Raw == nil {
		for name, file := range map[string][]byte{"nothing": {}, "text": []byte("this is no audio file at all, but some text")} {
			err := d.drain(t, bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
			require.ErrorAs(t, err, &fault, name)
		}
	}
}

// DecoderAllocations requires that a decoder allocates nothing for a block, once
// it is warm. File must be of 200,000 frames or more. It can't be part of a
// parallel test.
func DecoderAllocations(t *testing.T, d Decoding) {
	t.Helper()
	s, _, err := d.Decode(bytes.NewReader(d.File), codec.Hint{Size: int64(len(d.File)), Raw: d.Raw})
	require.NoError(t, err)
	block := make([]float32, 4096*s.Format().NumChannels)
	for range 8 {
		_, err = s.ReadFrames(block)
		require.NoError(t, err)
	}
	require.Zero(t, testing.AllocsPerRun(20, func() {
		_, more := s.ReadFrames(block)
		err = errors.Join(err, more)
	}), "allocations for a block")
	require.NoError(t, err)
}

// idle gives no bytes and no error.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// pausing gives nothing every second time.
type pausing struct {
	r    io.Reader
	turn bool
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.turn = !p.turn; p.turn {
		return 0, nil
	}
	return p.r.Read(b)
}

type closeWatcher struct {
	io.Reader

	closed bool
}

// Close implements io.Closer.
func (c *closeWatcher) Close() error {
	c.closed = true
	return nil
}
