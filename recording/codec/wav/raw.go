package wav

import (
	"io"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/g722"
	"github.com/switchtape/switchtape/recording/codec/gsm"
)

// DecodeRaw is the [codec.Decoder] of audio without a header, in the format of
// hint.Raw. A last frame that isn't whole is a truncated defect.
func DecodeRaw(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	if hint.Raw == nil {
		return nil, nil, unreadable("no format is given for audio without a header")
	}
	s := &source{walk: walk{in: newInput(r, hint.Size), left: 1 << 62}, noHeader: true, frames: -1}
	if err := s.rawLayout(hint.Raw); err != nil {
		return nil, nil, err
	}
	s.prepare()
	if hint.Size >= 0 {
		s.frames = s.framesIn(hint.Size)
	}
	return s, nil, nil
}

// RawFrames is how many frames [DecodeRaw] makes of so many bytes of the format. The error is
// that of a format that DecodeRaw refuses.
func RawFrames(f *record.RawFormat, bytes int64) (int64, error) {
	var s source
	if err := s.rawLayout(f); err != nil {
		return 0, err
	}
	s.blocks = s.newBlocks()
	return s.framesIn(bytes), nil
}

// DecodeGSM is the [codec.Decoder] of GSM 6.10 in bare frames of 33 bytes: what
// [gsm.Begins] recognises.
func DecodeGSM(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	hint.Raw = &record.RawFormat{Encoding: "gsm", SampleRateHz: gsm.SampleRate}
	return DecodeRaw(r, hint)
}

// rawBlock is how many milliseconds of raw ADPCM are decoded at a time.
const rawBlock = 20

// rawLayoutOf is the layout of an encoding that record.RawEncodings lists, without its
// channels. A rate in it is the only one.
func rawLayoutOf(encoding string) (l layout, ok bool) {
	switch encoding {
	case "mulaw":
		return layout{enc: encMulaw, bytes: 1}, true
	case "alaw":
		return layout{enc: encAlaw, bytes: 1}, true
	case "u8":
		return layout{bytes: 1}, true
	case "s8":
		return layout{bytes: 1, signed8: true}, true
	case "gsm":
		return layout{enc: encBareGSM, block: gsm.FrameBytes, rate: gsm.SampleRate}, true
	case "g722":
		return layout{enc: encG722, block: g722.SampleRate / 1000 * rawBlock / g722.SamplesPerByte, rate: g722.SampleRate}, true
	case "vox":
		return layout{enc: encVox, block: 4 * rawBlock}, true
	case "ima":
		return layout{enc: encBareIMA, block: 4 * rawBlock}, true
	}
	if rate, ok := strings.CutPrefix(encoding, "aal2-g726-"); ok {
		l, ok = g726Layout(rate)
		l.highFirst = true
		return l, ok
	}
	if rate, ok := strings.CutPrefix(encoding, "g726-"); ok {
		return g726Layout(rate)
	}
	return pcmLayout(encoding)
}

// g726Layout is that of G.726 of so many kbit/s.
func g726Layout(kbps string) (l layout, ok bool) {
	switch kbps {
	case "16":
		l.codeBits = 2
	case "24":
		l.codeBits = 3
	case "32":
		l.codeBits = 4
	case "40":
		l.codeBits = 5
	}
	l.enc, l.block = encG726, l.codeBits*rawBlock
	return l, l.codeBits > 0
}

// pcmLayout is that of linear PCM and floats: s16le, f64be and the like.
func pcmLayout(encoding string) (l layout, ok bool) {
	kind, found := strings.CutSuffix(encoding, "le")
	if !found {
		kind, found = strings.CutSuffix(encoding, "be")
		l.bigEndian = found
	}
	switch kind {
	case "s16":
		l.bytes = 2
	case "s24":
		l.bytes = 3
	case "s32":
		l.bytes = 4
	case "f32":
		l.enc, l.bytes = encFloat, 4
	case "f64":
		l.enc, l.bytes = encFloat, 8
	}
	return l, found && l.bytes > 0
}

func (s *source) rawLayout(f *record.RawFormat) error {
	l, ok := rawLayoutOf(f.Encoding)
	if !ok {
		return unsupported("raw encoding %q; what can be read is %s", f.Encoding, strings.Join(record.RawEncodings(), ", "))
	}
	l.channels = max(f.Channels, 1)
	switch {
	case l.rate != 0 && (f.SampleRateHz != l.rate || l.channels != 1):
		return unsupported("raw %s of %d channels at %d Hz; it has 1 at %d Hz", l.encoding(), l.channels, f.SampleRateHz, l.rate)
	case l.block > 0 && l.channels != 1:
		return unsupported("raw %s of %d channels; it has 1", l.encoding(), l.channels)
	}
	if l.rate = f.SampleRateHz; l.channels > MaxChannels || l.rate < audio.MinResampleRate || l.rate > audio.MaxResampleRate {
		return unsupported("raw audio of %d channels at %d Hz; 1 to %d can be read, at %d to %d Hz",
			l.channels, l.rate, MaxChannels, audio.MinResampleRate, audio.MaxResampleRate)
	}
	s.layout = l
	return nil
}

// Samples implements [codec.Sampler].
func (s *source) Samples() *record.RawFormat {
	f := &record.RawFormat{SampleRateHz: s.rate, Channels: s.channels}
	switch {
	case s.enc == encMulaw:
		f.Encoding = "mulaw"
	case s.enc == encAlaw:
		f.Encoding = "alaw"
	case s.enc == encInt && s.bytes == 2 && !s.bigEndian:
		f.Encoding = "s16le"
	case s.enc == encInt && s.bytes == 3 && !s.bigEndian:
		f.Encoding = "s24le"
	default:
		return nil
	}
	return f
}

// NewPCMSource is a Source of bare little-endian linear PCM of 8 (unsigned), 16,
// 24 or 32 bits, size bytes of it; the stream may end before.
func NewPCMSource(r io.Reader, f *goaudio.Format, bits int, size int64) (audio.Source, error) {
	if bits%8 != 0 || bits < 8 || bits > 32 || f == nil || f.NumChannels < 1 || f.NumChannels > MaxChannels || f.SampleRate < 1 {
		return nil, unsupported("PCM of %d bits in the format %+v", bits, f)
	}
	s := &source{walk: walk{in: newInput(r, codec.SizeUnknown), left: max(size, 0)}, noHeader: true, frames: -1}
	s.layout = layout{channels: f.NumChannels, rate: f.SampleRate, bytes: bits / 8}
	s.prepare()
	return s, nil
}
