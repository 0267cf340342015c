package main

import "encoding/binary"

// rtpPacket is an RTP packet without what telephony has no use for.
type rtpPacket struct {
	payloadType byte
	sequence    uint16
	timestamp   uint32
	ssrc        uint32
	payload     []byte
}

// parseRTP reads a packet by RFC 3550 section 5.1. It is false for what is none, RTCP
// (RFC 5761 section 4) and STUN among them.
func parseRTP(b []byte) (p rtpPacket, ok bool) {
	const header = 12
	if len(b) < header || b[0]>>6 != 2 || b[1] >= 192 && b[1] <= 223 {
		return p, false
	}
	p.payloadType = b[1] & 0x7f
	p.sequence = binary.BigEndian.Uint16(b[2:])
	p.timestamp = binary.BigEndian.Uint32(b[4:])
	p.ssrc = binary.BigEndian.Uint32(b[8:])
	begin, end := header+4*int(b[0]&15), len(b)
	if b[0]&0x10 != 0 { // a header extension
		if end < begin+4 {
			return p, false
		}
		begin += 4 + 4*int(binary.BigEndian.Uint16(b[begin+2:]))
	}
	if b[0]&0x20 != 0 { // padding, whose length is its last byte
		pad := int(b[end-1])
		if pad == 0 {
			return p, false
		}
		end -= pad
	}
	if begin > end {
		return p, false
	}
	p.payload = b[begin:end]
	return p, true
}

// codecs that a packet can hold, by the names of RFC 3551.
const (
	pcmu   = "PCMU"
	pcma   = "PCMA"
	g722   = "G722"
	noise  = "CN" // RFC 3389
	events = "TELEPHONE-EVENT"
)

// staticCodec is the codec of a payload type that needs no rtpmap (RFC 3551 table 4); ""
// for the others.
func staticCodec(payloadType byte) string {
	switch payloadType {
	case 0:
		return pcmu
	case 8:
		return pcma
	case 9:
		return g722
	case 13, 19: // 19 is what old telephones use
		return noise
	}
	return ""
}
