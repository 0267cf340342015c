package recording

import (
	"fmt"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// Stage changes the audio of one file of a leg: a denoiser, an equaliser, a
// watermark. src is mono, at the file's own rate, before gain, redaction and
// resampling. The source that the stage returns must have the same format and
// number of frames, so a stage with a delay must drop as many frames at the
// beginning. The same input must give the same output, as a recording that is made
// again must have the same bytes. A stage that doesn't change a leg returns src.
//
// It is called once for every file of every leg; and once more if the legs are
// scanned before the recording is made, for trimming or levelling.
type Stage func(leg *record.LegSpec, src audio.Source) (audio.Source, error)

// throughStages is src, which has that many frames, behind the program's stages.
func throughStages(stages []Stage, leg *record.LegSpec, src audio.Source, frames int64) (audio.Source, error) {
	want := *src.Format()
	for i, stage := range stages {
		next, err := stage(leg, src)
		if err != nil {
			return nil, fmt.Errorf("recording: stage %d on leg %q: %w", i, leg.Name, err)
		}
		if got := *next.Format(); got != want {
			return nil, fmt.Errorf("recording: stage %d on leg %q made %+v of %+v; a stage must keep the format", i, leg.Name, got, want)
		}
		src = next
	}
	if len(stages) == 0 {
		return src, nil
	}
	return &counted{Source: src, left: frames, leg: leg.Name}, nil
}

// counted is a source that may not have more than a number of frames: a stage that
// makes more would move everything behind them.
type counted struct {
	audio.Source

	leg  string
	left int64
	err  error
}

// ReadFrames implements [audio.Source].
func (c *counted) ReadFrames(dst []float32) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Source.ReadFrames(dst)
	c.left -= int64(n)
	if c.left < 0 {
		c.err = fmt.Errorf("recording: the stages on leg %q make %d frames or more too many; a stage must keep their number", c.leg, -c.left)
		return 0, c.err
	}
	if err != nil {
		c.err = err
	}
	return n, err
}
