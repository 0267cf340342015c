package main

import (
	"github.com/switchtape/switchtape/recording/audio"
)

// dcBlocker is a Source without the direct current of another: a one-pole
// high-pass at 6 Hz or so of 8 kHz. It keeps every frame in its place.
type dcBlocker struct {
	audio.Source

	x, y float32 // the last frame's input and output
}

func withoutDC(src audio.Source) audio.Source { return &dcBlocker{Source: src} }

// ReadFrames implements [audio.Source], for one channel: stages get legs in mono.
func (d *dcBlocker) ReadFrames(dst []float32) (int, error) {
	n, err := d.Source.ReadFrames(dst)
	for i, x := range dst[:n] {
		d.y = x - d.x + 0.995*d.y
		d.x = x
		dst[i] = d.y
	}
	return n, err
}
