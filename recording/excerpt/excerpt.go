// Package excerpt cuts a part out of a finished recording's output, in the same format.
//
//	output ─▶ decode ─▶ frames from … to ─▶ encode ─▶ excerpt
//
// The part is decoded and encoded anew, and no byte of the output is copied: frames of MP3
// and of FLAC hold, or refer to, what lies before and behind them. Of WAV, of FLAC, of
// µ-law and of A-law every sample stays as it is; MP3 loses what encoding once more does.
// The same part of the same output gives the same bytes.
package excerpt

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// blockFrames is how many frames are decoded at a time.
const blockFrames = 8192

// Check reports whether a part can be cut out of the output: CodeUnsupported if its format
// can't be read or written here, and FieldErrors, of "from_ms" and "to_ms", if it has no
// such part. to 0 is its end.
func Check(codecs *codec.Registry, o *record.OutputResult, from, to time.Duration) error {
	if !o.Codec.Audio() || !readable(o.Codec) {
		return callmodel.Errorf(callmodel.CodeUnsupported, "no part can be cut out of an output of the format %s: choose one in wav, flac, mp3, mulaw or alaw, or the whole", o.Codec)
	}
	if _, ok := codecs.Outputs[o.Codec]; !ok {
		return callmodel.Errorf(callmodel.CodeUnsupported, "the format %s can't be written here", o.Codec)
	}
	_, _, err := frames(o, from, to)
	return err
}

// readable reports whether outputs of the codec can be decoded.
func readable(c record.Codec) bool {
	switch c {
	case record.CodecWAV, record.CodecMulaw, record.CodecAlaw, record.CodecFLAC, record.CodecMP3:
		return true
	default:
		return false
	}
}

// frames are the first frame of the part, and the one behind its last.
func frames(o *record.OutputResult, from, to time.Duration) (first, end int64, err error) {
	var e callmodel.FieldErrors
	first, end = audio.FramesIn(from, o.Rate), o.Frames
	length := audio.DurationOf(o.Frames, o.Rate)
	if to > 0 {
		end = min(audio.FramesIn(to, o.Rate), o.Frames)
	}
	switch {
	case from < 0 || to < 0:
		e.Add("from_ms", "is negative, or to_ms is")
	case first >= o.Frames:
		e.Add("from_ms", "lies behind the recording's end, at %d", length.Milliseconds())
	case end <= first:
		e.Add("to_ms", "is not behind from_ms")
	case to > length+time.Second: // whoever asks has rounded
		e.Add("to_ms", "lies behind the recording's end, at %d", length.Milliseconds())
	}
	return first, end, e.Err()
}

// Cut writes the part of the output from … to, whose bytes in reads, of that many. to 0 is
// its end. It returns how many frames the excerpt has.
func Cut(ctx context.Context, codecs *codec.Registry, in io.ReadSeeker, size int64, o *record.OutputResult, from, to time.Duration, out io.Writer) (int64, error) {
	if err := Check(codecs, o, from, to); err != nil {
		return 0, err
	}
	first, end, err := frames(o, from, to)
	if err != nil {
		return 0, err
	}
	src, _, err := codecs.Decode(in, codec.Hint{Size: size})
	if err != nil {
		return 0, err
	}
	f := src.Format()
	enc, err := codecs.NewEncoder(o.Codec, out, f, codec.Options{Frames: end - first, BitrateBps: bitrate(o), BitDepth: depth(o)})
	if err != nil {
		return 0, err
	}
	block := make([]float32, blockFrames*f.NumChannels)
	at := int64(0)
	for at < end {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		n, err := audio.ReadFull(src, block)
		if lo, hi := max(first-at, 0), min(end-at, int64(n)); lo < hi {
			if err := enc.WriteFrames(block[lo*int64(f.NumChannels) : hi*int64(f.NumChannels)]); err != nil {
				return 0, err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if at < end {
		return 0, callmodel.Errorf(callmodel.CodeConflict, "the output has %d frames, and was stored with %d: it can't be cut", at, o.Frames)
	}
	return end - first, enc.Finish()
}

// bitrate is what the excerpt is encoded with, of formats that lose something: that of the
// output, or the next one above that MP3 has for its sample rate (ISO 11172-3, 2.4.2.3, and
// ISO 13818-3, 2.4.2.3). An output's bitrate may be the mean over its file.
func bitrate(o *record.OutputResult) int {
	if o.Codec != record.CodecMP3 {
		return 0
	}
	const mpeg1 = 32_000 // Hz, and above
	kbps := []int{8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	if o.Rate >= mpeg1 {
		kbps = []int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	}
	for _, k := range kbps {
		if k*1000 >= o.Bitrate-o.Bitrate/headers {
			return k * 1000
		}
	}
	return kbps[len(kbps)-1] * 1000
}

// headers is of what share of a file's bytes its tags are taken for at most.
const headers = 20

// depth is the bits of a sample, of formats that lose nothing. Of FLAC nobody has noted
// it: 24 keep whatever it was.
func depth(o *record.OutputResult) int {
	const wide = 24
	if o.Codec == record.CodecFLAC || o.Codec == record.CodecWAV && o.Rate*o.Channels > 0 && o.Bitrate/(o.Rate*o.Channels) == wide {
		return wide
	}
	return 0
}
