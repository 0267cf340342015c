package stored

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// channelName is the file of a channel that split has written.
func channelName(c int) string { return strconv.Itoa(c) + ".wav" }

// split decodes the object and writes each of its channels into a file of its own in dir,
// which keeps every sample of up to 24 bits.
func (l *Library) split(ctx context.Context, from *Object, codecs *codec.Registry, dir string) (err error) {
	whole, err := os.OpenFile(filepath.Join(dir, "whole"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the job's own directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, whole.Close()) }()
	if err := l.Copy(ctx, whole, from); err != nil {
		if damage, ok := errors.AsType[*DamageError](err); ok {
			return callmodel.Permanent(damage)
		}
		return err
	}
	// The files' headers need the number of frames, which not every format tells.
	var frames int64
	err = decodeAll(ctx, whole, from.Bytes, codecs, func(_ *goaudio.Format, n int, _ []float32) error {
		frames += int64(n)
		return nil
	})
	if err != nil {
		return err
	}
	files := channelFiles{dir: dir, codecs: codecs, frames: frames}
	err = decodeAll(ctx, whole, from.Bytes, codecs, files.write)
	return errors.Join(err, files.finish(err == nil))
}

// decodeAll gives the frames of a file to f, block by block.
func decodeAll(ctx context.Context, whole io.ReadSeeker, size int64, codecs *codec.Registry, f func(*goaudio.Format, int, []float32) error) error {
	if _, err := whole.Seek(0, io.SeekStart); err != nil {
		return err
	}
	src, _, err := codecs.Decode(whole, codec.Hint{Size: size})
	if err != nil {
		return callmodel.Permanent(err) // its bytes are those that were stored
	}
	format := src.Format()
	block := make([]float32, blockFrames*format.NumChannels)
	for {
		n, err := audio.ReadFull(src, block)
		if n > 0 {
			if err := f(format, n, block[:n*format.NumChannels]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return callmodel.Permanent(err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

// blockFrames is how many frames are decoded at a time.
const blockFrames = 8192

// channelFiles are the files of an object's channels.
type channelFiles struct {
	dir    string
	codecs *codec.Registry
	frames int64 // that each of them is going to have

	files    []*os.File
	encoders []codec.Encoder
	channel  [blockFrames]float32
}

// write adds a block of interleaved frames.
func (c *channelFiles) write(f *goaudio.Format, n int, block []float32) error {
	for len(c.files) < f.NumChannels {
		if err := c.open(f.SampleRate); err != nil {
			return err
		}
	}
	for i, e := range c.encoders {
		for at := range n {
			c.channel[at] = block[at*f.NumChannels+i]
		}
		if err := e.WriteFrames(c.channel[:n]); err != nil {
			return err
		}
	}
	return nil
}

// open makes the next channel's file.
func (c *channelFiles) open(rate int) error {
	name := filepath.Join(c.dir, channelName(len(c.files)))
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the job's own directory
	if err != nil {
		return err
	}
	c.files = append(c.files, file)
	e, err := c.codecs.NewEncoder(record.CodecWAV, file, &goaudio.Format{NumChannels: 1, SampleRate: rate}, codec.Options{Frames: c.frames, BitDepth: 24})
	if err != nil {
		return callmodel.Permanent(err)
	}
	c.encoders = append(c.encoders, e)
	return nil
}

// finish ends the files, which are whole if all was written.
func (c *channelFiles) finish(all bool) (err error) {
	for _, e := range c.encoders {
		if all {
			err = errors.Join(err, e.Finish())
		}
	}
	for _, f := range c.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
