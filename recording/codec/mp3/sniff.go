package mp3

import "bytes"

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
	h, err := parseAnyHeader([4]byte(head))
	if err != nil {
		return false, no
	}
	if h.bitrateIndex == 0 {
		if freeBytes(&h, head) > 0 {
			return true, unknown // too little to search by
		}
		return false, no
	}
	next := h.frameBytes()
	if next+4 > len(head) {
		return true, unknown
	}
	if beginsTag(head[next:]) {
		return true, unknown
	}
	n, err := parseHeader([4]byte(head[next:]))
	if err == nil && n.version == h.version && n.rateIndex == h.rateIndex {
		return true, yes
	}
	return true, no
}

// beginsTag reports whether b, of 4 bytes or more, begins like a tag that stands behind the
// last frame of a stream: ID3v1, APE, Lyrics3 or an ID3v2 of the next file.
func beginsTag(b []byte) bool {
	switch string(b[:4]) {
	case "APET", "LYRI":
		return true
	}
	return string(b[:3]) == "TAG" || string(b[:3]) == "ID3"
}

// Begins reports whether head begins with three frames of layer III, one behind
// the other: nothing else does.
func Begins(head []byte) bool {
	for range 2 {
		found, followed := frameAt(head)
		if !found || followed != yes {
			return false
		}
		h, _ := parseAnyHeader([4]byte(head)) // it was found
		head = head[h.frameBytes():]
	}
	return true
}
