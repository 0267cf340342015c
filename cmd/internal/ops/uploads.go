package ops

import (
	"context"
	"io"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording"
)

// How an upload ended.
const (
	stored       = "stored"
	existed      = "existed"
	uploadFailed = "failed"
)

// Uploads measures what is put into the bucket of that name.
func (m *Metrics) Uploads(bucket string, to recording.Objects) recording.Objects {
	for _, outcome := range []string{stored, existed, uploadFailed} {
		m.uploads.WithLabelValues(bucket, outcome)
	}
	m.uploaded.WithLabelValues(bucket)
	return &measuredObjects{to: to, bucket: bucket, m: m}
}

type measuredObjects struct {
	to     recording.Objects
	bucket string
	m      *Metrics
}

// Put implements recording.Objects. What is measured begins when all was written: before
// that the bucket waits for the encoder, and not the other way round.
func (o *measuredObjects) Put(ctx context.Context, key record.ObjectKey, meta record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	var written time.Time
	var span tracing.Span
	info, err := o.to.Put(ctx, key, meta, func(w io.Writer) error {
		if err := write(w); err != nil {
			return err
		}
		written = o.m.now()
		_, span = tracing.Start(ctx, o.m.Tracer, "upload")
		return nil
	})
	if written.IsZero() {
		return info, err // nothing came to be uploaded
	}
	span.Set("switchtape.object", key.String())
	span.SetInt("switchtape.bytes", info.Bytes)
	span.End(err)
	outcome := stored
	switch {
	case err != nil:
		outcome = uploadFailed
	case info.Existed:
		outcome = existed
	default:
		o.m.uploaded.WithLabelValues(o.bucket).Add(float64(info.Bytes))
	}
	observe(o.m.uploads.WithLabelValues(o.bucket, outcome), o.m.now().Sub(written).Seconds(), exemplar("object", key.String()))
	return info, err
}
