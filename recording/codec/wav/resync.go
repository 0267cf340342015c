package wav

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// resyncLimit is how far a lost chunk is searched for.
	resyncLimit = 16 << 20
	// resyncWindow is how much is weighed at a time: the best chunk in it is taken.
	resyncWindow = 64 << 10
	// lookLimit is how far ahead of a stream that can't be read at random a
	// chunk's end is looked at.
	lookLimit = 1 << 20
	// trailerLimit is how far before a file's end trailing chunks are looked for.
	trailerLimit = 4 << 20
)

// look returns the n bytes, fewer at the file's end, at a position ahead. It
// reports false if it can't know them.
func (w *walk) look(off int64, n int) ([]byte, bool) {
	need := off - w.in.pos + int64(n)
	if need <= tailSize || w.at == nil && need <= lookLimit {
		// By steps, so that memory follows what the stream has.
		for step := int64(tailSize); ; step = min(2*step, need) {
			b := w.in.peek(int(min(step, need)))
			if step >= need || w.in.err != nil {
				return b[min(int(off-w.in.pos), len(b)):], w.in.failed() == nil
			}
		}
	}
	if w.in.size >= 0 && off >= w.in.size {
		return nil, true
	}
	if w.at == nil {
		return nil, false
	}
	got, err := w.at.ReadAt(w.scratch[:n], off)
	if err != nil && err != io.EOF {
		return nil, false
	}
	return w.scratch[:got], true
}

// leads reports whether chunk after chunk from off on lead to what is still
// missing, the fmt chunk or the audio, or else just to the file's end. What
// can't be known is believed. last is the chunk that the chain ends with, ""
// if there is none.
func (w *walk) leads(off int64) (there, toEnd bool, last string) {
	for range 256 {
		b, known := w.look(off, 9)
		switch {
		case !known:
			return true, false, last
		case len(b) < 8:
			// A chunk's header may be cut off, too.
			return false, len(b) == 0 && (w.endsAt(off) || w.endsAt(off-1)) || cutID(b), last
		case string(b[:4]) == "data", string(b[:4]) == "fmt " && w.format == nil:
			return true, false, last
		case !printableID(b):
			return false, false, last
		}
		last = string(b[:4])
		size := int64(w.order.Uint32(b[4:]))
		if !w.believable(off+8, size) {
			return false, false, last
		}
		off += 8 + size
		if size&1 != 0 {
			off = w.padded(off)
		}
		w.sure = off
	}
	return true, false, last
}

// cutID reports whether the b at a file's end may be the header of a chunk.
func cutID(b []byte) bool {
	id := []byte("    ")
	return copy(id, b) > 0 && printableID(id)
}

// believable reports whether a chunk before the audio, whose body is at off, may
// be as long as it says, as far as that can be told without seeing its end.
func (w *walk) believable(off, size int64) bool {
	return w.in.size >= 0 || size <= maxHeaderChunk || w.riff < placeholder && off+size <= w.riff+8
}

// padded is where the chunk after one of odd size begins: past the pad byte,
// unless the writer forgot it.
func (w *walk) padded(off int64) int64 {
	if b, known := w.look(off, 9); known && knownID(b) && !knownID(b[min(1, len(b)):]) {
		return off
	}
	return off + 1
}

// leave goes past the body, of size bytes of which none is taken yet, of the
// chunk named id. If that leads nowhere, the size is wrong: it then searches the
// body, after its first read bytes, for the next chunk.
func (w *walk) leave(id string, size int64, read int) bool {
	end := w.in.pos + size
	next := end
	if size&1 != 0 {
		next = w.padded(end)
	}
	if next < w.sure { // it was come by on the way from an earlier chunk
		w.skipBody(size)
		return true
	}
	there, toEnd, last := false, false, ""
	if w.believable(w.in.pos, size) {
		there, toEnd, last = w.leads(next)
	}
	if there {
		w.skipBody(size)
		return true
	}
	w.sure = 0
	if last != "" {
		id = last // it leads nowhere
	}
	// A file whose chunks go on to its end has no audio, unless they hold what is
	// beyond doubt: many a comment has the word data in it.
	least := 1
	if toEnd {
		least = certain
	}
	w.in.take(min(read, len(w.in.peek(read))))
	if w.resync(fmt.Sprintf("the size of the chunk %q", id), least) {
		return true
	}
	w.headerOnly = toEnd
	return false
}

// endsAt reports whether the file ends at off, or a byte later.
func (w *walk) endsAt(off int64) bool {
	if w.in.size >= 0 {
		return off <= w.in.size && off+1 >= w.in.size
	}
	b, known := w.look(off-1, 3)
	return known && (len(b) == 1 || len(b) == 2)
}

// resync searches for the next fmt or data chunk that weighs no less than least,
// from the current byte on.
func (w *walk) resync(why string, least int) bool {
	start := w.in.pos
	for w.in.pos-start < resyncLimit {
		b := w.in.peek(resyncWindow)
		if len(b) < 8 {
			return false
		}
		if at := w.candidate(b, least); at >= 0 {
			w.in.take(at)
			w.repair("%s", why)
			return true
		}
		w.in.take(len(b) - 7)
	}
	return false
}

// candidate is where in b, which begins at the current byte, the best chunk of
// those begins that are missing; -1 if none weighs as much as least.
func (w *walk) candidate(b []byte, least int) int {
	best, most := -1, least-1
	pos := w.in.pos
	window := bytes.Clone(b) // looking ahead moves the buffer
	for i, looks := 0, 0; i+8 <= len(window) && looks < 64; i++ {
		if window[i] != 'd' && window[i] != 'f' {
			continue
		}
		score := 0
		switch id := string(window[i : i+4]); {
		case id == "fmt " && w.format == nil:
			score = 1
			if size := w.order.Uint32(window[i+4:]); size >= 14 && size <= 4096 {
				score = certain
			}
		case id == "data" && (w.format != nil || w.raw):
			looks++
			score = w.weigh(pos+int64(i)+8, int64(w.order.Uint32(window[i+4:])))
		}
		if score > most {
			best, most = i, score
		}
	}
	return best
}

// certain is the weight of a chunk that is beyond doubt.
const certain = 4

// weigh says how much a data chunk's size makes sense of it: it is certain if it
// ends where something does, and 0 if it must be text.
func (w *walk) weigh(start, size int64) int {
	const text = 0x20000000 // four printable letters are more than this
	end := start + size
	b, known := w.look(end, 9)
	switch {
	case size == 0:
		return 1
	case size >= placeholder:
		return 2
	case w.endsAt(end):
		return certain
	case w.in.size >= 0 && end > w.in.size || w.in.size < 0 && known && len(b) == 0:
		if size < text {
			return 1
		}
		return 0
	case known && (knownID(b) || size&1 != 0 && knownID(b[min(1, len(b)):])):
		return certain
	}
	return 2
}

// trailerStart is where the known chunks begin that end exactly at the end of a
// file that can be read at random; the file's end if there are none.
func (w *walk) trailerStart(from int64) int64 {
	from = max(from, w.in.size-trailerLimit)
	first := w.in.size
	starts := []int64{first}
	buf := make([]byte, resyncWindow+7)
	for end := w.in.size; end > from; {
		begin := max(from, end-resyncWindow)
		b := buf[:min(end+7, w.in.size)-begin]
		if n, err := w.at.ReadAt(b, begin); n < len(b) && err != nil {
			return first
		}
		for i := int(end - begin - 1); i >= 0; i-- {
			if i+8 > len(b) || b[i] < ' ' || b[i] > 'z' {
				continue
			}
			pos := begin + int64(i)
			next := pos + 8 + int64(w.order.Uint32(b[i+4:]))
			if !w.startsAt(starts, next, (next-pos)&1) || !knownID(b[i:]) || string(b[i:i+4]) == "data" {
				continue
			}
			first = pos
			if starts = append(starts, pos); len(starts) > 64 {
				return first
			}
		}
		end = begin
	}
	return first
}

// startsAt reports whether a chunk, or the file's end, begins at next, or after
// a pad byte.
func (w *walk) startsAt(starts []int64, next, odd int64) bool {
	for _, s := range starts {
		if s == next || odd != 0 && s == next+1 {
			return true
		}
	}
	return false
}
