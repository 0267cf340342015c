package flac_test

import (
	"bytes"
	"fmt"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
)

func Example() {
	var file bytes.Buffer
	enc, err := flac.New(&file, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{
		Frames: 3,
		Tags:   []codec.Tag{{Key: "call_id", Value: "c-42"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = enc.WriteFrames([]float32{0, 0.25, -0.25})
	if err := enc.Finish(); err != nil {
		fmt.Println(err)
		return
	}
	src, _, err := flac.Decode(&file, codec.Hint{Size: codec.SizeUnknown})
	if err != nil {
		fmt.Println(err)
		return
	}
	block := make([]float32, 160)
	n, _ := src.ReadFrames(block)
	fmt.Printf("%d frames at %d Hz: %.3f\n", n, src.Format().SampleRate, block[:n])
	// Output: 3 frames at 8000 Hz: [0.000 0.250 -0.250]
}
