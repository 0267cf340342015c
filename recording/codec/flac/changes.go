package flac

import (
	"fmt"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec/internal/seam"
)

// changes are the seams at which the parameters of a stream changed.
type changes struct {
	count int64
	first string // where, and to what
}

// add notes a seam behind so many frames of the stream, in all parts before it.
func (c *changes) add(frames int64, to *streamInfo) {
	if c.count++; c.count == 1 {
		c.first = fmt.Sprintf("after %d frames the stream goes on with %s, in %d bits", frames,
			seam.Name(&goaudio.Format{NumChannels: to.channels, SampleRate: to.rate}), to.depth)
	}
}

// defects tells of them. as is the format that everything was read in.
func (c *changes) defects(as *goaudio.Format) []record.Defect {
	if c.count == 0 {
		return nil
	}
	return []record.Defect{{
		Code: record.DefectFormatChanged, Count: c.count, Detail: c.first + "; all of it was read as " + seam.Name(as),
	}}
}
