package recordingtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
)

// oddCases are files of 16-bit mono samples with strange or hostile headers.
// samples are those of pcm.
func oddCases(samples []float32, pcm []byte) []WAVCase {
	const rate = 8000
	n := len(samples)
	format := chunk("fmt ", fmtBody(1, 1, rate, 16), true)
	data := chunk("data", pcm, true)
	good := riff(format, data)
	repaired := []record.DefectCode{record.DefectHeaderRepaired}
	truncated := []record.DefectCode{record.DefectTruncated}
	unreadable := []record.DefectCode{record.DefectUnreadableLeg}
	unsupported := []record.DefectCode{record.DefectUnsupportedCodec}
	empty := []record.DefectCode{record.DefectLegEmpty}
	text := append([]byte("INFOICMT"), "\x40\x00\x00\x00the data chunk is data\x10\x00\x00\x00 and not this, whatever fmt  says here...."...)
	list := chunk("LIST", text, true)
	lying := func(size uint32) []byte { return with(riff(format, list, data), 40, size) }
	long := chunk("id3 ", bytes.Repeat([]byte("artwork "), 20000), true) // 160,000 bytes
	var c []WAVCase
	add := func(name string, file []byte, want []float32, defects []record.DefectCode, ffmpeg bool) {
		c = append(c, WAVCase{
			Name: name, File: file, Format: goaudio.Format{NumChannels: 1, SampleRate: rate}, Want: want, Defects: defects, FFmpeg: ffmpeg,
		})
	}
	// Sizes of chunks before the audio.
	add("data and fmt within an honest LIST", riff(format, list, data), samples, nil, true)
	add("LIST too short by 6", lying(uint32(len(text)-6)), samples, repaired, false)
	add("LIST of size 0", lying(0), samples, repaired, false)
	add("LIST of size 2", lying(2), samples, repaired, false)
	add("LIST reaches into the audio", lying(uint32(len(text)+8+1000)), samples, repaired, false)
	add("LIST reaches into the audio, odd", lying(uint32(len(text)+8+1001)), samples, repaired, false)
	add("LIST reaches over all", lying(uint32(len(list)+len(data)-8)), samples, repaired, false)
	add("LIST reaches over all but a trailing chunk",
		with(riff(format, list, data, chunk("LIST", []byte("INFO"), true)), 40, uint32(len(list)+len(data)-8)), samples, repaired, false)
	add("fmt too long, within the file", with(good, 16, 1000), samples, repaired, false)
	add("fmt too long, odd", with(good, 16, 17), samples, repaired, false)
	add("fact reaches into the audio", with(riff(format, chunk("fact", make([]byte, 4), true), data), 40, 500), samples, repaired, false)
	add("JUNK of 1 MB", riff(chunk("JUNK", make([]byte, 1<<20), true), format, data), samples, nil, true)
	add("two hundred chunks", riff(format, bytes.Repeat(chunk("note", []byte("x"), true), 200), data), samples, nil, true)
	add("chunk with an id of spaces", riff(format, chunk("    ", []byte("blanks"), true), data), samples, nil, true)
	add("a second fmt before data", riff(format, chunk("fmt ", fmtBody(1, 2, 44100, 8), true), data), samples, nil, true)
	add("a second fmt after data", riff(format, data, chunk("fmt ", fmtBody(1, 2, 44100, 8), true)), samples, nil, true)
	add("fmt after data", riff(data, format), samples, repaired, false)
	c[len(c)-1].Random = true
	add("fmt after data and a list", riff(data, list, format), samples, repaired, false)
	c[len(c)-1].Random = true
	add("fmt of 14 bytes", riff(chunk("fmt ", fmtBody(1, 1, rate, 16)[:14], true), data), samples, nil, false)
	add("fmt of 40 bytes for plain PCM", riff(chunk("fmt ", append(fmtBody(1, 1, rate, 16), make([]byte, 24)...), true), data), samples, nil, true)
	add("fmt of 12 bytes", riff(chunk("fmt ", fmtBody(1, 1, rate, 16)[:12], true), data), nil, unreadable, false)
	add("no data", riff(format, list), nil, empty, false)
	for _, n := range []int{36, 37, 39, 40, 43} {
		add(fmt.Sprintf("ends within the data chunk's header, at %d", n), good[:n], nil, empty, false)
	}
	// Sizes of the audio.
	add("data size unknown, 160,000 bytes behind it", with(riff(format, data, long), 40, 0xFFFFFFFF), samples, repaired, false)
	c[len(c)-1].Random = true
	add("data size 0x80000000", with(good, 40, 0x80000000), samples, repaired, false)
	add("data too short, even", with(good, 40, uint32(2*n-1000)), samples[:n-500], nil, true)
	add("RIFF size 0xFFFFFFFF", with(good, 4, 0xFFFFFFFF), samples, repaired, true)
	add("RIFF size 4", with(good, 4, 4), samples, repaired, true)
	add("text behind it", append(slices.Clone(good), "<html>502 Bad gateway</html>"...), samples, nil, false)
	add("ID3v1 tag behind it, whose first letters are a size", append(slices.Clone(good), "TAG"+string(bytes.Repeat([]byte("a"), 125))...), samples, nil, false)
	add("ID3v1 tag behind it", append(slices.Clone(good), append([]byte("TAG"), make([]byte, 125)...)...), samples, nil, false)
	add("a second WAV file behind it", append(slices.Clone(good), good...), append(slices.Clone(samples), samples...), repaired, false)
	add("three data chunks, one empty", riff(format, chunk("data", pcm[:1000], true), chunk("data", nil, true), chunk("data", pcm[1000:], true)),
		samples, nil, false)
	add("data chunks of odd sizes", riff(format, chunk("data", pcm[:1001], true), chunk("data", pcm[1001:2003], true)),
		slices.Concat(samples[:500], decode16(pcm[1001:2003])), truncated, false)
	// Numbers of the format.
	add("0 bits", with(good, 32, 2), samples, repaired, false)
	add("12 bits in 16", with(good, 32, 2|12<<16), samples, nil, true)
	add("33 bits", with(good, 32, 5|33<<16), nil, unsupported, false)
	add("65535 bits", with(good, 32, 2|0xFFFF<<16), nil, unsupported, false)
	add("1 Hz", with(good, 24, 1), nil, unreadable, false)
	add("4 GHz", with(good, 24, 0xFFFFFFFF), nil, unreadable, false)
	add("fact chunk that lies", riff(format, chunk("fact", []byte{7, 0, 0, 0}, true), data), samples, nil, true)
	add("byte rate 0", with(good, 28, 0), samples, nil, true)
	// RF64.
	ds64 := func(riffSize, dataSize uint64, data32 uint32) []byte {
		f := rf64("RF64", format, pcm)
		binary.LittleEndian.PutUint64(f[20:], riffSize)
		binary.LittleEndian.PutUint64(f[28:], dataSize)
		return with(f, 48+24+4, data32)
	}
	riffSize := uint64(len(ds64(0, 0, 0)) - 8)
	add("RF64, data size -1 in ds64", ds64(riffSize, 1<<64-1, 0xFFFFFFFF), samples, repaired, false)
	add("RF64, data size 0 in ds64", ds64(riffSize, 0, 0xFFFFFFFF), samples, repaired, false)
	add("RF64, data size 2^62 in ds64", ds64(riffSize, 1<<62, 0xFFFFFFFF), samples, repaired, false)
	add("RF64, data size beyond the file", ds64(riffSize, uint64(2*n+5000), 0xFFFFFFFF), samples, repaired, false)
	add("RF64, RIFF size wrong", ds64(12, uint64(2*n), 0xFFFFFFFF), samples, repaired, false)
	add("RF64, 32-bit data size", ds64(riffSize, uint64(2*n), uint32(2*n)), samples, nil, false)
	add("RF64, 32-bit data size too small", ds64(riffSize, uint64(2*n), 100), samples, repaired, true)
	none := slices.Concat([]byte("RF64\xff\xff\xff\xffWAVE"), format, []byte("data\xff\xff\xff\xff"), pcm)
	add("RF64 without ds64", none, samples, repaired, false)
	return c
}

func decode16(b []byte) []float32 {
	out := make([]float32, len(b)/2)
	for i := range out {
		out[i] = float32(int16(binary.LittleEndian.Uint16(b[2*i:]))) / 32768
	}
	return out
}

// oddFormats are files of more formats and numbers of channels.
func oddFormats(seed uint64) []WAVCase {
	le := binary.LittleEndian
	var c []WAVCase
	for ch := 1; ch <= 32; ch++ {
		if ch > 8 && ch != 32 {
			continue
		}
		noise := Noise(50*ch, 0.4, seed+uint64(ch))
		var body []byte
		for _, x := range noise {
			body = le.AppendUint16(body, uint16(int16(x*32768)))
		}
		c = append(c, WAVCase{
			Name: fmt.Sprintf("%d channels", ch), File: riff(chunk("fmt ", fmtBody(1, ch, 8000, 16), true), chunk("data", body, true)),
			Format: goaudio.Format{NumChannels: ch, SampleRate: 8000}, Want: decode16(body), FFmpeg: true,
		})
	}
	noise := Noise(600, 0.4, seed) // halving the rate won't clip it
	body24, body32, laws := []byte{}, []byte{}, []byte{}
	want20, want24 := make([]float32, len(noise)), make([]float32, len(noise))
	for i, x := range noise {
		v := int32(x*(1<<19)) << 4 // 20 bits, at the top of 24
		body24 = append(body24, byte(v), byte(v>>8), byte(v>>16))
		want20[i] = float32(v) / (1 << 23)
		v = int32(x * (1 << 23))
		body32 = le.AppendUint32(body32, uint32(v)<<8)
		want24[i] = float32(v) / (1 << 23)
		laws = append(laws, byte(i)|0x20) // not the loudest
	}
	mono := goaudio.Format{NumChannels: 1, SampleRate: 16000}
	add := func(name string, file []byte, want []float32, ffmpeg bool, defects ...record.DefectCode) {
		c = append(c, WAVCase{Name: name, File: file, Format: mono, Want: want, FFmpeg: ffmpeg, Defects: defects})
	}
	format20 := fmtBody(1, 1, 16000, 20)
	le.PutUint32(format20[8:], 3*16000)
	le.PutUint16(format20[12:], 3)
	add("20 bits in 24", riff(chunk("fmt ", format20, true), chunk("data", body24, true)), want20, true)
	valid := extensible(1, 1, 16000, 32)
	valid[18] = 24
	add("EXTENSIBLE, 24 valid bits of 32", riff(chunk("fmt ", valid, true), chunk("data", body32, true)), want24, false)
	for name, tag := range map[string]int{"µ-law": 7, "A-law": 6} {
		format := fmtBody(tag, 1, 16000, 8)
		want := g711Samples(tag, laws)
		add(name, riff(chunk("fmt ", append(format, 0, 0), true), chunk("data", laws, true)), want, true)
		add(name+", RIFX", rifx(tag, 1, 16000, 8, laws), want, false)
		wrong := slices.Clone(format)
		wrong[14] = 16
		add(name+", 16 bits in the header", riff(chunk("fmt ", wrong, true), chunk("data", laws, true)), want, true)
		le.PutUint16(wrong[12:], 2)
		add(name+", 16 bits and 2 bytes in the header", riff(chunk("fmt ", wrong, true), chunk("data", laws, true)), want, true,
			record.DefectHeaderRepaired)
	}
	slices.SortStableFunc(c, func(a, b WAVCase) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return c
}

// g711Samples decodes by the formulas of ITU-T G.711, tag 7 being µ-law.
func g711Samples(tag int, b []byte) []float32 {
	out := make([]float32, len(b))
	for i, x := range b {
		var v int
		if tag == 7 {
			x = ^x
			v = (int(x&15)<<3+132)<<(x>>4&7) - 132
		} else {
			x ^= 0xD5
			v = int(x&15)<<4 + 8
			if e := x >> 4 & 7; e > 0 {
				v = (v + 256) << (e - 1)
			}
		}
		if x&0x80 != 0 {
			v = -v
		}
		out[i] = float32(v) / 32768
	}
	return out
}
