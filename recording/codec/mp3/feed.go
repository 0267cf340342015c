package mp3

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/codec"
)

// feed reads the frames of a stream and hands each over with its own main
// data, as a frame that needs no bit reservoir. It is go-mp3's reader.
type feed struct {
	r      *bufio.Reader
	first  header // what every frame must agree with
	locked bool

	frame     []byte // what is still to be handed over
	rewritten []byte // the frame as it is handed over
	whole     bool   // frame has all of its main data
	reservoir []byte // main data of the frames before, at most maxReservoir
	main      []byte

	gapless        bool
	delay, padding int64
	announced      int64 // frames of the stream by its Info frame; -1

	start    [4]byte // the first bytes behind tags
	tags     bool    // a tag was met before the first frame
	distrust bool    // what tags say of their size isn't believed

	dropped int64 // bytes that were no frame or tag
	cut     bool  // the stream ended within a frame
}

const maxReservoir = 511 // main_data_begin has 9 bits

// searchLimit is how far the first frame is searched for.
const searchLimit = 1 << 20

func newFeed(r io.Reader) *feed { return &feed{r: bufio.NewReaderSize(r, 16<<10), announced: -1} }

// Read implements io.Reader: what is left of the current frame. go-mp3 reads
// exactly a frame at a time.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.frame) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.frame)
	f.frame = f.frame[n:]
	return n, nil
}

// begin goes to the first frame of audio, past tags and an Info frame.
func (f *feed) begin() error {
	h, err := f.find()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return f.refusal()
		}
		return err
	}
	f.first, f.locked = h, true
	f.dropped = 0 // before the first frame nothing is lost
	b, err := f.r.Peek(h.frameBytes())
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if f.readInfo(&h, b) {
		_, _ = f.r.Discard(len(b)) // they are buffered
	}
	return nil
}

// refusal says why there is no first frame: by what stands behind the tags.
func (f *feed) refusal() error {
	unsupported := func(what string) error {
		return &codec.DecodeError{Code: callmodel.DefectUnsupportedCodec, Detail: what + "; layer III at a bitrate of the table can be read"}
	}
	if b := f.start; b[0] == 0xFF && b[1]&0xE0 == 0xE0 && b[1]>>3&3 != 1 && b[2]>>2&3 != 3 {
		switch layer := b[1] >> 1 & 3; {
		case layer == 3:
			return unsupported("MPEG audio of layer I")
		case layer == 2:
			return unsupported("MPEG audio of layer II")
		case layer == 1 && b[2]>>4 == 0:
			return unsupported("MPEG audio of free format")
		}
	}
	return &codec.DecodeError{Code: callmodel.DefectUnreadableLeg, Detail: "not an MP3 file", Err: errNoFrame}
}

// find goes to the next frame header, which the feed's first one agrees with.
func (f *feed) find() (header, error) {
	for searched := 0; ; {
		b, err := f.r.Peek(4)
		if len(b) < 4 {
			f.dropped += int64(len(b))
			_, _ = f.r.Discard(len(b))
			return header{}, err
		}
		switch {
		case string(b[:3]) == "ID3" && !f.distrust:
			f.tags = true
			if err := f.skipID3(); err != nil {
				return header{}, err
			}
			continue
		case string(b[:3]) == "TAG":
			if t, err := f.r.Peek(129); errors.Is(err, io.EOF) && len(t) == 128 {
				_, _ = f.r.Discard(128)
				continue
			}
		case string(b) == "APET" && !f.distrust:
			f.tags = true
			if t, err := f.r.Peek(32); err == nil && string(t[:8]) == "APETAGEX" {
				if _, err := io.CopyN(io.Discard, f.r, 32+int64(binary.LittleEndian.Uint32(t[12:]))); err != nil {
					return header{}, err
				}
				continue
			}
		}
		if f.start == [4]byte{} {
			f.start = [4]byte(b)
		}
		if h, err := parseHeader([4]byte(b)); err == nil && f.agrees(&h) {
			return h, nil
		}
		_, _ = f.r.Discard(1)
		f.dropped++
		if searched++; searched > searchLimit && !f.locked {
			return header{}, io.EOF
		}
	}
}

// agrees reports whether h can be a header of this stream. The first one, and
// one with another number of channels, must be followed by another, unless the
// stream ends.
func (f *feed) agrees(h *header) bool {
	if f.locked {
		if h.version != f.first.version || h.rateIndex != f.first.rateIndex {
			return false
		}
		if h.channels() == f.first.channels() {
			return true
		}
	}
	b, err := f.r.Peek(h.frameBytes() + 4)
	if err != nil {
		return len(b) >= h.frameBytes()
	}
	next, err := parseHeader([4]byte(b[h.frameBytes():]))
	return err == nil && next.version == h.version && next.rateIndex == h.rateIndex
}

// skipID3 drops an ID3v2 tag (id3.org, ID3v2.4.0 § 3.1).
func (f *feed) skipID3() error {
	b, err := f.r.Peek(10)
	if len(b) < 10 {
		_, _ = f.r.Discard(len(b))
		return err
	}
	size := int64(b[6]&0x7F)<<21 | int64(b[7]&0x7F)<<14 | int64(b[8]&0x7F)<<7 | int64(b[9]&0x7F)
	if b[5]&0x10 != 0 {
		size += 10 // a footer
	}
	_, err = io.CopyN(io.Discard, f.r, 10+size)
	return err
}

// readInfo reports whether b is an Info, Xing or VBRI frame, which holds no
// audio, and takes the encoder's delay and padding from a LAME tag.
func (f *feed) readInfo(h *header, b []byte) bool {
	at := 4 + h.crcBytes() + h.sideInfoBytes()
	if len(b) >= 40 && string(b[36:40]) == "VBRI" {
		return true
	}
	if len(b) < at+8 || string(b[at:at+4]) != "Info" && string(b[at:at+4]) != "Xing" {
		return false
	}
	flags := binary.BigEndian.Uint32(b[at+4:])
	tag := at + 8
	for i, size := range []int{4, 4, 100, 4} { // frames, bytes, seek table, quality
		if flags>>i&1 != 0 {
			if i == 0 && len(b) >= tag+4 {
				f.announced = int64(binary.BigEndian.Uint32(b[tag:]))
			}
			tag += size
		}
	}
	if len(b) >= tag+24 && b[tag] != 0 {
		v := int64(b[tag+21])<<16 | int64(b[tag+22])<<8 | int64(b[tag+23])
		f.gapless, f.delay, f.padding = true, v>>12, v&0xFFF
	}
	return true
}

// next takes the next frame from the stream and prepares it to be handed over.
func (f *feed) next() error {
	h, err := f.find()
	if err != nil {
		return err
	}
	b, err := f.r.Peek(h.frameBytes())
	if len(b) < h.frameBytes() {
		if errors.Is(err, io.EOF) {
			f.cut = true
			_, _ = f.r.Discard(len(b))
		}
		return err
	}
	f.prepare(&h, b)
	_, _ = f.r.Discard(len(b)) // they are buffered
	return nil
}

// prepare rewrites the frame b so that its main data stands in it alone.
func (f *feed) prepare(h *header, b []byte) {
	at := 4 + h.crcBytes()
	side, slot := b[at:at+h.sideInfoBytes()], b[at+h.sideInfoBytes():]
	begin, bits := mainData(h, side)
	f.whole = begin <= len(f.reservoir)
	f.main = append(f.main[:0], f.reservoir[len(f.reservoir)-min(begin, len(f.reservoir)):]...)
	f.main = append(f.main, slot...)
	// The reservoir reaches back over several frames.
	f.reservoir = append(f.reservoir, slot...)
	if n := len(f.reservoir); n > maxReservoir {
		f.reservoir = f.reservoir[:copy(f.reservoir, f.reservoir[n-maxReservoir:])]
	}
	f.main = f.main[:min((bits+7)/8, len(f.main))]
	out := *h
	out.protected, out.padding = false, false
	for out.bitrateIndex = 1; out.bitrateIndex < 14 && out.slotBytes() < len(f.main); {
		out.bitrateIndex++
	}
	if out.slotBytes() < len(f.main) {
		f.whole = false
		return
	}
	head := out.bytes()
	f.rewritten = append(f.rewritten[:0], head[:]...)
	f.rewritten = append(f.rewritten, side...)
	f.rewritten[4] = 0 // main_data_begin
	if h.lsf() == 0 {
		f.rewritten[5] &= 0x7F
	}
	f.rewritten = append(f.rewritten, f.main...)
	for len(f.rewritten) < out.frameBytes() {
		f.rewritten = append(f.rewritten, 0)
	}
	f.frame = f.rewritten
}

// mainData reads from the side information where the main data begins, in
// bytes before the frame's own, and how many bits it has (11172-3, 2.4.1.7 and
// 13818-3, 2.4.1.7).
func mainData(h *header, side []byte) (begin, bits int) {
	at, size := 9+5, 59
	begin = int(side[0])<<1 | int(side[1]>>7)
	switch {
	case h.lsf() == 1:
		begin = int(side[0])
		at, size = 8+h.channels(), 63
	case h.channels() == 2:
		at = 9 + 3
	}
	if h.lsf() == 0 {
		at += 4 * h.channels() // scfsi
	}
	for range h.granules() * h.channels() {
		for i := range 12 {
			bit := at + i
			bits += int(side[bit/8]>>(7-bit%8)&1) << (11 - i)
		}
		at += size
	}
	return begin, bits
}
