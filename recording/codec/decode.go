package codec

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// Decoder opens a stream of bytes as a Source.
//
// It reads from r as the Source is read, and no more than it needs. It never closes
// r. It works on any io.Reader and must not allocate by what a header claims. If r
// is also an io.ReaderAt and hint.Size is known, a decoder may look ahead through
// it (ReadAt doesn't move the reader) to know the Source's total. Then the Source
// implements [audio.Sized].
//
// The defects are those known on opening. A Source that can meet more of them
// later implements [DefectReporter].
//
// The error for a file that can't be decoded is a [*DecodeError] with the defect to
// report. It comes from the Decoder, or, if it shows only later, from ReadFrames.
// Every other error is that of r, and says nothing about the file.
type Decoder func(r io.Reader, hint Hint) (audio.Source, []record.Defect, error)

// SizeUnknown is the value of Hint.Size when the stream's length isn't known.
const SizeUnknown int64 = -1

// Hint is what is known of a stream beside its bytes.
type Hint struct {
	// Size is the length of the stream in bytes, SizeUnknown if that isn't
	// known. Zero means an empty stream.
	Size int64
	// Raw is the format to assume for audio without a header; nil if there is none.
	Raw *record.RawFormat
	// Name is the stream's name, a path or a URL: its extension is what is gone by where
	// nothing else says what the stream is, see [RawByName]. "": it has none.
	Name string
	// Other is the format of the samples in the call's other legs: what a WAV file is read
	// as whose header is zeros, if Raw is nil. Nil: it isn't known.
	Other *record.RawFormat
}

// DefectReporter is implemented by Sources that learn of defects while they are
// read: truncation, clipping, samples that aren't numbers.
type DefectReporter interface {
	// Defects lists the defects met so far, other than those the Decoder
	// returned. It is complete once the Source has ended.
	Defects() []record.Defect
}

// LaterDefects is what s reports as a [DefectReporter]; nothing if it isn't one.
func LaterDefects(s audio.Source) []record.Defect {
	if r, ok := s.(DefectReporter); ok {
		return r.Defects()
	}
	return nil
}

// Describer is implemented by Sources that can say what their stream is, to
// people: "WAV, PCM of 16 bits".
type Describer interface {
	Describe() string
}

// Describe is what s says that it is as a [Describer]; "" if it isn't one.
func Describe(s audio.Source) string {
	if d, ok := s.(Describer); ok {
		return d.Describe()
	}
	return ""
}

// DecodeError says why a stream can't be decoded, as the defect of a leg:
// DefectUnsupportedCodec, DefectUnreadableLeg or DefectLegEmpty.
type DecodeError struct {
	Code   record.DefectCode
	Detail string // what was found: "WAV format tag 0x0031 (GSM 6.10)"
	Err    error  // the cause, if another library gave one
}

func (e *DecodeError) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DecodeError) Unwrap() error { return e.Err }

// Head is how many bytes of a stream a Sniff function gets to see, at most.
const Head = 4096

// searchHead is how many bytes a Search function gets to see, at most.
const searchHead = 128 << 10

// InputFormat is one format that a [Registry] can decode.
type InputFormat struct {
	Name string // "wav"
	// Sniff reports whether a stream that begins with head is of the format.
	// head is shorter than Head bytes only if the stream is. Nil: the beginning
	// doesn't tell.
	Sniff func(head []byte) bool
	// Search reports whether a stream of the format begins somewhere in head, which
	// is longer here, up to 128 KiB. It is asked only if no format is recognised and
	// the job gives no raw format, which could look the same. Nil: it never does.
	Search func(head []byte) bool
	Decode Decoder
}

// Decode opens r with the first input format that recognises it, else as raw
// audio if the hint has a format for that, else it is a [*DecodeError].
func (g *Registry) Decode(r io.Reader, hint Hint) (audio.Source, []record.Defect, error) {
	head := make([]byte, Head)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	head = head[:n]
	if n == 0 {
		return nil, nil, &DecodeError{Code: record.DefectLegEmpty, Detail: "the file holds 0 bytes"}
	}
	if head, err = pastTag(head, r); err != nil {
		return nil, nil, err
	}
	if behind, skip := untagged(head, r, hint); len(behind) > 0 {
		// A format that reads the tag itself gets it.
		i, tagged := g.sniff(behind), g.sniff(head)
		if i >= 0 && i != tagged {
			rest, hint, err := past(head, r, skip, hint)
			if err != nil {
				return nil, nil, err
			}
			return g.Inputs[i].Decode(rest, hint)
		}
	}
	i, known := g.sniff(head), foreignTo(head)
	if i < 0 && known == nil && hint.Raw == nil && hint.Other != nil && g.Raw != nil && zeroHeader(head, hint.Name) {
		return g.decodeBehindZeros(head, r, hint)
	}
	var defects []record.Defect
	if i < 0 && known == nil && hint.Raw == nil && g.Raw != nil && !proseOf(head) {
		if hint.Raw = RawByName(hint.Name); hint.Raw != nil {
			defects = []record.Defect{assumedByName(hint.Name, hint.Raw)}
		}
	}
	if i < 0 && known == nil && hint.Raw == nil {
		if known = lookalike(head); known == nil || !known.media {
			longer, err := readOn(head, r, searchHead)
			if err != nil {
				return nil, nil, err
			}
			head = longer
			i = slices.IndexFunc(g.Inputs, func(f InputFormat) bool { return f.Search != nil && f.Search(head) })
		}
	}
	again := newReplay(head, r)
	switch {
	case i >= 0:
		return g.Inputs[i].Decode(again, hint)
	case known != nil:
		return nil, nil, g.errForeign(known)
	case hint.Raw != nil && g.Raw != nil:
		src, more, err := g.Raw(again, hint)
		return src, append(defects, more...), err
	default:
		return nil, nil, &DecodeError{
			Code: record.DefectUnreadableLeg,
			Detail: "neither " + g.inputNames(" nor ") + ", and no raw format is given: an encoding (" +
				strings.Join(record.RawEncodings(), ", ") + "), its sample rate and channels",
		}
	}
}

// readOn is head with what r goes on with, up to n bytes. Memory follows what r has.
func readOn(head []byte, r io.Reader, n int64) ([]byte, error) {
	if len(head) < Head {
		return head, nil // that is all
	}
	longer := bytes.NewBuffer(bytes.Clone(head))
	if _, err := io.CopyN(longer, r, n-int64(len(head))); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return longer.Bytes(), nil
}

// sniff is the index of the input whose stream begins with head; -1 if none does.
func (g *Registry) sniff(head []byte) int {
	return slices.IndexFunc(g.Inputs, func(f InputFormat) bool { return f.Sniff != nil && f.Sniff(head) })
}

func (g *Registry) inputNames(separator string) string {
	names := make([]string, len(g.Inputs))
	for i, f := range g.Inputs {
		names[i] = f.Name
	}
	return strings.Join(names, separator)
}

// replay gives the bytes that were read for sniffing once more.
type replay struct {
	head []byte
	r    io.Reader
}

func (p *replay) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.r.Read(b)
}

// replayAt is a replay of a reader that can also be read at random.
type replayAt struct {
	replay
	io.ReaderAt
}

func newReplay(head []byte, r io.Reader) io.Reader {
	p := replay{head: head, r: r}
	if at, ok := r.(io.ReaderAt); ok {
		return &replayAt{replay: p, ReaderAt: at}
	}
	return &p
}

// Progressing is r for a decoder that reads it in loops. A reader that goes on
// giving neither bytes nor an error fails with io.ErrNoProgress after a while.
func Progressing(r io.Reader) io.Reader { return &progressing{r: r} }

type progressing struct {
	r     io.Reader
	empty int
}

// maxEmptyReads is the same as in bufio.
const maxEmptyReads = 100

func (p *progressing) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	switch {
	case n > 0 || err != nil || len(b) == 0:
		p.empty = 0
	case p.empty == maxEmptyReads:
		return 0, io.ErrNoProgress
	default:
		p.empty++
	}
	return n, err
}
