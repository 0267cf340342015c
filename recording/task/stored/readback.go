package stored

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// ReadBack reads the object as Copy does, and reports a [*DamageError] if it isn't what was
// stored. Of an MP3 file that Switchtape has made the frames are walked, too: one whose hash
// is right and that no player could play through to the end is damaged all the same.
func (l *Library) ReadBack(ctx context.Context, o *Object) error {
	if o.Output == nil || o.Output.Codec != record.CodecMP3 || !strings.HasPrefix(o.Output.Encoder, mp3Encoder) {
		return l.Copy(ctx, io.Discard, o)
	}
	r, w := io.Pipe()
	walked := make(chan error, 1)
	go func() {
		err := walk(r, o.Output)
		_, _ = io.Copy(io.Discard, r) // what follows is hashed
		walked <- err
	}()
	err := l.Copy(ctx, w, o)
	_ = w.CloseWithError(err) // never fails
	unsound := <-walked
	if err != nil {
		return err
	}
	if unsound != nil {
		return &DamageError{Key: o.Key, Code: DefectObjectUnsound, Bytes: o.Bytes, SHA256: o.SHA256, Want: *o, Err: unsound}
	}
	return nil
}

// mp3Encoder begins the name of our encoder, of whatever version.
const mp3Encoder = "switchtape-mp3/"

// walk walks the frames, and says what isn't as the result says.
func walk(r io.Reader, o *record.OutputResult) error {
	info, err := mp3.Walk(r)
	if err == nil && (info.Frames != o.Frames || info.SampleRate != o.Rate || info.Channels != o.Channels) {
		err = fmt.Errorf("its frames hold %d frames of %d channels at %d Hz, and it was stored with %d of %d at %d",
			info.Frames, info.Channels, info.SampleRate, o.Frames, o.Channels, o.Rate)
	}
	return err
}
