package codec

import (
	"bytes"
	"io"

	"github.com/switchtape/switchtape/callmodel"
)

// foreign names the formats that are known by their first bytes and that this
// module doesn't read: a person who sees "an AIFF file" knows what to do.
var foreign = [...]struct { //nolint:gochecknoglobals // a constant table
	at    int
	magic string
	name  string
}{
	{0, "FORM????AIF", "an AIFF file"},
	{0, "riff\x2e\x91\xcf\x11", "a Wave64 file"},
	{0, ".snd", "a Sun AU file"},
	{0, "dns.", "a Sun AU file"},
	{0, "caff", "a CAF file"},
	{0, "OggS", "an Ogg file"},
	{0, "#!AMR", "an AMR file"},
	{0, "#!SILK", "a SILK file"},
	{1, "#!SILK", "a SILK file"},
	{0, "Creative Voice File", "a VOC file"},
	{0, "NIST_1A", "a NIST Sphere file"},
	{4, "ftyp", "an MP4 file"},
	{0, "\x1a\x45\xdf\xa3", "a Matroska or WebM file"},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "an ASF or WMA file"},
	{0, "RIFF????AVI ", "an AVI file"},
	{0, "PK\x03\x04", "a ZIP archive"},
	{0, "\x1f\x8b\x08", "a gzip file"},
	{0, "%PDF", "a PDF file"},
}

// foreignName is what a stream that begins with head is, "" if that isn't known.
func foreignName(head []byte) string {
	for _, f := range foreign {
		if len(head) < f.at+len(f.magic) {
			continue
		}
		same := true
		for i := range len(f.magic) {
			same = same && (f.magic[i] == '?' || f.magic[i] == head[f.at+i])
		}
		if same {
			return f.name
		}
	}
	return ""
}

// mpegName is what a stream is that begins with a frame of MPEG audio which
// isn't layer III at a bitrate of the table (ISO 11172-3, 2.4.2.3), or of AAC;
// "" if it doesn't. Raw audio may look the same.
func mpegName(head []byte) string {
	if len(head) < 4 || head[0] != 0xFF || head[1]&0xE0 != 0xE0 || head[1]>>3&3 == 1 || head[2]>>2&3 == 3 {
		return ""
	}
	switch layer := head[1] >> 1 & 3; {
	case layer == 0 && head[1]&0xF6 == 0xF0:
		return "an AAC file"
	case layer == 3:
		return "an MPEG audio file of layer I"
	case layer == 2:
		return "an MPEG audio file of layer II"
	case layer == 1 && head[2]>>4 == 0:
		return "an MP3 file of free format"
	}
	return ""
}

// errForeign is the refusal of a format that is known by name.
func (g *Registry) errForeign(name string) error {
	return &DecodeError{
		Code: callmodel.DefectUnsupportedCodec, Detail: name + "; what can be read is " + g.inputNames(", "),
	}
}

// untagged is the stream behind the ID3v2 tag that r, which begins with head,
// begins with (id3.org, ID3v2.4.0 § 3.1), and the head of that: so that formats
// are recognised there, which tagging programs don't care for. It has none to
// give if there is no tag, or if its end can't be looked at.
func untagged(head []byte, r io.Reader, hint Hint) (behind []byte, skip int64) {
	if len(head) < 10 || string(head[:3]) != "ID3" || head[3] == 0xFF || head[4] == 0xFF {
		return nil, 0
	}
	for _, b := range head[6:10] {
		if b > 0x7F {
			return nil, 0
		}
	}
	skip = 10 + (int64(head[6])<<21 | int64(head[7])<<14 | int64(head[8])<<7 | int64(head[9]))
	if head[5]&0x10 != 0 {
		skip += 10 // a footer
	}
	if skip < int64(len(head)) {
		return head[skip:], skip
	}
	at, ok := r.(io.ReaderAt)
	if !ok || hint.Size < skip {
		return nil, 0
	}
	behind = make([]byte, min(Head, hint.Size-skip))
	if n, _ := at.ReadAt(behind, skip); n < len(behind) {
		return nil, 0
	}
	return behind, skip
}

// past is the stream from skip bytes on, none of which has been read but head.
func past(head []byte, r io.Reader, skip int64, hint Hint) (io.Reader, Hint, error) {
	if hint.Size >= 0 {
		hint.Size -= skip
	}
	if skip < int64(len(head)) {
		head = head[skip:]
	} else {
		if _, err := io.CopyN(io.Discard, r, skip-int64(len(head))); err != nil {
			return nil, hint, err
		}
		head = nil
	}
	p := replay{head: bytes.Clone(head), r: r}
	if at, ok := r.(io.ReaderAt); ok && hint.Size >= 0 {
		return &replayAt{replay: p, ReaderAt: io.NewSectionReader(at, skip, hint.Size)}, hint, nil
	}
	return &p, hint, nil
}
