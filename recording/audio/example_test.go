package audio_test

import (
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
)

// One leg starts the call, the other comes in two frames later; they are summed.
func Example() {
	f := &goaudio.Format{NumChannels: 1, SampleRate: 8000}
	late, err := audio.Place(f, 4, []audio.Segment{{Source: audio.NewSource(f, []float32{0.5, 0.5}), OffsetFrames: 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := audio.Mix(audio.NewSource(f, []float32{0.25, 0.25, 0.25}), late)
	if err != nil {
		fmt.Println(err)
		return
	}
	block := make([]float32, 3)
	for {
		n, err := sum.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			return
		}
		fmt.Println(block[:n])
	}
	// Output:
	// [0.25 0.25 0.75]
	// [0.5]
}
