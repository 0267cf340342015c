package recordingtest

import (
	"encoding/binary"
	"math"
	"slices"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
)

// WAVCase is a WAV file as a telephone server may leave it behind, and what a
// reader must make of it.
type WAVCase struct {
	Name    string
	File    []byte
	Format  goaudio.Format
	Want    []float32           // interleaved samples; nil if the file can't be read
	Defects []record.DefectCode // in the reader's order; or the one for which it can't be read
	FFmpeg  bool                // ffmpeg reads the same samples
	// Random is set if that is so only where the file can be read at random, and
	// not from a stream.
	Random bool
}

// chunk is one RIFF chunk; pad adds the pad byte that an odd size needs.
func chunk(id string, body []byte, pad bool) []byte {
	out := append([]byte(id), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(body)))
	out = append(out, body...)
	if pad && len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), slices.Concat(chunks...)...)
	return chunk("RIFF", body, false)
}

// fmtBody is the body of a fmt chunk of 16 bytes.
func fmtBody(tag, channels, rate, bits int) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	return binary.LittleEndian.AppendUint16(b, uint16(bits))
}

func extensible(tag, channels, rate, bits int) []byte {
	b := append(fmtBody(0xFFFE, channels, rate, bits), 22, 0, byte(bits), 0, 0, 0, 0, 0, byte(tag), byte(tag>>8))
	return append(b, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
}

func with(b []byte, at int, v uint32) []byte {
	b = slices.Clone(b)
	binary.LittleEndian.PutUint32(b[at:], v)
	return b
}

// WAVCorpus makes every kind of WAV file of the design's table of leg faults,
// good ones first, the same for the same seed. Samples are noise; none is at
// full scale in a run.
func WAVCorpus(seed uint64) []WAVCase {
	const n, rate = 4001, 8000
	samples := Noise(n, 0.9, seed)
	pcm := make([]byte, 0, 2*n)
	for i, x := range samples {
		v := int16(math.Round(float64(x) * 32768))
		samples[i] = float32(v) / 32768
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
	}
	mono := goaudio.Format{NumChannels: 1, SampleRate: rate}
	format := chunk("fmt ", fmtBody(1, 1, rate, 16), true)
	data := chunk("data", pcm, true)
	list := chunk("LIST", append([]byte("INFOISFT"), 4, 0, 0, 0, 'p', 'b', 'x', 0), true)
	odd := chunk("LIST", []byte("INFO\x01"), false)
	good := riff(format, data)
	repaired := []record.DefectCode{record.DefectHeaderRepaired}
	truncated := []record.DefectCode{record.DefectTruncated}
	c := []WAVCase{
		{Name: "good", File: good, Want: samples, FFmpeg: true},
		{Name: "fmt of 18 bytes", File: riff(chunk("fmt ", append(fmtBody(1, 1, rate, 16), 0, 0), true), data), Want: samples, FFmpeg: true},
		{Name: "EXTENSIBLE", File: riff(chunk("fmt ", extensible(1, 1, rate, 16), true), data), Want: samples, FFmpeg: true},
		{Name: "LIST before data", File: riff(format, list, data), Want: samples, FFmpeg: true},
		{Name: "JUNK before fmt", File: riff(chunk("JUNK", make([]byte, 28), true), format, data), Want: samples, FFmpeg: true},
		{Name: "LIST after data", File: riff(format, data, list), Want: samples, FFmpeg: true},
		{Name: "odd LIST with its pad byte", File: riff(format, chunk("LIST", []byte("INFO\x01"), true), data), Want: samples, FFmpeg: true},
		{Name: "trailing garbage", File: append(slices.Clone(good), "\x01\x02garbage behind the RIFF chunk"...), Want: samples},
		{
			Name: "several data chunks", File: riff(format, chunk("data", pcm[:2000], true), list, chunk("data", pcm[2000:], true)),
			Want: samples, FFmpeg: true,
		},
		{Name: "odd LIST without its pad byte", File: riff(format, odd, data), Want: samples, Defects: repaired},
		{Name: "RIFF size 0", File: with(good, 4, 0), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "RIFF size wrong", File: with(good, 4, 99999999), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "data size 0", File: with(good, 40, 0), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "data size 0, RIFF size 36", File: with(with(good, 4, 36), 40, 0), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "data size 0xFFFFFFFF", File: with(with(good, 4, 0xFFFFFFFF), 40, 0xFFFFFFFF), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "data size beyond the file", File: with(good, 40, 2*n+77777), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "data size of sox to a pipe", File: with(with(good, 4, 0x7FFFFFFF), 40, 0x7FFFFFFF-36), Want: samples, Defects: repaired, FFmpeg: true},
		{
			Name: "data size 0xFFFFFFFF, LIST after data", File: with(riff(format, data, list), 40, 0xFFFFFFFF),
			Want: samples, Defects: repaired,
		},
		{Name: "block alignment 0", File: with(good, 32, 16<<16), Want: samples, Defects: repaired},
		{Name: "block alignment 4", File: with(good, 32, 16<<16|4), Want: samples, Defects: repaired, FFmpeg: true},
		{Name: "fmt size wrong", File: with(good, 16, 0x7FFFFFF0), Want: samples, Defects: repaired},
		{Name: "size of LIST before data wrong", File: with(riff(format, list, data), 40, 0x00FFFFFF), Want: samples, Defects: repaired},
		{Name: "truncated", File: good[:44+2*1234], Want: samples[:1234], Defects: truncated, FFmpeg: true},
		{Name: "truncated within a frame", File: good[:44+2*1234+1], Want: samples[:1234], Defects: truncated, FFmpeg: true},
		{Name: "odd last byte", File: riff(format, chunk("data", pcm[:2*1234+1], true)), Want: samples[:1234], Defects: truncated, FFmpeg: true},
		{Name: "0 bytes", File: []byte{}, Defects: []record.DefectCode{record.DefectLegEmpty}},
		{Name: "header only", File: good[:20], Defects: []record.DefectCode{record.DefectLegEmpty}},
		{Name: "11 bytes", File: good[:11], Defects: []record.DefectCode{record.DefectLegEmpty}},
		{Name: "not a WAV", File: []byte("<html>404 not found, this is no audio at all</html>"), Defects: []record.DefectCode{record.DefectUnreadableLeg}},
		{Name: "no fmt", File: riff(data), Defects: []record.DefectCode{record.DefectUnreadableLeg}},
		{Name: "65535 channels", File: riff(chunk("fmt ", fmtBody(1, 65535, rate, 16), true), data), Defects: []record.DefectCode{record.DefectUnreadableLeg}},
		{Name: "0 channels", File: riff(chunk("fmt ", fmtBody(1, 0, rate, 16), true), data), Defects: []record.DefectCode{record.DefectUnreadableLeg}},
		{Name: "0 Hz", File: riff(chunk("fmt ", fmtBody(1, 1, 0, 16), true), data), Defects: []record.DefectCode{record.DefectUnreadableLeg}},
	}
	for _, tag := range []int{0x0020, 0x0022, 0x0061, 0x0083, 0x1234} {
		c = append(c, WAVCase{
			Name: "format tag " + string("0123456789abcdef"[tag>>4&15]) + string("0123456789abcdef"[tag&15]),
			File: riff(chunk("fmt ", append(fmtBody(tag, 1, rate, 4), 2, 0, 0x40, 1), true), data), Defects: []record.DefectCode{record.DefectUnsupportedCodec},
		})
	}
	for i := range c {
		c[i].Format = mono
	}
	c = append(c, oddCases(samples, pcm)...)
	c = append(c, oddFormats(seed)...)
	return append(c, formatCases(seed)...)
}

// formatCases are the sample formats and containers that are read.
func formatCases(seed uint64) []WAVCase {
	const n, rate = 2 * 1500, 16000
	stereo := goaudio.Format{NumChannels: 2, SampleRate: rate}
	noise := Noise(n, 0.9, seed+1)
	le := binary.LittleEndian
	var c []WAVCase
	for _, f := range []struct {
		name      string
		tag, bits int
		put       func(b []byte, x float64) ([]byte, float32)
	}{
		{"PCM of 8 bits", 1, 8, func(b []byte, x float64) ([]byte, float32) {
			v := math.Round(x * 128)
			return append(b, byte(v+128)), float32(v / 128)
		}},
		{"PCM of 24 bits", 1, 24, func(b []byte, x float64) ([]byte, float32) {
			v := int32(x * (1 << 23))
			return append(b, byte(v), byte(v>>8), byte(v>>16)), float32(v) / (1 << 23)
		}},
		{"PCM of 32 bits", 1, 32, func(b []byte, x float64) ([]byte, float32) {
			v := int32(x * (1 << 31))
			return le.AppendUint32(b, uint32(v)), float32(v) / (1 << 31)
		}},
		{"float of 32 bits", 3, 32, func(b []byte, x float64) ([]byte, float32) {
			return le.AppendUint32(b, math.Float32bits(float32(x))), float32(x)
		}},
		{"float of 64 bits", 3, 64, func(b []byte, x float64) ([]byte, float32) {
			return le.AppendUint64(b, math.Float64bits(x)), float32(x)
		}},
	} {
		var body []byte
		want := make([]float32, n)
		for i, x := range noise {
			body, want[i] = f.put(body, float64(x))
		}
		format, data := chunk("fmt ", fmtBody(f.tag, 2, rate, f.bits), true), chunk("data", body, true)
		c = append(c,
			WAVCase{Name: f.name, File: riff(format, data), Format: stereo, Want: want, FFmpeg: true},
			WAVCase{
				Name: f.name + ", EXTENSIBLE", File: riff(chunk("fmt ", extensible(f.tag, 2, rate, f.bits), true), data),
				Format: stereo, Want: want, FFmpeg: true,
			},
			WAVCase{Name: f.name + ", RF64", File: rf64("RF64", format, body), Format: stereo, Want: want, FFmpeg: true},
			WAVCase{Name: f.name + ", BW64", File: rf64("BW64", format, body), Format: stereo, Want: want, FFmpeg: true},
			WAVCase{Name: f.name + ", RIFX", File: rifx(f.tag, 2, rate, f.bits, body), Format: stereo, Want: want},
		)
	}
	bad := []float32{0, float32(math.NaN()), 0.5, float32(math.Inf(1)), 0.25, float32(math.Inf(-1))}
	var body []byte
	for _, x := range bad {
		body = le.AppendUint32(body, math.Float32bits(x))
	}
	return append(c, WAVCase{
		Name: "NaN and Inf", File: riff(chunk("fmt ", fmtBody(3, 1, 8000, 32), true), chunk("data", body, true)),
		Format: goaudio.Format{NumChannels: 1, SampleRate: 8000}, Want: []float32{0, 0, 0.5, 0, 0.25, 0},
		Defects: []record.DefectCode{record.DefectNonFinite},
	})
}

func rf64(form string, format, data []byte) []byte {
	ds64 := binary.LittleEndian.AppendUint64(nil, uint64(4+36+len(format)+8+len(data)+len(data)%2))
	ds64 = binary.LittleEndian.AppendUint64(ds64, uint64(len(data)))
	ds64 = append(ds64, make([]byte, 12)...)
	out := append([]byte(form), 0xFF, 0xFF, 0xFF, 0xFF)
	out = append(out, "WAVE"...)
	out = append(out, chunk("ds64", ds64, true)...)
	out = append(out, format...)
	out = append(out, "data\xFF\xFF\xFF\xFF"...)
	out = append(out, data...)
	return append(out, make([]byte, len(data)%2)...)
}

func rifx(tag, channels, rate, bits int, body []byte) []byte {
	be := binary.BigEndian
	out := be.AppendUint32([]byte("RIFX"), uint32(4+24+8+len(body)+len(body)%2))
	out = be.AppendUint32(append(out, "WAVEfmt "...), 16)
	out = be.AppendUint16(out, uint16(tag))
	out = be.AppendUint16(out, uint16(channels))
	out = be.AppendUint32(out, uint32(rate))
	out = be.AppendUint32(out, uint32(rate*channels*bits/8))
	out = be.AppendUint16(out, uint16(channels*bits/8))
	out = be.AppendUint16(out, uint16(bits))
	out = be.AppendUint32(append(out, "data"...), uint32(len(body)))
	size := bits / 8
	for i := 0; i+size <= len(body); i += size {
		sample := slices.Clone(body[i : i+size])
		slices.Reverse(sample)
		out = append(out, sample...)
	}
	return append(out, make([]byte, len(body)%2)...)
}
