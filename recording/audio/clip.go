package audio

// FullScale16 is the level from which a sample of 16-bit PCM counts as being at
// full scale.
const FullScale16 = 32767.0 / 32768

// ClipRun is how many samples in a row at full scale of one channel count as
// clipping. Single full-scale samples occur in clean, normalised audio.
const ClipRun = 3

// ClipCounter counts the samples of a source that its recorder clipped: those
// in runs of at least [ClipRun] samples at full scale, per channel.
type ClipCounter struct {
	level float32
	runs  []int64
	count int64
}

// NewClipCounter counts in interleaved blocks of the given number of channels;
// level is the magnitude, in (0, 1], from which a sample is at full scale.
func NewClipCounter(channels int, level float32) *ClipCounter {
	return &ClipCounter{level: level, runs: make([]int64, channels)}
}

// Count takes the next block.
func (c *ClipCounter) Count(block []float32) {
	if len(c.runs) == 1 {
		run := c.runs[0]
		for _, x := range block {
			run = c.step(run, x)
		}
		c.runs[0] = run
		return
	}
	for len(block) >= len(c.runs) {
		for ch := range c.runs {
			c.runs[ch] = c.step(c.runs[ch], block[ch])
		}
		block = block[len(c.runs):]
	}
}

func (c *ClipCounter) step(run int64, x float32) int64 {
	if x < c.level && x > -c.level {
		return 0
	}
	run++
	if run == ClipRun {
		c.count += ClipRun
	} else if run > ClipRun {
		c.count++
	}
	return run
}

// Skip takes the next block without looking at it: the caller knows that no sample
// of it is at full scale.
func (c *ClipCounter) Skip() { clear(c.runs) }

// Clipped is how many samples were clipped so far.
func (c *ClipCounter) Clipped() int64 { return c.count }
