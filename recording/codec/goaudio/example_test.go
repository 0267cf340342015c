package goaudio_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	ga "github.com/go-audio/audio"
	gowav "github.com/go-audio/wav"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/goaudio"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// announcement is what a program made with go-audio: a second of a tone.
func announcement() *ga.IntBuffer {
	b := &ga.IntBuffer{Format: &ga.Format{NumChannels: 1, SampleRate: 8000}, SourceBitDepth: 16}
	for i := range 8000 {
		b.Data = append(b.Data, int(8000*math.Sin(2*math.Pi*440*float64(i)/8000)))
	}
	return b
}

// encodeMP3 encodes a source that knows its length.
func encodeMP3(w io.Writer, src *audio.Timeline) error {
	e, err := mp3.New(w, src.Format(), codec.Options{Frames: src.Frames()})
	if err != nil {
		return err
	}
	block := make([]float32, 1024)
	for {
		n, err := src.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			return e.Finish()
		}
		if err != nil {
			return err
		}
		if err := e.WriteFrames(block[:n]); err != nil {
			return err
		}
	}
}

// A leg that go-audio's WAV decoder reads and a buffer of go-audio's are mixed, the
// buffer from the third second on, and encoded as an MP3. The MP3 is decoded again
// into a buffer that go-audio's transforms and encoders take.
func Example() {
	leg, err := goaudio.FromWAV(gowav.NewDecoder(bytes.NewReader(samplecall.Agent())))
	if err != nil {
		fmt.Println(err)
		return
	}
	tone, err := goaudio.FromInt(announcement())
	if err != nil {
		fmt.Println(err)
		return
	}
	call, err := audio.Place(leg.Format(), samplecall.AgentFrames, []audio.Segment{
		{Source: leg}, {Source: tone, OffsetFrames: 2 * samplecall.SampleRateHz},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	if err := encodeMP3(&file, call); err != nil {
		fmt.Println(err)
		return
	}

	made, _, err := mp3.Decode(bytes.NewReader(file.Bytes()), codec.Hint{Size: int64(file.Len())})
	if err != nil {
		fmt.Println(err)
		return
	}
	buffer := &ga.IntBuffer{Data: make([]int, 800), SourceBitDepth: 16} // a tenth of a second at a time
	frames := 0
	for {
		n, err := goaudio.ReadInt(made, buffer)
		frames += n
		if err != nil {
			break
		}
		buffer.Data = buffer.Data[:cap(buffer.Data)]
	}
	fmt.Println(frames, "frames of", buffer.Format.NumChannels, "channel at", buffer.Format.SampleRate, "Hz")
	// Output: 394709 frames of 1 channel at 8000 Hz
}
