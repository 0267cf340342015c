package simulation

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// file is a leg's file on the disk of a telephone server.
type file struct {
	body    []byte
	from    time.Time // when it is made; zero: never
	whole   time.Time // until when it is written to
	poison  bool      // who reads it crashes
	removed bool
	gone    time.Time // when somebody else removes it; zero: never
	job     string    // whose leg it is
}

// wavHeader is how long the header of a file is.
const wavHeader = 44

// newFile is a WAV file with some frames.
func newFile(frames int, step uint64) []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	b.WriteString("RIFF")
	put(uint32(36 + 2*frames))
	b.WriteString("WAVEfmt ")
	put(uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16))
	b.WriteString("data")
	put(uint32(2 * frames))
	for i := range frames {
		put(int16(uint64(i) * step % 30_000))
	}
	return b.Bytes()
}

// now is what there is of the file; nil if it isn't there.
func (f *file) now() []byte {
	at := time.Now()
	switch {
	case f == nil || f.removed || f.from.IsZero() || at.Before(f.from) || !f.gone.IsZero() && !at.Before(f.gone):
		return nil
	case !at.Before(f.whole):
		return f.body
	}
	part := int(int64(len(f.body)-wavHeader) * int64(at.Sub(f.from)) / int64(f.whole.Sub(f.from)))
	return f.body[:wavHeader+part/2*2]
}

// modified is when it was written to last.
func (f *file) modified() time.Time {
	if now := time.Now(); now.Before(f.whole) {
		return now
	}
	return f.whole
}

// legPort is the place of the legs as a process reaches it.
type legPort struct{ p *process }

var errLegsAway = callmodel.Errorf(callmodel.CodeUnavailable, "the legs' disk doesn't answer")

func (l legPort) ask(ctx context.Context, op, uri string, do func(f *file) error) error {
	return l.p.ask(ctx, port{op: op, about: uri, place: "legs", wrong: always(errLegsAway)}, func(context.Context) error {
		f := l.p.world.files[uri]
		if f.now() == nil {
			return fs.ErrNotExist
		}
		return do(f)
	})
}

type openFile struct {
	*bytes.Reader

	size     int64
	modified time.Time
}

func (o openFile) Close() error               { return nil }
func (o openFile) Stat() (fs.FileInfo, error) { return fileInfo(o), nil }

type fileInfo openFile

func (i fileInfo) Name() string       { return "leg" }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return 0o600 }
func (i fileInfo) ModTime() time.Time { return i.modified }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// OpenLeg implements recording.LegOpener.
func (l legPort) OpenLeg(ctx context.Context, uri string) (r io.ReadCloser, err error) {
	err = l.ask(ctx, "open leg", uri, func(f *file) error {
		if f.poison {
			l.p.world.tell("    a poisonous leg crashes %s", l.p)
			l.p.die()
			return errKilled
		}
		body := f.now()
		r = openFile{bytes.NewReader(body), int64(len(body)), f.modified()}
		return nil
	})
	return r, err
}

// StatLeg implements lifecycle.Place.
func (l legPort) StatLeg(ctx context.Context, _, uri string) (size int64, modified time.Time, err error) {
	err = l.ask(ctx, "stat leg", uri, func(f *file) error {
		size, modified = int64(len(f.now())), f.modified()
		return nil
	})
	return size, modified, err
}

// RemoveLeg implements lifecycle.Place.
func (l legPort) RemoveLeg(ctx context.Context, _, uri string, size int64, modified time.Time) (removed bool, err error) {
	err = l.ask(ctx, "remove leg", uri, func(f *file) error {
		if int64(len(f.now())) != size || !f.modified().Equal(modified) {
			return nil
		}
		l.p.world.checkRemoval(uri, f)
		f.removed, removed = true, true
		return nil
	})
	return removed, err
}

// left are the legs of a complete recording that are to be deleted and aren't. Where
// somebody else has removed a leg the others are kept.
func (w *world) left(job string) (left []string) {
	for _, uri := range w.legsOf(job) {
		switch f := w.files[uri]; {
		case !f.gone.IsZero():
			return nil
		case !f.removed:
			left = append(left, uri)
		}
	}
	return left
}
