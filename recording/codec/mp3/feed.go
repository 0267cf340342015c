package mp3

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

// feed reads the frames of a stream, each with its main data.
type feed struct {
	r      *bufio.Reader
	in     countingReader // what r reads
	size   int64          // of the stream in bytes; -1 if it isn't known
	first  header         // what every frame must agree with
	locked bool

	// The current frame. side is valid until the next read.
	header header
	side   []byte
	main   []byte // from where it begins, with spareBytes behind it
	whole  bool   // main is all there, and the frame isn't known to be damaged

	// data holds the main data of the frames before, at most maxReservoir bytes,
	// then the frame's own, filled bytes in all; free are those at the end that no
	// frame before has, if known.
	data      [maxReservoir + maxFreeBytes + spareBytes]byte
	filled    int
	seen      int // bytes of main data so far, maxReservoir at most; whatever was kept of it
	free      int
	freeKnown bool
	gap       int64 // dropped when the last frame was read
	crcSound  bool  // a frame had the right CRC

	info    info // of the current stream
	streams int  // begun so far: those behind the first are joined to it

	start    [4]byte // the first bytes behind tags
	tags     bool    // a tag was met before the first frame
	distrust bool    // what tags say of their size isn't believed

	dropped int64   // bytes that were no frame or tag
	other   *header // a stream of another rate was among them
	cut     bool    // the stream ended within a frame
	tagCut  bool    // it ended within a tag, by what that says
	// firstCut: it ended within its first frame.
	firstCut bool
}

const maxReservoir = 511 // main_data_begin has 9 bits

// searchLimit is how far the first frame is searched for.
const searchLimit = 1 << 20

func newFeed(r io.Reader, size int64) *feed {
	f := &feed{in: countingReader{r: r}, size: size, info: info{announced: -1}}
	f.r = bufio.NewReaderSize(&f.in, 16<<10)
	return f
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
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
	f.first, f.locked, f.streams = h, true, 1
	f.dropped = 0 // before the first frame nothing is lost
	b, err := f.r.Peek(h.frameBytes())
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if i, ok := readInfo(&h, b); ok {
		f.info = i
		_, _ = f.r.Discard(len(b)) // they are buffered
	}
	return nil
}

// refusal says why there is no first frame: by what stands behind the tags.
func (f *feed) refusal() error {
	unsupported := func(what string) error {
		return &codec.DecodeError{Code: record.DefectUnsupportedCodec, Detail: what + "; layer III can be read"}
	}
	if b := f.start; b[0] == 0xFF && b[1]&0xE0 == 0xE0 && b[1]>>3&3 != 1 && b[2]>>2&3 != 3 {
		switch layer := b[1] >> 1 & 3; {
		case layer == 3:
			return unsupported("MPEG audio of layer I")
		case layer == 2:
			return unsupported("MPEG audio of layer II")
		case layer == 1 && b[2]>>4 == 0:
			return unsupported("MPEG audio of free format, of which no second frame is found")
		}
	}
	switch {
	case f.firstCut:
		return &codec.DecodeError{Code: record.DefectLegEmpty, Detail: "the MP3 file ends within its first frame", Err: errNoFrame}
	case f.tagCut:
		return &codec.DecodeError{
			Code: record.DefectUnreadableLeg, Detail: "a file that begins with a tag longer than itself", Err: errNoFrame,
		}
	case f.start == [4]byte{}:
		return &codec.DecodeError{Code: record.DefectLegEmpty, Detail: "the MP3 file ends before any audio", Err: errNoFrame}
	}
	return &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: "not an MP3 file", Err: errNoFrame}
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
		head := [4]byte(b) // looking further moves what b is of
		skipped, err := f.skipTag(head)
		if err != nil {
			return header{}, err
		}
		if skipped {
			continue
		}
		if f.start == [4]byte{} {
			f.start = head
		}
		if !syncs(head[0], head[1]) {
			// No error is made of it: there may be millions.
		} else if h, err := parseAnyHeader(head); err == nil {
			if f.agrees(&h) {
				return h, nil
			}
			f.noteOther(&h)
		}
		n := f.candidate()
		_, _ = f.r.Discard(n) // they are buffered
		f.dropped += int64(n)
		if searched += n; searched > searchLimit && !f.locked {
			return header{}, io.EOF
		}
	}
}

// agrees reports whether h can be a header of this stream. The first one, and
// one with another number of channels, must be followed by another, unless the
// stream ends.
func (f *feed) agrees(h *header) bool {
	if f.locked {
		if h.version != f.first.version || h.rateIndex != f.first.rateIndex || (h.bitrateIndex == 0) != (f.first.bitrateIndex == 0) {
			return false
		}
		h.freeBytes = f.first.freeBytes
		if h.slotBytes() < 0 { // free format with no room for the channels or CRC of this one
			return false
		}
		if h.channels() == f.first.channels() {
			return true
		}
	}
	if h.bitrateIndex == 0 && !f.locked {
		b, err := f.r.Peek(2*maxFreeBytes + 4)
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		h.freeBytes = freeBytes(h, b)
		return h.freeBytes > 0
	}
	b, err := f.r.Peek(h.frameBytes() + 4)
	if err != nil {
		f.firstCut = !f.locked && f.dropped == 0 && len(b) < h.frameBytes() && errors.Is(err, io.EOF)
		return len(b) >= h.frameBytes()
	}
	if beginsTag(b[h.frameBytes():]) {
		return true
	}
	next, err := parseAnyHeader([4]byte(b[h.frameBytes():]))
	return err == nil && next.version == h.version && next.rateIndex == h.rateIndex
}

// readInfo reports whether b is an Info, Xing or VBRI frame, which holds no
// audio, and takes the encoder's delay and padding from a LAME tag.
func readInfo(h *header, b []byte) (i info, ok bool) {
	i.announced = -1
	at := 4 + h.crcBytes() + h.sideInfoBytes()
	if name := at - h.crcBytes(); h.protected && len(b) >= name+4 && isInfo(b[name:]) {
		at = name // LAME makes no room for the CRC
	}
	if len(b) >= 40 && string(b[36:40]) == "VBRI" {
		return i, true
	}
	if len(b) < at+8 || !isInfo(b[at:]) {
		return i, false
	}
	flags := binary.BigEndian.Uint32(b[at+4:])
	tag := at + 8
	for k, size := range []int{4, 4, 100, 4} { // frames, bytes, seek table, quality
		if flags>>k&1 != 0 {
			if k == 0 && len(b) >= tag+4 {
				i.announced = int64(binary.BigEndian.Uint32(b[tag:]))
			}
			tag += size
		}
	}
	if len(b) >= tag+24 && b[tag] != 0 {
		v := int64(b[tag+21])<<16 | int64(b[tag+22])<<8 | int64(b[tag+23])
		i.gapless, i.delay, i.padding = true, v>>12, v&0xFFF
	}
	return i, true
}

// beginsStream reports whether b is the Info frame of a stream that is joined behind
// others. Its side information is all zeros, as a frame's with main data never is.
func beginsStream(h *header, b []byte) (i info, ok bool) {
	if i, ok = readInfo(h, b); !ok {
		return i, false
	}
	for _, v := range b[4+h.crcBytes() : min(len(b), 4+h.sideInfoBytes())] {
		if v != 0 {
			return i, false
		}
	}
	return i, true
}

func isInfo(b []byte) bool { return string(b[:4]) == "Info" || string(b[:4]) == "Xing" }

// next takes the next frame from the stream, or from the one that is joined behind it.
func (f *feed) next() error {
	for {
		h, err := f.find()
		if err != nil {
			return err
		}
		b, err := f.r.Peek(h.frameBytes())
		if i, ok := beginsStream(&h, b); ok && len(b) == h.frameBytes() {
			f.info = i
			f.streams++
			_, _ = f.r.Discard(len(b)) // they are buffered
			continue
		}
		if len(b) < h.frameBytes() {
			if !errors.Is(err, io.EOF) {
				return err
			}
			f.cut = true
			if !f.suffices(&h, b) {
				_, _ = f.r.Discard(len(b))
				return err
			}
		}
		f.take(&h, b)
		_, _ = f.r.Discard(len(b)) // they are buffered
		return nil
	}
}
