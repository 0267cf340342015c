package wav

// beginData decides how far the data chunk that begins here really goes.
func (w *walk) beginData(size int64) {
	start := w.in.pos
	claimed := size
	size = w.largeSize(start, size)
	w.toEnd, w.odd, w.left = false, size&1 != 0, size
	rest := int64(-1)
	if w.in.size >= 0 {
		rest = max(w.in.size-start, 0)
	}
	riffEnd := w.riff + 8
	// A writer that knew the length states it twice.
	agrees := riffEnd >= start+size && riffEnd <= start+size+1<<20 && size < placeholder
	switch {
	case size == 0:
		b := w.in.peek(8)
		if len(b) < 8 && w.in.err != nil || knownID(b) && (string(b[:4]) == "data" || !w.beyond(8+int64(w.order.Uint32(b[4:])))) {
			return // an empty chunk indeed
		}
		w.repair("the data size, 0")
		w.toEnd, w.left = true, 1<<62
	case claimed == 0xFFFFFFFF && w.ds64 <= 0:
		w.repair("the data size, 0xFFFFFFFF")
		w.toEnd, w.left = true, 1<<62
	case rest >= 0 && size <= rest:
		w.unwrap(start, rest)
	case rest < 0 && agrees:
		// Believed until the stream ends before it.
	case agrees:
		w.cut, w.left = size-rest, rest
	case rest >= 0:
		w.repair("the data size, %d with %d bytes to the file's end", size, rest)
		w.toEnd, w.left = true, rest
	default:
		w.toEnd = true
	}
	if w.toEnd && rest >= 0 {
		w.left = min(w.left, rest)
	}
	if next, ok := w.nextFile(start); w.toEnd && ok {
		w.left, w.toEnd, w.odd = next-start, false, false
	} else if w.toEnd && w.at != nil {
		w.left, w.toEnd, w.odd = w.trailerStart(start)-start, false, false
	}
}

// unwrap believes a data size that is short of the audio to the file's end, less
// trailing chunks, by a multiple of 4 GiB: its 32 bits have overflowed.
func (w *walk) unwrap(start, rest int64) {
	const turn = 1 << 32
	if rest-w.left < turn || w.at == nil || w.ds64 > 0 {
		return
	}
	if b, known := w.look(start+w.left+w.left&1, 8); !known || knownID(b) {
		return
	}
	audio := w.trailerStart(start) - start
	if over := (audio - w.left) % turn; over > 1 || audio-w.left < turn {
		return
	}
	w.repair("the data size, %d where its 32 bits have overflowed", w.left)
	w.left = audio - (audio-w.left)%turn
}

// formatBehind takes the fmt chunk from behind the audio, whose chunk's body of
// size bytes begins at off, if it is there and the file can be read at random.
func (w *walk) formatBehind(off, size int64) {
	for range 256 {
		if w.at == nil {
			return
		}
		off += size
		if size&1 != 0 {
			off = w.padded(off)
		}
		b, known := w.look(off, 8)
		if !known || len(b) < 8 || !printableID(b) {
			return
		}
		id := string(b[:4])
		off, size = off+8, int64(w.order.Uint32(b[4:]))
		if id != "fmt " || size < 14 {
			continue
		}
		body := make([]byte, min(size, 40))
		if n, _ := w.at.ReadAt(body, off); n >= 14 {
			w.format = body[:n]
			w.repair("the fmt chunk, which stands behind the audio")
		}
		return
	}
}

// largeSize is the data size by the ds64 chunk where that counts: the chunk's
// own size is 0xFFFFFFFF, or is smaller and ends where nothing begins.
func (w *walk) largeSize(start, size int64) int64 {
	large := min(w.ds64, 1<<60)
	switch {
	case large <= 0:
		return size
	case size == 0xFFFFFFFF:
		return large
	case size == 0 || size >= large || w.in.size >= 0 && start+large > max(w.in.size, w.riff+8):
		return size
	}
	b, known := w.look(start+size+size&1, 8)
	if !known || len(b) == 0 || knownID(b) {
		return size
	}
	w.repair("the data size, %d where the ds64 chunk has %d", size, large)
	return large
}
