package mp3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// StreamInfo is what [Walk] learns of a stream.
type StreamInfo struct {
	SampleRate int // Hz
	Channels   int
	Version    string // "1", "2" or "2.5"
	// MPEGFrames is the number of audio frames, without the Info frame.
	MPEGFrames int64
	// Frames is the number of frames of audio (samples per channel) that a
	// player plays: without delay and padding if the stream tells them.
	Frames int64
	// Gapless is true if the stream tells its delay and padding.
	Gapless                      bool
	DelayFrames                  int // the encoder's, as announced
	PaddingFrames                int
	MinBitrateBps, MaxBitrateBps int
	AvgBitrateBps                int // of the audio frames
	Bytes                        int64
	ID3v2Bytes                   int64
	Protected                    bool   // frames carry a CRC
	InfoFrame                    string // "Info", "Xing", or "" without one
	Encoder                      string // as the Info frame names it
	ShortGranules                int64  // granules with short blocks, over all channels
	StuffingBytes                int64  // main data that no granule uses
}

// WalkError says where and why a stream isn't sound.
type WalkError struct {
	Offset int64 // of the frame, in bytes
	Frame  int64 // its number, from 0; the Info frame isn't counted
	Err    error
}

func (e *WalkError) Error() string {
	return fmt.Sprintf("mp3: frame %d at byte %d: %v", e.Frame, e.Offset, e.Err)
}

// Unwrap returns the reason.
func (e *WalkError) Unwrap() error { return e.Err }

// ErrNoFrames is the reason of a WalkError for a stream without audio.
var ErrNoFrames = errors.New("the stream holds no layer III frame")

const maxFrameBytes = 1441 // 320 kbit/s at 32 kHz, and 160 kbit/s at 8 kHz, padded

// walker is the state of Walk.
type walker struct {
	r      *bufio.Reader
	offset int64
	info   StreamInfo
	first  header
	frame  [maxFrameBytes]byte
	side   sideInfo
	// Positions in the main data, in bytes: where the next slot begins and where
	// the last frame's data ended.
	slots, used     int64
	bytes           int64 // of audio frames
	announcedFrames int64 // -1 if not announced
	announcedBytes  int64
}

// Walk reads a layer III stream to its end and checks, without decoding it, that
// a decoder can: frame headers that agree with each other, side information
// within its limits, main data that begins after and ends before its
// neighbours', CRCs where there are any, and the Info frame's counts. It skips
// ID3v2 tags in front and an ID3v1 tag at the end. Its memory is bounded
// whatever r holds. The error is r's, or a [*WalkError]; what was learned up to
// it is returned as well.
func Walk(r io.Reader) (StreamInfo, error) {
	w := &walker{r: bufio.NewReaderSize(r, 4096), announcedFrames: -1, announcedBytes: -1}
	err := w.walk()
	w.finish()
	return w.info, err
}

func (w *walker) walk() error {
	if err := w.skipID3v2(); err != nil {
		return err
	}
	start := w.offset
	for {
		more, err := w.next(w.offset == start)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	switch {
	case w.info.MPEGFrames == 0 && w.info.InfoFrame == "":
		return w.fail(ErrNoFrames)
	case w.announcedFrames >= 0 && w.announcedFrames != w.info.MPEGFrames:
		return w.fail(fmt.Errorf("the stream ends after %d frames, its Info frame announces %d", w.info.MPEGFrames, w.announcedFrames))
	case w.announcedBytes >= 0 && w.announcedBytes != w.offset-start:
		return w.fail(fmt.Errorf("the stream ends after %d bytes, its Info frame announces %d", w.offset-start, w.announcedBytes))
	}
	return nil
}

func (w *walker) fail(err error) error {
	return &WalkError{Offset: w.offset, Frame: w.info.MPEGFrames, Err: err}
}

func (w *walker) skipID3v2() error {
	for {
		b, err := w.r.Peek(id3HeaderBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(b) < id3HeaderBytes || !bytes.HasPrefix(b, []byte("ID3")) {
			return nil
		}
		size := int64(id3HeaderBytes)
		if b[5]&0x10 != 0 {
			size += 10 // a footer
		}
		for i, v := range b[6:10] {
			if v > 0x7f {
				return w.fail(errors.New("an ID3v2 tag with an invalid size"))
			}
			size += int64(v) << (7 * (3 - i))
		}
		if n, err := w.r.Discard(int(size)); err != nil {
			w.offset += int64(n)
			return w.truncated(err, "an ID3v2 tag")
		}
		w.offset += size
		w.info.ID3v2Bytes += size
	}
}

func (w *walker) truncated(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return w.fail(fmt.Errorf("the stream ends within %s: %w", what, io.ErrUnexpectedEOF))
	}
	return err
}

// next walks one frame. It returns false at the end of the stream.
func (w *walker) next(first bool) (bool, error) {
	b, err := w.r.Peek(4)
	if len(b) == 0 && errors.Is(err, io.EOF) {
		return false, nil
	}
	if len(b) < 4 {
		return false, w.truncated(err, "a frame header")
	}
	if !first && bytes.HasPrefix(b, []byte("TAG")) {
		return false, w.skipID3v1()
	}
	h, err := parseHeader([4]byte(b))
	if err != nil {
		return false, w.fail(err)
	}
	n := h.frameBytes()
	if err := w.agree(&h, first); err != nil {
		return false, w.fail(err)
	}
	frame := w.frame[:n]
	if _, err := io.ReadFull(w.r, frame); err != nil {
		return false, w.truncated(err, "a frame")
	}
	if first && w.readInfo(&h, frame) {
		w.offset += int64(n)
		return true, nil
	}
	if err := w.check(&h, frame); err != nil {
		return false, w.fail(err)
	}
	w.offset += int64(n)
	w.bytes += int64(n)
	w.info.MPEGFrames++
	return true, nil
}

func (w *walker) skipID3v1() error {
	const size = 128
	if n, err := w.r.Discard(size); err != nil {
		w.offset += int64(n)
		return w.truncated(err, "an ID3v1 tag")
	}
	if _, err := w.r.Peek(1); err == nil {
		return w.fail(errors.New("data follows the ID3v1 tag"))
	}
	return nil
}

// agree checks a header against the first one.
func (w *walker) agree(h *header, first bool) error {
	if h.slotBytes() < 0 {
		return fmt.Errorf("a frame of %d bytes has no room for its side information", h.frameBytes())
	}
	if first {
		w.first = *h
		w.info.SampleRate, w.info.Channels = h.sampleRate(), h.channels()
		w.info.Version = [3]string{"1", "2", "2.5"}[h.version]
		return nil
	}
	f := &w.first
	switch {
	case h.version != f.version || h.rateIndex != f.rateIndex:
		return fmt.Errorf("the sample rate changes from %d to %d Hz", f.sampleRate(), h.sampleRate())
	case h.channels() != f.channels():
		return fmt.Errorf("the channels change from %d to %d", f.channels(), h.channels())
	}
	return nil
}

// check checks a frame's CRC, side information and place in the main data.
func (w *walker) check(h *header, frame []byte) error {
	side := frame[4+h.crcBytes():][:h.sideInfoBytes()]
	if h.protected {
		w.info.Protected = true
		want := uint16(frame[4])<<8 | uint16(frame[5])
		if got := crc16(crc16(0xffff, frame[2:4]), side); got != want {
			return fmt.Errorf("CRC is %04x, should be %04x", want, got)
		}
	}
	w.side.parse(&bitReader{buf: side}, h.lsf(), h.channels())
	bits := 0
	for gr := range h.granules() {
		for ch := range h.channels() {
			g := &w.side.granules[gr][ch]
			if err := g.check(h, gr == 1, &w.side.scfsi[ch]); err != nil {
				return fmt.Errorf("granule %d, channel %d: %w", gr, ch, err)
			}
			bits += g.part23Bits
			if g.blockType == blockShort {
				w.info.ShortGranules++
			}
		}
	}
	begin := w.slots - int64(w.side.mainDataBegin)
	end := begin + int64(bits+7)/8
	w.slots += int64(h.slotBytes())
	switch {
	case begin < 0:
		return fmt.Errorf("main data begins %d bytes before the stream", -begin)
	case begin < w.used:
		return fmt.Errorf("main data begins %d bytes within the frame before", w.used-begin)
	case end > w.slots:
		return fmt.Errorf("main data ends %d bytes after the frame", end-w.slots)
	}
	w.info.StuffingBytes += begin - w.used
	w.used = end
	rate := h.bitrate()
	if w.info.MPEGFrames == 0 {
		w.info.MinBitrateBps = rate
	}
	w.info.MinBitrateBps = min(w.info.MinBitrateBps, rate)
	w.info.MaxBitrateBps = max(w.info.MaxBitrateBps, rate)
	return nil
}

// finish computes what follows from the counts.
func (w *walker) finish() {
	i := &w.info
	i.Bytes = w.offset
	if i.SampleRate == 0 {
		return
	}
	i.StuffingBytes += w.slots - w.used
	samples := i.MPEGFrames * int64(w.first.samples())
	if i.MPEGFrames > 0 {
		i.AvgBitrateBps = int(float64(w.bytes) * 8 * float64(i.SampleRate) / float64(samples))
	}
	i.Frames = samples
	if i.Gapless {
		i.Frames = max(0, samples-int64(i.DelayFrames)-int64(i.PaddingFrames))
	}
}
