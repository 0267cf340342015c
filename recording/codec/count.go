package codec

import "fmt"

// Count is what every encoder does about its frames, whatever its format: it
// refuses blocks that are no whole frames and frames beyond those announced,
// keeps the first error, and ends once. An encoder embeds one, asks it first,
// and leaves its own errors in Err.
type Count struct {
	Codec    string // for errors: "flac"
	Channels int
	Frames   int64 // announced, or FramesUnknown
	Written  int64
	Err      error // the first, which every later call returns

	finished bool
}

// Block counts a block before it is encoded.
func (c *Count) Block(src []float32) error {
	switch {
	case c.Err != nil:
		return c.Err
	case c.finished:
		return ErrFinished
	case len(src)%c.Channels != 0:
		c.Err = fmt.Errorf("%s: %d samples are no whole frames of %d channels", c.Codec, len(src), c.Channels)
		return c.Err
	}
	c.Written += int64(len(src) / c.Channels)
	if c.Frames >= 0 && c.Written > c.Frames {
		c.Err = c.miscount()
	}
	return c.Err
}

// End begins to finish the encoder. If it says that all was done before, or fails,
// the encoder has nothing left to do.
func (c *Count) End() (done bool, err error) {
	if c.Err != nil || c.finished {
		return true, c.Err
	}
	c.finished = true
	if c.Frames >= 0 && c.Written != c.Frames {
		c.Err = c.miscount()
	}
	return c.Err != nil, c.Err
}

func (c *Count) miscount() error {
	return fmt.Errorf("%w: %d written, %d announced", ErrFrameCount, c.Written, c.Frames)
}
