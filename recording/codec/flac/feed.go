package flac

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/switchtape/switchtape/recording/codec/internal/seam"
)

const (
	// readSize is how much is read at a time.
	readSize = 32 << 10
	// patience bounds the work on hostile streams: how many bytes may be looked
	// at in vain for each one that is read, above a start.
	patience      = 32
	patienceStart = 64 << 20
)

// feed cuts a stream into its frames, without decoding them: from a header
// whose check is right to where the CRC-16 comes out even and the next header
// or the stream's end is. Damaged frames are left out.
type feed struct {
	info streamInfo
	r    io.Reader
	buf  []byte
	lo   int // of the window in buf
	hi   int
	err  error // of r, once met; io.EOF at the end

	read    int64 // bytes, in all
	wasted  int64 // bytes looked at in vain
	next    int64 // where the next frame's audio begins if none is lost
	damaged bool  // a frame, or a part of one, was left out
	part    int   // how often the parameters have changed
	joined  int   // streams that begin behind the first
	rate    int   // of the first, in Hz
	// try decodes a frame from the front of the bytes and reports its length in
	// bytes, 0 if it can't.
	try func(b []byte) int
}

// window has at least n bytes from lo on, unless the stream has ended.
func (f *feed) window(n int) []byte {
	for f.hi-f.lo < n && f.err == nil {
		f.fill(n)
	}
	return f.buf[f.lo:f.hi]
}

func (f *feed) fill(n int) {
	if f.lo > 0 {
		f.hi = copy(f.buf, f.buf[f.lo:f.hi])
		f.lo = 0
	}
	if len(f.buf) < n && f.hi == len(f.buf) {
		// By what there is, not by what a header promises.
		bigger := make([]byte, max(2*len(f.buf), readSize))
		copy(bigger, f.buf[:f.hi])
		f.buf = bigger
	}
	for range 100 {
		k, err := f.r.Read(f.buf[f.hi:])
		f.hi += k
		f.read += int64(k)
		f.err = err
		if k > 0 || err != nil {
			return
		}
	}
	f.err = io.ErrNoProgress
}

// drop takes up to n bytes off the stream.
func (f *feed) drop(n int64) {
	for n > 0 {
		k := min(n, int64(len(f.window(1))))
		if k == 0 {
			return
		}
		f.lo += int(k)
		n -= k
	}
}

// failed is the error of the reader, if it ended with another than io.EOF.
func (f *feed) failed() error {
	if f.err == io.EOF { //nolint:errorlint // io.Reader's contract: EOF itself
		return nil
	}
	return f.err
}

// frame returns the next whole frame, which stays valid until the next call,
// and how many frames of audio were lost before it. The error is io.EOF at the
// stream's end, or that of the reader.
func (f *feed) frame() (b []byte, h frameHeader, lost int64, err error) {
	dropped := 0
	for {
		w := f.window(frameHeaderMax)
		if len(w) == 0 || f.wasted > patienceStart+patience*f.read {
			f.damaged = f.damaged || len(w) > 0
			if err := f.failed(); err != nil {
				return nil, h, 0, err
			}
			return nil, h, 0, io.EOF
		}
		var ok bool
		if h, ok = f.info.parseFrame(w); ok {
			if n := f.length(h, f.try); n > 0 {
				b = f.buf[f.lo : f.lo+n]
				break
			}
			f.damaged = true
		} else if other, oh, ok := f.info.asFrame(w); ok && seam.CanJoin(other.rate, f.rate) {
			if b = f.changed(other, oh); b != nil {
				h = oh
				break
			}
		} else if f.restart() {
			continue
		}
		w = f.window(1) // looking ahead moves the buffer
		skip := nextStart(w)
		f.lo += skip
		dropped += skip
	}
	f.lo += len(b)
	lost = h.start - f.next
	f.next = h.start + int64(h.frames)
	// A gap is believed where bytes are missing, and no longer than frames of
	// so many bytes could be.
	if dropped == 0 || lost < 0 || lost > int64(dropped/minFrameBytes+1)*int64(h.frames) {
		lost = 0
	}
	return b, h, lost, nil
}

// searchLimit is how far the beginning of a stream is searched for, in bytes.
const searchLimit = 128 << 10

// findStart goes to the first stream or frame, which begins within searchLimit. A frame
// must say its own rate and depth, as there is no header to. It reports whether
// there is one, and whether it is a frame; skipped is how many bytes came before.
func (f *feed) findStart() (found, isFrame bool, skipped int) {
	for skipped < searchLimit {
		w := f.window(len(magic) + 4 + streamInfoSize)
		if len(w) == 0 || f.wasted > searchLimit*patience {
			break
		}
		if bytes.HasPrefix(w, []byte(magic)) {
			return true, false, skipped
		}
		if info, h, ok := (&streamInfo{}).asFrame(w); ok {
			info.block = h.frames
			f.info = info
			if f.length(h, nil) > 0 {
				h, _ := info.parseFrame(f.window(frameHeaderMax))
				f.next = h.start
				return true, true, skipped
			}
			w = f.window(1)
		}
		k := nextStart(w)
		f.lo += k
		skipped += k
	}
	return false, false, skipped
}

// nextStart is where in w, behind its first byte, a frame or a stream may begin.
func nextStart(w []byte) int {
	skip := 1 + bytes.IndexByte(w[1:], 0xFF)
	if skip == 0 {
		skip = max(len(w)-len(magic)+1, 1) // what begins there may go on
	}
	if at := bytes.Index(w[1:min(skip+len(magic)-1, len(w))], []byte(magic)); at >= 0 {
		return 1 + at
	}
	return skip
}

// changed is the frame at lo, of header h, if it is one of another stream's parameters,
// which are the feed's from then on: its CRC-16 must be right, and a frame of the same
// kind or the end must follow, as headers alone come by chance. Else it is nil.
func (f *feed) changed(other streamInfo, h frameHeader) []byte {
	was := f.info
	f.info = other
	n := f.length(h, nil)
	if n == 0 {
		f.info = was
		return nil
	}
	f.part++
	return f.buf[f.lo : f.lo+n]
}

// restart takes the header of a stream that is joined behind the one before, if there is one
// at lo, and reports whether it did.
func (f *feed) restart() bool {
	const size = len(magic) + 4 + streamInfoSize
	w := f.window(size)
	if len(w) < size || !bytes.HasPrefix(w, []byte(magic)) || w[4]&^lastBlock != blockStreamInfo {
		return false
	}
	info := parseStreamInfo((*[streamInfoSize]byte)(w[8:]))
	if info.depth < 4 || info.depth > 31 || !seam.CanJoin(info.rate, f.rate) {
		return false
	}
	was := f.info
	f.drop(int64(len(magic)))
	f.metadata()
	info.total = was.total + info.total
	if was.total == 0 {
		info.total = 0
	}
	f.info = info
	f.next = 0
	f.joined++
	if info.channels != was.channels || info.depth != was.depth || info.rate != was.rate {
		f.part++
	}
	return true
}

// metadata drops the blocks before the first frame.
func (f *feed) metadata() {
	for kind := byte(0); kind&lastBlock == 0; {
		w := f.window(4)
		if len(w) < 4 || w[0]&^lastBlock == 0x7F {
			return // cut off, or no metadata any more: the frames, if any, will be found
		}
		kind = w[0]
		f.drop(4 + int64(binary.BigEndian.Uint32(w)&0xFFFFFF))
	}
}

// minFrameBytes is the length of the shortest frame: of silence.
const minFrameBytes = 10

// length is that of the frame at lo, whose header is h, in bytes; 0 if it is
// damaged. try decides where nothing that is known follows it; nil: then it is damaged.
func (f *feed) length(h frameHeader, try func(b []byte) int) int {
	limit := longestFrame(h.frames, f.info.channels, f.info.depth)
	var c uint16
	t := &crc16Table[0]
	at := 0
	for at < limit {
		w := f.window(at + 1)
		if at >= len(w) {
			break
		}
		for at < min(len(w), limit) {
			c = c<<8 ^ t[uint8(c>>8)^w[at]]
			at++
			if c == 0 && at > h.bytes+2 {
				w = f.window(at + frameHeaderMax)
				if at == len(w) {
					return at
				}
				if f.begins(w[at:]) {
					return at
				}
			}
		}
	}
	// What follows is no frame: perhaps a tag of another format, perhaps it is
	// this one that isn't.
	f.wasted += int64(at) + int64(4*h.frames*f.info.channels)
	if try == nil {
		return 0
	}
	w := f.window(1)
	return try(w[:min(len(w), limit)])
}

// begins reports whether a frame of whatever parameters, or a stream, begins with b.
func (f *feed) begins(b []byte) bool {
	_, ok := f.info.parseAny(b)
	return ok || bytes.HasPrefix(b, []byte(magic))
}

// longestFrame is how many bytes a frame may have: those of verbatim subframes,
// and a fourth for what a poor encoder may add.
func longestFrame(frames, channels int, depth uint) int {
	return frameHeaderMax + 2 + channels*(8+frames*int(depth+1)*5/32+600)
}
