package recordingtest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/switchtape/switchtape/callmodel/record"
)

// MP3Case is an MPEG audio file as it may come in, and what a reader must make
// of it.
type MP3Case struct {
	Name string
	File []byte
	// Frames of the sound stream's audio, from its beginning, that are the same;
	// -1: all. None if Refused.
	Same    int
	Refused record.DefectCode   // why it can't be read; "" if it can
	Defects []record.DefectCode // of a file that can be read
	// Random is set if that is so only where the file can be read at random.
	Random bool
}

// MP3Corpus makes odd and hostile files of a sound layer III stream, without
// tags, of frames of frameBytes each, the first of them an Info frame.
func MP3Corpus(stream []byte, frameBytes int) []MP3Case {
	truncated := []record.DefectCode{record.DefectTruncated}
	tag := func(size, claim int) []byte {
		head := []byte{'I', 'D', '3', 4, 0, 0, byte(claim >> 21 & 127), byte(claim >> 14 & 127), byte(claim >> 7 & 127), byte(claim & 127)}
		return append(head, bytes.Repeat([]byte{'t'}, size)...)
	}
	ape := func(flags uint32) []byte {
		item := append([]byte{4, 0, 0, 0, 0, 0, 0, 0}, "Title\x00call"...)
		b := append([]byte("APETAGEX"), 0xD0, 7, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(item)+32))
		b = binary.LittleEndian.AppendUint32(b, 1)
		b = binary.LittleEndian.AppendUint32(b, flags)
		b = append(b, make([]byte, 8)...)
		return append(b, item...)
	}
	footer := func() []byte {
		b := ape(1 << 31)[:32]
		return append([]byte("\x04\x00\x00\x00\x00\x00\x00\x00Title\x00call"), b...)
	}
	each := func(change func(frame []byte)) []byte {
		out := slices.Clone(stream)
		for at := 0; at+frameBytes <= len(out); at += frameBytes {
			change(out[at:])
		}
		return out
	}
	noise := bytes.Repeat([]byte("no frame is here "), 60)
	middle := len(stream) / frameBytes / 2 * frameBytes
	return []MP3Case{
		{Name: "sound", File: stream, Same: -1},
		{Name: "ID3v2 in front", File: slices.Concat(tag(300, 300), stream), Same: -1},
		{Name: "ID3v2 of 1 MB", File: slices.Concat(tag(1<<20, 1<<20), stream), Same: -1},
		{Name: "two ID3v2 tags", File: slices.Concat(tag(30, 30), tag(40, 40), stream), Same: -1},
		{Name: "ID3v2 that claims 200 MB", File: slices.Concat(tag(30, 200<<20), stream), Same: -1, Random: true},
		{Name: "ID3v2 that claims the whole file", File: slices.Concat(tag(30, 30+len(stream)), stream), Same: -1, Random: true},
		{Name: "ID3v1 behind it", File: append(slices.Clone(stream), append([]byte("TAG"), make([]byte, 125)...)...), Same: -1},
		{Name: "APE tag in front", File: slices.Concat(ape(1<<31|1<<29), footer()[18:], stream), Same: -1},
		{Name: "APE tag behind it", File: slices.Concat(stream, ape(1<<31|1<<29), footer()[18:]), Same: -1},
		{Name: "APE footer behind it", File: slices.Concat(stream, footer()), Same: -1, Defects: truncated},
		{Name: "text in front", File: slices.Concat(noise, stream), Same: -1},
		{Name: "text between frames", File: slices.Insert(slices.Clone(stream), middle, noise...), Same: -1, Defects: truncated},
		{Name: "text behind it", File: slices.Concat(stream, noise), Same: -1, Defects: truncated},
		{Name: "half of the last frame", File: stream[:len(stream)-frameBytes/2], Same: 1, Defects: truncated},
		{Name: "cut between frames", File: stream[:middle], Same: 1},
		{Name: "only an ID3v2 tag", File: tag(300, 300), Refused: record.DefectLegEmpty},
		{Name: "only the beginning of a tag", File: tag(0, 300)[:7], Refused: record.DefectLegEmpty},
		{Name: "0 bytes", Refused: record.DefectLegEmpty},
		{Name: "only text", File: noise, Refused: record.DefectUnreadableLeg},
		{Name: "free format", File: each(func(f []byte) { f[2] &= 0x0F }), Same: -1},
		{Name: "layer II", File: each(func(f []byte) { f[1] = f[1]&^6 | 4 }), Refused: record.DefectUnsupportedCodec},
		{Name: "layer I", File: each(func(f []byte) { f[1] |= 6 }), Refused: record.DefectUnsupportedCodec},
		{Name: "frames of zeros", File: append(slices.Clone(stream), make([]byte, 40*frameBytes)...), Same: -1, Defects: truncated},
	}
}
