package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/switchtape/switchtape/recording/codec/g711"
	decoder722 "github.com/switchtape/switchtape/recording/codec/g722"
)

const (
	// clock is the rate of RTP's timestamps, in Hz, of all codecs here: G.722 has that of
	// 8000 although it is sampled at 16000 (RFC 3551 section 4.5.2).
	clock = 8000
	// maxHeld is how many packets wait for one that is late, and until it is clear when a
	// stream begins: 640 ms of the usual 20.
	maxHeld = 32
	// lead is how long before the call's first packet, as it came, something may have its
	// place: that packet may have been late itself.
	lead = clock
	// maxDropout is how far a sequence number may jump and belong to the same sequence
	// (RFC 3550 appendix A.1).
	maxDropout = 3000
	// maxJump is how far the timestamps may go apart from the time of arrival from one
	// packet to the next. Beyond that the sender has begun to count anew: after a hold,
	// say, without a new SSRC.
	maxJump = 2 * clock
	// maxDrift is how far the two may go apart in the course of time. No clock is so bad.
	maxDrift = 60 * clock
	// maxCall is the longest call. What seems to come later is damage.
	maxCall = 48 * 3600 * clock
	// maxStreams is how many SSRCs of a party are followed at once.
	maxStreams = 16
)

// leg places what one party sent on the call's timeline. Samples go to where their
// timestamps say, into files with holes, which read as silence: whatever order packets
// come in, and however long a call is, memory holds a few of them.
//
//	packets ─▶ by SSRC ─▶ in their order ─▶ position by timestamp ─┬─ PCMU, PCMA ─▶ narrow (8 kHz)
//	                                                               └─ G.722 ──────▶ wide (16 kHz)
type leg struct {
	name          string
	dir           string // for its files
	narrow, wide  layer
	streams       []*stream // the one that began last is last
	first, frames int64     // ticks of clock at which its first packet begins and its last ends, after lead
	buf           []byte
	samples       [2 * 65536]int16
	said          said
}

// said is what there is to say of a leg.
type said struct {
	Packets   int            // of audio that were placed
	Lost      int            // by their sequence numbers
	Late      int            // too late to be decoded, or there twice
	Streams   int            // SSRCs
	Restarts  int            // of timestamps within a stream
	Misplaced int            // before the first packet of the call, or after 48 hours
	Unknown   map[string]int // packets by the codec that isn't decoded
}

// layer is a file of bare linear PCM, made when it is first written to.
type layer struct{ file *os.File }

type stream struct {
	ssrc    uint32
	highest int64 // extended sequence number, of what has come
	given   int64 // and of what was placed last
	held    []held
	begun   bool // it is clear where it begins
	decoder *decoder722.Decoder

	placed bool
	stamp  uint32 // of the packet placed last
	pos    int64  // and its position
	off    int64  // how much later it came than its position says
}

type held struct {
	sequence int64
	at       time.Duration
	codec    string
	rtpPacket
}

func newLeg(name, dir string) *leg {
	return &leg{name: name, dir: dir, said: said{Unknown: map[string]int{}}}
}

// take takes a packet that came at, after the call's first. The payload is copied where
// it has to wait.
func (l *leg) take(at time.Duration, codec string, p rtpPacket) error {
	switch codec {
	case pcmu, pcma, g722, noise, events:
	default:
		if codec == "" {
			codec = fmt.Sprintf("payload type %d", p.payloadType)
		}
		if len(l.said.Unknown) < 100 {
			l.said.Unknown[codec]++
		}
	}
	s, err := l.stream(p)
	if err != nil {
		return err
	}
	delta := int64(int16(p.sequence - uint16(s.highest)))
	h := held{sequence: s.highest + delta, at: at, codec: codec, rtpPacket: p}
	if delta > maxDropout || delta < -maxDropout { // the sender has begun to count anew
		if err := l.flush(s); err != nil {
			return err
		}
		s.highest, s.given = h.sequence, h.sequence-1
	}
	s.highest = max(s.highest, h.sequence)
	if !s.begun && h.sequence <= s.given && s.given-h.sequence < maxHeld {
		s.given = h.sequence - 1 // what came first was not the first
	}
	if h.sequence <= s.given { // again, or later than could be waited for
		l.said.Late++
		if codec == pcmu || codec == pcma { // which have no memory of what was before
			return l.place(s, h, false)
		}
		return nil
	}
	i, twice := slices.BinarySearchFunc(s.held, h.sequence, func(h held, n int64) int { return int(h.sequence - n) })
	if twice {
		l.said.Late++
		return nil
	}
	if s.begun && i == 0 && h.sequence == s.given+1 { // the usual case: nothing is copied
		if err := l.give(s, h); err != nil {
			return err
		}
	} else {
		h.payload = slices.Clone(h.payload)
		s.held = slices.Insert(s.held, i, h)
	}
	if !s.begun && len(s.held) > maxHeld {
		s.begin()
	}
	for s.begun && len(s.held) > 0 && (s.held[0].sequence == s.given+1 || len(s.held) > maxHeld) {
		first := s.held[0]
		s.held = slices.Delete(s.held, 0, 1)
		if err := l.give(s, first); err != nil {
			return err
		}
	}
	return nil
}

// stream is that of the packet's SSRC, new if need be.
func (l *leg) stream(p rtpPacket) (*stream, error) {
	for _, s := range l.streams {
		if s.ssrc == p.ssrc {
			return s, nil
		}
	}
	if len(l.streams) == maxStreams {
		if err := l.flush(l.streams[0]); err != nil {
			return nil, err
		}
		l.streams = slices.Delete(l.streams, 0, 1)
	}
	s := &stream{ssrc: p.ssrc, highest: int64(p.sequence), given: int64(p.sequence) - 1}
	l.streams = append(l.streams, s)
	l.said.Streams++
	return s, nil
}

// begin says where the stream begins: as if the packet that was on its way for the
// shortest time of the first ones had been the first. One packet alone may have been late,
// and all would be with it.
func (s *stream) begin() {
	s.begun = true
	for _, h := range s.held {
		switch {
		case h.codec == events:
		case !s.placed:
			s.placed, s.stamp, s.pos = true, h.timestamp, h.came()
		default:
			// Earlier by much is not a delay: its timestamps are of another beginning.
			if early := h.came() - int64(int32(h.timestamp-s.stamp)); early < s.pos && early >= s.pos-lead {
				s.pos = early
			}
		}
	}
}

// came is when the packet came, in ticks of clock after the call's first.
func (h *held) came() int64 { return int64(h.at) * clock / int64(time.Second) }

// flush places what waits.
func (l *leg) flush(s *stream) error {
	if !s.begun {
		s.begin()
	}
	for _, h := range s.held {
		if err := l.give(s, h); err != nil {
			return err
		}
	}
	s.held = s.held[:0]
	return nil
}

// give places the next packet of a stream, and counts those that are missing before it.
func (l *leg) give(s *stream, h held) error {
	l.said.Lost += int(h.sequence - s.given - 1)
	s.given = h.sequence
	return l.place(s, h, true)
}

// place writes a packet to its position. next: it follows those before it, and those
// after it are placed by it.
func (l *leg) place(s *stream, h held, next bool) error {
	if h.codec == events { // its timestamp stands still, and the audio's goes on
		return nil
	}
	came := h.came()
	pos := came
	if s.placed {
		pos = s.pos + int64(int32(h.timestamp-s.stamp))
		off := came - pos
		if next && (off-s.off > maxJump || s.off-off > maxJump || off > maxDrift || off < -maxDrift) {
			pos = came
			l.said.Restarts++
		}
	}
	if next {
		s.placed, s.stamp, s.pos, s.off = true, h.timestamp, pos, came-pos
	}
	switch h.codec {
	case pcmu:
		for i, b := range h.payload {
			l.samples[i] = g711.MulawToInt16(b)
		}
		return l.write(&l.narrow, pos, 1, len(h.payload))
	case pcma:
		for i, b := range h.payload {
			l.samples[i] = g711.AlawToInt16(b)
		}
		return l.write(&l.narrow, pos, 1, len(h.payload))
	case g722:
		if s.decoder == nil {
			s.decoder = decoder722.NewDecoder()
		}
		s.decoder.Decode(l.samples[:], h.payload)
		return l.write(&l.wide, pos, decoder722.SamplesPerByte, len(h.payload))
	}
	return nil // comfort noise is what the party did not say, and stays silence
}

// write writes ticks of clock, each of so many samples, to the position, in ticks.
func (l *leg) write(to *layer, pos int64, each, ticks int) error {
	pos += lead
	if pos >= maxCall || pos < 0 || ticks == 0 {
		l.said.Misplaced++
		return nil
	}
	samples := l.samples[:ticks*each]
	l.buf = l.buf[:0]
	for _, v := range samples {
		l.buf = binary.LittleEndian.AppendUint16(l.buf, uint16(v))
	}
	if to.file == nil {
		f, err := os.CreateTemp(l.dir, l.name+"-*.pcm")
		if err != nil {
			return err
		}
		to.file = f
	}
	if _, err := to.file.WriteAt(l.buf, pos*int64(each)*2); err != nil {
		return err
	}
	if l.said.Packets == 0 {
		l.first = pos
	}
	l.said.Packets++
	l.first = min(l.first, pos)
	l.frames = max(l.frames, pos+int64(ticks))
	return nil
}

// end places what still waits.
func (l *leg) end() error {
	var errs []error
	for _, s := range l.streams {
		errs = append(errs, l.flush(s))
	}
	return errors.Join(errs...)
}

// close closes its files. They are removed with their directory.
func (l *leg) close() {
	for _, f := range []*os.File{l.narrow.file, l.wide.file} {
		if f != nil {
			_ = f.Close() // nothing in it is wanted any more
		}
	}
}
