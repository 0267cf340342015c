package recording

import (
	"context"
	"io"

	"github.com/switchtape/switchtape/callmodel/record"
)

// LegOpener opens the files of legs.
//
// OpenLeg's errors say one of three things:
//
//   - the file isn't there: the error wraps fs.ErrNotExist. OpenLeg says so only if
//     it could look, in a place that is there: a share that isn't mounted, or a
//     bucket that doesn't exist, has no files, and tells nothing about the leg;
//   - there will never be such a file, as the name is that of a directory or leads
//     out of the place: the error is a callmodel.PermanentError;
//   - any other error: the place is away, or doesn't let the file be read. So are
//     errors of the reader. The recording waits until that is over, as a
//     [*LegsAwayError].
//
// OpenLeg returns soon after ctx ends. recordingtest.LegOpenerContract tests all
// that.
//
// A reader that is an io.ReaderAt and can tell its length, by Size() int64 or by
// Stat as *os.File does, lets the length of the recording be known from the files'
// headers. The audio of others is read once more, before the recording, to count
// its frames. OpenLeg must be able to open a file again.
type LegOpener interface {
	OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error)
}

// LegBelowOpener is a LegOpener whose place may have names that lead elsewhere, as
// symbolic links do. OpenLegBelow is OpenLeg for a spec with LegsBelow: a name that
// leads out of the directory dir is refused as one that leads out of the place is. A
// directory that isn't there is a file that isn't.
type LegBelowOpener interface {
	LegOpener
	OpenLegBelow(ctx context.Context, dir, uri string) (io.ReadCloser, error)
}

// below opens legs below dir alone. That uri is below dir the spec's check says.
type below struct {
	LegBelowOpener

	dir string
}

func (b below) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	return b.OpenLegBelow(ctx, b.dir, uri)
}

// openerOf is what opens the spec's legs.
func (p *Processor) openerOf(spec *record.Spec) LegOpener {
	if o, ok := p.legs.(LegBelowOpener); ok && spec.LegsBelow != "" {
		return below{o, spec.LegsBelow}
	}
	return p.legs
}

// Objects is where outputs go. storage.Store is one.
//
// Put creates the object under key, or, if other bytes are there already, under a
// later version of it. Its bytes are those that write writes. Put calls write at
// most once, and no object is visible if write fails. It must return soon after ctx
// ends. If a recording has several outputs, they are put at the same time, each
// from a goroutine of its own. A single output is made within write.
type Objects interface {
	Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error)
}
