package codec

import (
	"errors"
	"io"

	goaudio "github.com/go-audio/audio"
)

// Encoder turns interleaved float32 frames into a stream of bytes.
//
// WriteFrames takes any whole number of frames, in blocks of any size, and
// keeps no reference to src. Samples outside [-1, 1] are clipped; NaN and Inf
// are encoded as silence. The first error, whether of the writer or of the
// encoder, is sticky: every later call returns it and writes nothing.
//
// Finish flushes what is buffered and never closes the writer. It is an error
// to finish with another number of frames than Options.Frames announced
// ([ErrFrameCount]). After Finish, WriteFrames fails and Finish is a no-op.
type Encoder interface {
	WriteFrames(src []float32) error
	Finish() error
}

// NewEncoder makes an Encoder that writes to w. It validates f and o and
// writes at most a header. An unsupported combination is an
// [*UnsupportedError] that names the nearest valid ones.
type NewEncoder func(w io.Writer, f *goaudio.Format, o Options) (Encoder, error)

// FramesUnknown is the value of Options.Frames when the total is not known.
// Formats whose header needs the total refuse it or write their "unknown" form.
const FramesUnknown int64 = -1

// Options are what an encoder is told beyond its format. The zero value is not
// useful for formats with a header: set Frames to the total or FramesUnknown.
type Options struct {
	// Frames is the total number of frames that will be written, for headers
	// that are written first. FramesUnknown if it isn't known.
	Frames int64
	// BitrateBps is the target in bits per second over all channels, for lossy
	// codecs. 0 means the codec's default for the format.
	BitrateBps int
	// BitDepth is bits per sample for PCM formats, or of a value of peaks. 0
	// means 16.
	BitDepth int
	// SamplesPerPixel is how many frames a pair of peaks stands for. 0 means
	// the format's default. Formats of audio ignore it.
	SamplesPerPixel int
	// ChannelNames says whose channels they are, for formats that tell: the
	// legs' names. Nil: nothing is known.
	ChannelNames []string
	// Tags is metadata to embed, for formats that can (ID3v2, Vorbis comments).
	// The encoder writes the pairs in the order given. Nil embeds nothing.
	Tags []Tag
}

// Tag is one piece of metadata that an encoder embeds in its stream.
type Tag struct {
	Key   string // lower snake case: "call_id", "started_at", "channel_map"
	Value string // UTF-8
}

// ErrFrameCount is returned by Finish when the frames written differ from
// Options.Frames.
var ErrFrameCount = errors.New("codec: frames written differ from the frames announced")

// ErrFinished is returned by WriteFrames after Finish.
var ErrFinished = errors.New("codec: encoder is finished")

// UnsupportedError says that a codec can't do what the options ask, and what
// it can do instead.
type UnsupportedError struct {
	Codec   string // "mp3"
	What    string // "sample rate 11000 Hz"
	Nearest string // "8000, 11025 or 12000 Hz"
}

func (e *UnsupportedError) Error() string {
	s := e.Codec + ": unsupported " + e.What
	if e.Nearest != "" {
		s += "; the nearest valid: " + e.Nearest
	}
	return s
}

// ClipReporter is implemented by encoders that count the samples they clipped.
type ClipReporter interface {
	Clipped() int64
}
