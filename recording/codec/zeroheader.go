package codec

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// Sampler is implemented by Sources that can say how the samples are stored that they
// read, apart from any header.
type Sampler interface {
	// Samples is the format, nil if it is none of record.RawEncodings.
	Samples() *record.RawFormat
}

// SamplesOf is what s says as a [Sampler]; nil if it isn't one.
func SamplesOf(s audio.Source) *record.RawFormat {
	if f, ok := s.(Sampler); ok {
		return f.Samples()
	}
	return nil
}

// wavHeader is how long the header of a WAV file is at least, in bytes.
const wavHeader = 44

// zeroHeader reports whether a file that is called a WAV file has zeros in the place of its
// header, as after a crash of the machine that wrote it.
func zeroHeader(head []byte, name string) bool {
	return len(head) > wavHeader && strings.EqualFold(path.Ext(name), ".wav") &&
		strings.Trim(string(head[:wavHeader]), "\x00") == ""
}

// decodeBehindZeros opens what is behind a header of zeros as the other legs are.
func (g *Registry) decodeBehindZeros(head []byte, r io.Reader, hint Hint) (audio.Source, []record.Defect, error) {
	rest, hint, err := past(head, r, wavHeader, hint)
	if err != nil {
		return nil, nil, err
	}
	hint.Raw = hint.Other
	src, defects, err := g.Raw(rest, hint)
	return src, append([]record.Defect{{
		Code: record.DefectFormatAssumed,
		Detail: fmt.Sprintf("%d bytes of zeros in the place of the WAV header; by the call's other legs what follows was read as %s at %d Hz",
			wavHeader, hint.Raw.Encoding, hint.Raw.SampleRateHz),
	}}, defects...), err
}
