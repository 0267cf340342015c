package codec

import (
	"bytes"
	"io"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel/record"
)

// foreign names the formats that are known by their first bytes and that this
// module doesn't read: a person who sees "an AIFF file" knows what to do.
var foreign = [...]foreignFormat{ //nolint:gochecknoglobals // a constant table
	{0, "FORM????AIF", "an AIFF file", true},
	{0, "FORM????8SVX", "an 8SVX file", true},
	{0, "riff\x2e\x91\xcf\x11", "a Wave64 file", true},
	{0, ".SoX", "a SoX file", true},
	{0, "XoS.", "a SoX file", true},
	{0, "caff", "a CAF file", true},
	{0, "OggS", "an Ogg file", true},
	{0, "#!AMR", "an AMR file", true},
	{0, "#!SILK", "a SILK file", true},
	{1, "#!SILK", "a SILK file", true},
	{0, "#!iLBC", "an iLBC file", true},
	{0, "#!EVRC", "an EVRC file", true},
	{0, "#!G7221", "a G.722.1 file", true},
	{0, "RIFF????QLCM", "a QCP file", true},
	{0, "Creative Voice File", "a VOC file", true},
	{0, "NIST_1A", "a NIST Sphere file", true},
	{0, "ALawSoundFile**", "a Psion A-law file", true},
	{0, "\x64\xa3\x01\x00", "an IRCAM file", true},
	{0, "\x64\xa3\x02\x00", "an IRCAM file", true},
	{0, "\x64\xa3\x03\x00", "an IRCAM file", true},
	{0, "\x64\xa3\x04\x00", "an IRCAM file", true},
	{65, "FSSD", "an HCOM file", true},
	{4, "ftyp", "an MP4 file", true},
	{0, "\x1a\x45\xdf\xa3", "a Matroska or WebM file", true},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "an ASF or WMA file", true},
	{0, "RIFF????AVI ", "an AVI file", true},
	{0, "FLV\x01", "an FLV file", true},
	{0, ".RMF", "a RealMedia file", true},
	{0, "nut/multimedia container", "a NUT file", true},
	{0, "\x00\x00\x01\xba", "an MPEG program stream", true},
	{0, "\x7f\xfe\x80\x01", "a DTS file", true},
	{0, "wvpk", "a WavPack file", true},
	{0, "TTA1", "a TTA file", true},
	{0, "MAC \x96\x0f", "a Monkey's Audio file", true},
	{0, "MPCK", "a Musepack file", true},
	{0, "MThd", "a MIDI file", true},
	{0, "#!rtpplay1.0 ", "a dump of RTP packets", true},
	{0, "\xd4\xc3\xb2\xa1", "a capture of packets (pcap)", true},
	{0, "\xa1\xb2\xc3\xd4", "a capture of packets (pcap)", true},
	{0, "\x4d\x3c\xb2\xa1", "a capture of packets (pcap)", true},
	{0, "\x0a\x0d\x0d\x0a????\x4d\x3c\x2b\x1a", "a capture of packets (pcapng)", true},
	{0, "PK\x03\x04", "a ZIP archive", false},
	{0, "\x1f\x8b\x08", "a gzip file", false},
	{0, "BZh?1AY&SY", "a bzip2 file", false},
	{0, "\xfd7zXZ\x00", "an xz file", false},
	{0, "\x28\xb5\x2f\xfd", "a Zstandard file", false},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", false},
	{0, "Rar!\x1a\x07", "a RAR archive", false},
	{257, "ustar", "a tar archive", false},
	{0, "%PDF", "a PDF file", false},
	{0, "\x89PNG\r\n\x1a\n", "a PNG picture", false},
	{0, "\x7fELF", "a program", false},
	{0, "SQLite format 3\x00", "an SQLite database", false},
	{0, "<!DOCTYPE ", "a web page", false},
	{0, "<!doctype ", "a web page", false},
	{0, "<html", "a web page", false},
	{0, "<HTML", "a web page", false},
	{0, "<?xml ", "an XML file", false},
	{0, "-----BEGIN ", "a key or certificate", false},
}

type foreignFormat struct {
	at    int
	magic string
	name  string
	media bool // it may hold audio
}

// foreignTo is what a stream that begins with head is, nil if that isn't known.
func foreignTo(head []byte) *foreignFormat {
	for n := range foreign {
		f := &foreign[n]
		if len(head) < f.at+len(f.magic) {
			continue
		}
		same := true
		for i := range len(f.magic) {
			same = same && (f.magic[i] == '?' || f.magic[i] == head[f.at+i])
		}
		if same {
			return f
		}
	}
	return nil
}

// lookalike is the format of a stream that raw audio may look like: frames of MPEG
// audio that isn't layer III at a bitrate of the table (ISO 11172-3, 2.4.2.3), of
// AAC (ISO 13818-7, 6.2) or AC-3, a transport stream, or text. It is nil if it is
// none of them.
func lookalike(head []byte) *foreignFormat {
	name, media := mpegName(head), true
	const packet = 188 // of a transport stream
	switch {
	case name != "":
	case len(head) > 4 && head[0] == 0x0B && head[1] == 0x77 && head[4]>>6 != 3:
		name = "an AC-3 file"
	case len(head) > 2*packet && head[0] == 0x47 && head[packet] == 0x47 && head[2*packet] == 0x47:
		name = "an MPEG transport stream"
	case text(head):
		name, media = "a text file", false
	}
	if name == "" {
		return nil
	}
	return &foreignFormat{name: name, media: media}
}

// text reports whether all of head is text: UTF-8, or UTF-16 with its mark.
func text(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF")) {
		return true
	}
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && utf8.FullRune(head) || r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' {
			return false
		}
		head = head[n:]
	}
	return true
}

// mpegName names the frames of MPEG audio or AAC that head begins with, if what
// follows the first as far as head shows is another; "" if there are none.
func mpegName(head []byte) string {
	if len(head) < 8 || head[0] != 0xFF || head[1]&0xE0 != 0xE0 || head[1]>>3&3 == 1 {
		return ""
	}
	if head[1] == 0xFE && head[3]|head[5]|head[7] == 0 {
		return "" // text of UTF-16
	}
	name, next := "", 0
	switch layer := head[1] >> 1 & 3; {
	case layer == 0 && head[1]&0xF6 == 0xF0 && head[2]>>2&15 < 13:
		name, next = "an AAC file", int(head[3]&3)<<11|int(head[4])<<3|int(head[5])>>5
		if next < 7 {
			return ""
		}
	case head[2]>>2&3 == 3:
		return ""
	case layer == 3:
		name, next = "an MPEG audio file of layer I", mpegBytes(head)
	case layer == 2:
		name, next = "an MPEG audio file of layer II", mpegBytes(head)
	case layer == 1 && head[2]>>4 == 0:
		return "an MP3 file of free format"
	}
	if next > 0 && len(head) >= next+2 && (head[next] != 0xFF || head[next+1] != head[1]) {
		return ""
	}
	return name
}

// mpegBytes is the length of the frame of layer I or II that head begins with
// (ISO 11172-3 and 13818-3, 2.4.2.3 and 2.4.3.1); 0 if it can't be told.
func mpegBytes(head []byte) int {
	kbps := [...][15]int{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
	table, index := 0, int(head[2]>>4)
	rate := [...]int{44100, 48000, 32000}[head[2]>>2&3]
	if head[1]&8 == 0 {
		table, rate = 2, rate/2
		if head[1]&16 == 0 {
			rate /= 2
		}
	}
	padding := int(head[2] >> 1 & 1)
	switch {
	case index == 15 || index == 0:
		return 0
	case head[1]>>1&3 == 3:
		return 4 * (12*1000*kbps[table][index]/rate + padding)
	}
	return 144*1000*kbps[table+1][index]/rate + padding
}

// errForeign is the refusal of a format that is known by name.
func (g *Registry) errForeign(f *foreignFormat) error {
	code := record.DefectUnsupportedCodec
	if !f.media {
		code = record.DefectUnreadableLeg
	}
	return &DecodeError{Code: code, Detail: f.name + "; what can be read is " + g.inputNames(", ")}
}

// untagged is the stream behind an ID3v2 tag (id3.org, ID3v2.4.0 § 3.1), and its
// head: tagging programs put tags before files of any format. r begins with head.
// There is no such stream if there is no tag, or if its end can't be looked at.
func untagged(head []byte, r io.Reader, hint Hint) (behind []byte, skip int64) {
	if skip = tagBytes(head); skip == 0 {
		return nil, 0
	}
	if skip < int64(len(head)) {
		return head[skip:min(skip+Head, int64(len(head)))], skip
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

// tagBytes is the length of the ID3v2 tag that head begins with; 0 if there is none.
func tagBytes(head []byte) int64 {
	if len(head) < 10 || string(head[:3]) != "ID3" || head[3] == 0xFF || head[4] == 0xFF {
		return 0
	}
	for _, b := range head[6:10] {
		if b > 0x7F {
			return 0
		}
	}
	size := 10 + (int64(head[6])<<21 | int64(head[7])<<14 | int64(head[8])<<7 | int64(head[9]))
	if head[5]&0x10 != 0 {
		size += 10 // a footer
	}
	return size
}

// longestTag is how long a tag may be, in bytes, that is read to look behind it.
const longestTag = 4 << 20

// pastTag is head, and if that is a part of a tag and r can't be read at random, what goes
// on behind the tag.
func pastTag(head []byte, r io.Reader) ([]byte, error) {
	if _, random := r.(io.ReaderAt); random {
		return head, nil
	}
	size := tagBytes(head)
	if size == 0 || size+Head <= int64(len(head)) || size > longestTag {
		return head, nil
	}
	return readOn(head, r, size+Head)
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
