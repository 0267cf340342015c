package codec

import (
	"io"
	"slices"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
)

// Registry is the set of formats that a program can read and write. It is a
// value: build one, or change a copy of recording.BuiltinCodecs, before it is
// used; it must not change afterwards.
type Registry struct {
	// Outputs are the encoders by codec.
	Outputs map[record.Codec]OutputFormat
	// Inputs are tried in order.
	Inputs []InputFormat
	// Raw decodes audio without a header by Hint.Raw; nil refuses it.
	Raw Decoder
}

// OutputFormat is one format that a [Registry] can encode.
type OutputFormat struct {
	New NewEncoder
	// Version names the encoder and the version of its output, which is kept
	// with every recording: "switchtape-wav/1". The same version makes the same bytes
	// of the same samples and options on every platform, as a retry may run on
	// another machine. A change of the bytes is a new version. The encoders of this
	// module are tested for that on the platforms that package mp3 lists. Opus is the
	// exception, as libopus makes it; its package says what it guarantees.
	Version string
	// ContentType is the media type of the files. "": the one that callmodel
	// knows for the codec.
	ContentType string
	// FitRate is the sample rate, in Hz, to encode audio of rate hz at when the
	// spec leaves that open: the nearest one not below it that the codec has,
	// else its highest. Nil: every rate will do.
	FitRate func(hz int) int
	// Unavailable is why this build can't encode the format although it knows
	// it: a build tag or a library that is missing. Nil: it can.
	Unavailable error
}

// Check reports whether codec c can encode format f with options o, without
// writing anything. The error is an [*UnsupportedError] that names the nearest
// valid values, or what this registry has in the codec's place.
func (g *Registry) Check(c record.Codec, f *goaudio.Format, o Options) error {
	out, err := g.output(c)
	if err != nil {
		return err
	}
	_, err = out.New(io.Discard, f, o)
	return err
}

// NewEncoder makes an encoder of codec c. Errors as [Registry.Check].
func (g *Registry) NewEncoder(c record.Codec, w io.Writer, f *goaudio.Format, o Options) (Encoder, error) {
	out, err := g.output(c)
	if err != nil {
		return nil, err
	}
	return out.New(w, f, o)
}

// FitRate is the rate for audio of rate hz when the spec leaves it open.
func (g *Registry) FitRate(c record.Codec, hz int) int {
	if out, ok := g.Outputs[c]; ok && out.FitRate != nil {
		return out.FitRate(hz)
	}
	return hz
}

// Codecs lists what the registry can encode, in the order of record.Codecs;
// codecs of a user's own come last, by name. Those that are unavailable are
// left out.
func (g *Registry) Codecs() []record.Codec {
	known := record.Codecs()
	rank := func(c record.Codec) int {
		if i := slices.Index(known, c); i >= 0 {
			return i
		}
		return len(known)
	}
	available := func(yield func(record.Codec) bool) {
		for c, out := range g.Outputs {
			if out.Unavailable == nil && !yield(c) {
				return
			}
		}
	}
	return slices.SortedFunc(available, func(a, b record.Codec) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		return strings.Compare(string(a), string(b))
	})
}

func (g *Registry) output(c record.Codec) (OutputFormat, error) {
	if out, ok := g.Outputs[c]; ok {
		return out, out.Unavailable
	}
	names := make([]string, 0, len(g.Outputs))
	for _, c := range g.Codecs() {
		names = append(names, string(c))
	}
	return OutputFormat{}, &UnsupportedError{
		Codec: string(c), What: "codec in this build", Nearest: strings.Join(names, ", "),
	}
}
