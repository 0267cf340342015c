package legfile

import (
	"context"
	"errors"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// decoding is an open file with its decoder.
type decoding struct {
	file *file
	src  audio.Source // of the file's frames; nil if it can't be decoded
}

// defect turns an error of the decoder into a defect, if the file's content is to
// blame and not the read of it.
func (d *decoding) defect(err error) (record.Defect, bool) {
	var fault *codec.DecodeError
	if !errors.As(err, &fault) || d.file.err != nil {
		return record.Defect{}, false
	}
	detail := fault.Detail
	if fault.Err != nil {
		detail += ": " + fault.Err.Error()
	}
	return record.Defect{Code: fault.Code, Detail: detail}, true
}

// skipToEnd reads all frames that are left and returns how many there were, and
// the error that it met there: io.EOF, the decoder's, the file's or ctx's.
func (d *decoding) skipToEnd(ctx context.Context) (frames int64, err error) {
	const blockFrames = 2048
	block := make([]float32, d.src.Format().NumChannels*blockFrames)
	for {
		if err := ctx.Err(); err != nil {
			return frames, err
		}
		n, err := d.src.ReadFrames(block)
		frames += int64(n)
		if err != nil {
			return frames, err
		}
	}
}

func (d *decoding) close() {
	_ = d.file.rc.Close() // it was only read
}
