package recording

import "github.com/switchtape/switchtape/recording/audio"

// minDropoutRate is the lowest rate at which dropouts are looked for: below it, 5
// ms are too few frames.
const minDropoutRate = 1000 // Hz

// dropoutSource looks for dropouts in what is read of a segment, while the
// recording is made: to look at every sample once more takes as long as to mix
// it. It comes after redaction, as nothing is derived from what that removed.
type dropoutSource struct {
	audio.Source

	detector *audio.DropoutDetector
}

// ReadFrames implements [audio.Source].
func (d *dropoutSource) ReadFrames(dst []float32) (int, error) {
	n, err := d.Source.ReadFrames(dst)
	d.detector.Listen(dst[:n])
	return n, err
}

// Frames implements [audio.Sized].
func (d *dropoutSource) Frames() int64 {
	n, ok := audio.FramesOf(d.Source)
	if !ok {
		return -1
	}
	return n
}
