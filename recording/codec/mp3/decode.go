package mp3

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	goaudio "github.com/go-audio/audio"
	gomp3 "github.com/hajimehoshi/go-mp3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Sniff reports whether a stream that begins with head is MPEG audio layer III:
// a tag, or a frame that is followed by another as far as head shows.
func Sniff(head []byte) bool {
	if len(head) >= 10 && string(head[:3]) == "ID3" && head[3] < 0xFF || bytes.HasPrefix(head, []byte("APETAGEX")) {
		return true
	}
	found, followed := frameAt(head)
	return found && followed != no
}

// Search reports whether two frames of layer III, one behind the other, stand
// anywhere in head: with something in front that is no tag.
func Search(head []byte) bool {
	for len(head) >= 4 {
		if _, followed := frameAt(head); followed == yes {
			return true
		}
		head = head[1:]
	}
	return false
}

// What is known of what follows a frame.
const (
	unknown = iota
	yes
	no
)

// frameAt is whether head begins with a frame header, and whether another frame
// follows.
func frameAt(head []byte) (found bool, followed int) {
	if len(head) < 4 {
		return false, no
	}
	h, err := parseHeader([4]byte(head))
	if err != nil {
		return false, no
	}
	next := h.frameBytes()
	if next+4 > len(head) {
		return true, unknown
	}
	n, err := parseHeader([4]byte(head[next:]))
	if err == nil && n.version == h.version && n.rateIndex == h.rateIndex {
		return true, yes
	}
	return true, no
}

// Decode is the [codec.Decoder] of MPEG audio layer III, over go-mp3: MPEG-1 and
// MPEG-2, 16 to 48 kHz. MPEG-2.5 (8, 11.025 and 12 kHz), free-format streams and
// layers I and II are refused as an unsupported codec.
//
// A stream whose first frame is mono gives one channel, others two; frames with
// another number of channels are mixed or doubled. The
// encoder's delay and padding are cut off where an Info frame states them, so
// that the Source is as long as what was encoded. Tags that claim to be longer
// than the file are no tags, if r is an io.ReaderAt and hint.Size is known. Bytes between frames, and
// frames that can't be decoded, are left out or replaced by silence so that the
// timeline stays right; both are a truncated defect with the frames lost.
//
// go-mp3 gets to see clean frames only: tags are dropped before it (it
// allocates by what they claim), each frame is handed over with the part of
// the bit reservoir that it needs (it decodes noise where that is missing, and
// miscounts padded frames at 22.05 kHz), and its panics end here.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []callmodel.Defect, error) {
	s := &decoder{feed: newFeed(r), frames: -1}
	at, random := r.(io.ReaderAt)
	random = random && hint.Size >= 0
	err := s.open()
	if random && errors.Is(err, errNoFrame) && s.feed.tags {
		// A tag that claims more than there is of it has hidden the audio.
		s = &decoder{feed: newFeed(io.NewSectionReader(at, 0, hint.Size)), frames: -1}
		s.feed.distrust = true
		err = s.open()
	}
	if err != nil {
		return nil, nil, err
	}
	if random {
		if n, err := countFrames(io.NewSectionReader(at, 0, hint.Size), s.feed.distrust); err == nil {
			s.frames = s.trimmed(n)
		}
	}
	return s, nil, nil
}

// errNoFrame is why a stream has no first frame.
var errNoFrame = errors.New("no MPEG layer III frame")

// countFrames counts the samples of a stream without decoding it.
func countFrames(r io.Reader, distrust bool) (int64, error) {
	f := newFeed(r)
	f.distrust = distrust
	if err := f.begin(); err != nil {
		return 0, err
	}
	n := int64(0)
	for {
		if err := f.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
		n += int64(f.first.samples())
	}
}

// synthesisDelay is the delay of the decoder's filter bank, in frames of audio.
const synthesisDelay = 528 + 1

// decoder is the Source.
type decoder struct {
	feed   *feed
	format goaudio.Format
	dec    *gomp3.Decoder
	clips  *audio.ClipCounter
	frames int64 // in total; -1 if that isn't known

	pcm     []byte // 16-bit stereo, of one frame of the stream
	ready   []byte // what of pcm isn't given yet
	decoded int64  // frames of the stream that were decoded
	skip    int64  // frames of audio to leave out still
	given   int64
	lost    int64 // frames of audio replaced by silence
	err     error
}

func (d *decoder) open() error {
	if err := d.feed.begin(); err != nil {
		return err
	}
	h := &d.feed.first
	if h.version == mpeg25 {
		return &codec.DecodeError{
			Code:   callmodel.DefectUnsupportedCodec,
			Detail: fmt.Sprintf("MPEG-2.5 layer III at %d Hz; MPEG-1 and MPEG-2 can be read", h.sampleRate()),
		}
	}
	d.format = goaudio.Format{NumChannels: h.channels(), SampleRate: h.sampleRate()}
	d.clips = audio.NewClipCounter(h.channels(), audio.FullScale16)
	d.pcm = make([]byte, 4*h.samples())
	if d.feed.gapless {
		d.skip = d.feed.delay + synthesisDelay
	}
	return nil
}

// padding is where the padding at the end begins and ends in the decoded audio,
// in frames: nowhere, if the stream doesn't tell. It may have more behind it.
func (d *decoder) padding() (from, to int64) {
	if !d.feed.gapless || d.feed.announced < 0 {
		return math.MaxInt64, math.MaxInt64
	}
	to = d.feed.announced * int64(d.feed.first.samples())
	return max(0, to-max(0, d.feed.padding-synthesisDelay)), to
}

// trimmed is the number of frames that are given of n that are decoded.
func (d *decoder) trimmed(n int64) int64 {
	from, to := d.padding()
	n -= max(0, min(n, to)-from)
	if d.feed.gapless {
		n -= d.feed.delay + synthesisDelay
	}
	return max(0, n)
}

// Format implements [audio.Source].
func (d *decoder) Format() *goaudio.Format { return &d.format }

// Frames implements [audio.Sized].
func (d *decoder) Frames() int64 { return d.frames }

// ReadFrames implements [audio.Source].
func (d *decoder) ReadFrames(dst []float32) (int, error) {
	ch := d.format.NumChannels
	want := len(dst) / ch
	n := 0
	for n < want && d.err == nil {
		if len(d.ready) == 0 && !d.nextFrame() {
			continue
		}
		if d.skip > 0 {
			k := min(d.skip, int64(len(d.ready)/4))
			d.ready = d.ready[4*k:]
			d.skip -= k
			continue
		}
		k := min(want-n, len(d.ready)/4)
		for i := range k {
			left := float32(int16(binary.LittleEndian.Uint16(d.ready[4*i:]))) / 32768
			right := float32(int16(binary.LittleEndian.Uint16(d.ready[4*i+2:]))) / 32768
			if ch == 1 {
				dst[n+i] = (left + right) / 2 // the same, but where a frame has two
				continue
			}
			dst[2*(n+i)], dst[2*(n+i)+1] = left, right
		}
		d.ready = d.ready[4*k:]
		n += k
	}
	if n == 0 {
		return 0, d.err
	}
	d.given += int64(n)
	d.clips.Count(dst[:n*ch])
	return n, nil
}

// nextFrame decodes the stream's next frame into ready without what is padding,
// or sets err.
func (d *decoder) nextFrame() bool {
	if err := d.feed.next(); err != nil {
		d.err = err
		return false
	}
	d.ready = d.pcm
	if !d.feed.whole || !d.decode() {
		clear(d.pcm)
		d.lost += int64(len(d.pcm) / 4)
		d.dec = nil
	}
	from, to := d.padding()
	if begin := d.decoded * int64(len(d.pcm)/4); begin < to {
		d.ready = d.ready[:4*max(0, min(from-begin, int64(len(d.ready)/4)))]
	}
	d.decoded++
	return true
}

// decode has go-mp3 decode the frame that the feed holds. It reports whether
// that went well: go-mp3 fails and panics on some damaged frames.
func (d *decoder) decode() (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var err error
	if d.dec == nil {
		if d.dec, err = gomp3.NewDecoder(d.feed); err != nil {
			return false
		}
	}
	_, err = io.ReadFull(d.dec, d.pcm)
	return err == nil
}

// Defects implements [codec.DefectReporter].
func (d *decoder) Defects() []callmodel.Defect {
	var out []callmodel.Defect
	if d.lost > 0 || d.feed.dropped > 0 || d.feed.cut {
		detail := fmt.Sprintf("frames of audio that can't be decoded, silent here; %d bytes between frames were left out", d.feed.dropped)
		if d.feed.cut {
			detail = "the file ends within a frame; " + detail
		}
		out = append(out, callmodel.Defect{Code: callmodel.DefectTruncated, Detail: detail, Count: d.lost})
	}
	if n := d.clips.Clipped(); n > 0 {
		out = append(out, callmodel.Defect{
			Code: callmodel.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	return out
}

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
