package mp3_test

import (
	"bytes"
	"fmt"
	"math"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// Encode go-audio buffers to an io.Writer, and verify the result.
func ExampleNewEncoder() {
	// Ten buffers of a 440 Hz tone of 0.1 s, as a go-audio decoder gives them.
	f := &goaudio.Format{NumChannels: 1, SampleRate: 8000}
	var buffers []*goaudio.Float32Buffer
	for b := range 10 {
		data := make([]float32, 800)
		for i := range data {
			data[i] = float32(0.5 * math.Sin(2*math.Pi*440*float64(800*b+i)/8000))
		}
		buffers = append(buffers, &goaudio.Float32Buffer{Format: f, Data: data})
	}

	var out bytes.Buffer
	enc, err := mp3.NewEncoder(&out, f, codec.Options{
		Frames:     8000,
		BitrateBps: 32000,
		Tags:       []codec.Tag{{Key: "call_id", Value: "c-1024"}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range buffers {
		if err := enc.WriteFrames(b.Data); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := enc.Finish(); err != nil {
		fmt.Println(err)
		return
	}

	info, err := mp3.Walk(&out)
	fmt.Println(info.Frames, info.SampleRate, info.AvgBitrateBps, err)
	// Output: 8000 8000 32000 <nil>
}
