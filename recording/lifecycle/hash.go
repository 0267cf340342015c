package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/retention"
)

// hashing reads what is about to be deleted for its hashes, as far as it may. A deletion
// never fails for it.
type hashing struct {
	within context.Context //nolint:containedctx // it lives as long as one plan
	end    context.CancelFunc
	left   int64 // bytes
	bytes  int64 // that may be read in all
	time   time.Duration
}

func (e *Eraser) hashing(ctx context.Context) *hashing {
	h := &hashing{left: e.opts.HashBytes, bytes: e.opts.HashBytes, time: e.opts.HashTime}
	h.within, h.end = context.WithTimeout(ctx, max(h.time, 0))
	return h
}

// read sets the hashes of the objects, or why they have none.
func (h *hashing) read(ctx context.Context, bucket Bucket, objects []retention.Object) {
	for i := range objects {
		o := &objects[i]
		switch {
		case o.Mark:
		case h.bytes < 0 || h.time < 0:
			o.NotRead = "nothing is read for a proof by this worker"
		case o.Bytes > h.left:
			o.NotRead = fmt.Sprintf("its bytes are more than the %d that are left of the %d which are read for a proof", h.left, h.bytes)
		case h.within.Err() != nil:
			o.NotRead = h.over()
		default:
			h.left -= o.Bytes
			h.one(ctx, bucket, o)
		}
	}
}

// maxNotRead bounds the reason why an object wasn't read, in bytes.
const maxNotRead = 256

func (h *hashing) one(ctx context.Context, bucket Bucket, o *retention.Object) {
	err := bucket.HashStored(h.within, o) //nolint:contextcheck // it is ctx with the time for all of them
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		o.NotRead = "it went before it was read"
	case h.within.Err() != nil && ctx.Err() == nil:
		o.NotRead = h.over()
	default:
		if o.NotRead = err.Error(); len(o.NotRead) > maxNotRead {
			o.NotRead = strings.ToValidUTF8(o.NotRead[:maxNotRead], "") + "…"
		}
	}
}

func (h *hashing) over() string {
	return fmt.Sprintf("the %v were over in which objects are read for a proof", h.time)
}
