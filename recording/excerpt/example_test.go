package excerpt_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/excerpt"
)

// Cut two seconds out of a recording of ten.
func ExampleCut() {
	codecs := recording.BuiltinCodecs()
	var whole, part bytes.Buffer
	e, err := codecs.NewEncoder(record.CodecWAV, &whole, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{Frames: 80_000})
	if err == nil {
		err = e.WriteFrames(make([]float32, 80_000))
	}
	if err == nil {
		err = e.Finish()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	o := &record.OutputResult{Codec: record.CodecWAV, Channels: 1, Rate: 8000, Frames: 80_000}
	frames, err := excerpt.Cut(context.Background(), codecs, bytes.NewReader(whole.Bytes()), int64(whole.Len()), o, 3*time.Second, 5*time.Second, &part)
	fmt.Println(frames, err)
	// Output: 16000 <nil>
}
