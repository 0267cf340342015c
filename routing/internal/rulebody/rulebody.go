// Package rulebody reads the bodies of requests that are about whole sets of
// rules: large ones, compressed ones, and those that come in lines.
//
//	request ── Reader.Read: within a budget of what is being read ──▶ Body
//	        ── callservice.RuleWork(Size): within that of the work ── Text ──▶ rules
package rulebody

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/lane"
)

// Types are the media types of rules: JSON, lines of JSON and YAML (RFC 9512, and
// what it was called before).
func Types() []string {
	return []string{problem.JSON, "application/yaml", "application/x-yaml", "text/yaml", "text/plain", "application/x-ndjson", "application/jsonl"}
}

// Limits of bodies, in bytes.
const (
	// MaxBytes is the largest body that is read, but for lines of JSON.
	MaxBytes = 64 << 20
	// MaxText is the largest text: of lines of JSON, and of what a compressed body
	// holds.
	MaxText = routing.MaxFileBytes
	// maxInflation is how many times its size a deflated text can have at most, a bit
	// over: 258 bytes a code of 2 bits (RFC 1951, section 3.2.5). What says to have more
	// is given no memory.
	maxInflation = 1040
	// smallBytes is what is read without a share of the budget.
	smallBytes = 256 << 10
	// reading is how much is read at a time, of all requests together.
	reading     = 256 << 20
	readingWait = time.Second
)

// Reader reads bodies: of all together no more at a time than 256 MiB. Whoever
// sends slowly holds up only others who send much. Make one with [NewReader].
type Reader struct{ budget *lane.Budget }

// NewReader makes a reader.
func NewReader() *Reader { return &Reader{lane.NewBudget(reading, readingWait)} }

// Body is a body of rules as it came.
type Body struct {
	raw  []byte
	zip  bool
	size int64
}

// Enter takes a share for a body of at most limit bytes that is to be read; leave
// gives it back when the body isn't needed any more. A body that says to be small
// needs none. The error is CodeOverloaded.
func (b *Reader) Enter(r *http.Request, limit int64) (leave func(), err error) {
	size := r.ContentLength
	if size >= 0 && size <= smallBytes {
		return func() {}, nil
	}
	if size < 0 || size > limit {
		size = limit
	}
	return b.budget.Enter(r.Context(), size)
}

// Read reads the request's body of rules. leave is called when it isn't needed any
// more. The error is CodeOverloaded, CodeTooLarge, CodeMalformed or
// CodeUnsupportedMediaType.
func (b *Reader) Read(w http.ResponseWriter, r *http.Request) (body *Body, leave func(), err error) {
	body = &Body{}
	switch e := r.Header.Get("Content-Encoding"); e {
	case "", "identity":
	case "gzip":
		body.zip = true
	default:
		return nil, nil, callmodel.Errorf(callmodel.CodeUnsupportedMediaType, "the Content-Encoding is %.40q; send gzip, or the text as it is", e)
	}
	limit := int64(MaxBytes)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); !body.zip && (kind == "application/x-ndjson" || kind == "application/jsonl") {
		limit = MaxText
	}
	if leave, err = b.Enter(r, limit); err != nil {
		return nil, nil, err
	}
	if body.raw, err = problem.Body(w, r, limit); err == nil {
		err = body.measure()
	}
	if err != nil {
		leave()
		if callmodel.CodeOf(err) == callmodel.CodeTooLarge {
			err = callmodel.Errorf(callmodel.CodeTooLarge, "%w; larger ones are sent with Content-Encoding gzip, or as application/x-ndjson: "+
				"the set without its rules on the first line, and each rule on one of its own", err)
		}
		return nil, nil, err
	}
	return body, leave, nil
}

// measure notes how large the text is.
func (b *Body) measure() error {
	if b.size = int64(len(b.raw)); !b.zip {
		return nil
	}
	const trailer = 8 // RFC 1952, section 2.3.1: CRC32 and ISIZE, the size modulo 2^32
	if len(b.raw) < trailer || b.raw[0] != 0x1f || b.raw[1] != 0x8b {
		return callmodel.Errorf(callmodel.CodeMalformed, "the body is not gzip, as its Content-Encoding says")
	}
	b.size = int64(binary.LittleEndian.Uint32(b.raw[len(b.raw)-4:]))
	switch {
	case b.size > maxInflation*int64(len(b.raw)):
		return callmodel.Errorf(callmodel.CodeMalformed, "the body is not whole: %d bytes of gzip can't hold the %d that their end names", len(b.raw), b.size)
	case b.size > MaxText:
		return callmodel.Errorf(callmodel.CodeTooLarge, "the body holds %d bytes, at most %d are read", b.size, MaxText)
	}
	return nil
}

// Size is how many bytes the text has: what the work on it is measured by.
func (b *Body) Size() int64 { return b.size }

// Text is the text, with nothing left of what it was compressed to. The error is
// CodeMalformed.
func (b *Body) Text() ([]byte, error) {
	if !b.zip {
		return b.raw, nil
	}
	defer func() { b.raw = nil }()
	raw := bytes.NewReader(b.raw)
	z, err := gzip.NewReader(raw)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the body is not gzip: %w", err)
	}
	z.Multistream(false) // the size is that of the last member
	text := make([]byte, b.size)
	if _, err = io.ReadFull(z, text); err == nil {
		var more [1]byte
		if _, err = z.Read(more[:]); err == nil {
			err = errors.New("it holds more than it says")
		}
	}
	if errors.Is(err, io.EOF) && raw.Len() > 0 {
		err = errors.New("more follows its end")
	}
	if !errors.Is(err, io.EOF) {
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the body can't be inflated; send one gzip member: %w", err)
	}
	return text, nil
}
