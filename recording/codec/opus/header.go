package opus

import (
	"encoding/binary"

	"github.com/switchtape/switchtape/recording/codec/internal/vorbiscomment"
	"github.com/switchtape/switchtape/recording/codec/ogg"
)

// granuleRate is the rate of granule positions and of the pre-skip, in Hz,
// whatever that of the input is (RFC 7845 § 4).
const granuleRate = 48000

// maxTagBytes bounds the OpusTags packet, as players do (RFC 7845 § 5.2).
const maxTagBytes = 1 << 20

// Channel mapping families (RFC 7845 § 5.1.1).
const (
	familyRTP         = 0   // one stream, mono or stereo
	familyVorbis      = 1   // streams of one loudspeaker each
	familyIndependent = 255 // channels of no defined meaning
)

// head is the identification header (RFC 7845 § 5.1). preSkip is at 48 kHz.
func (c *config) head(preSkip int) []byte {
	le := binary.LittleEndian
	streams, coupled := c.streams()
	family := byte(familyRTP)
	switch {
	case c.channels > 2:
		family = familyIndependent
	case c.channels == 2 && coupled == 0:
		family = familyVorbis
	}
	b := append([]byte("OpusHead"), 1, byte(c.channels))
	b = le.AppendUint16(b, uint16(preSkip))
	b = le.AppendUint32(b, uint32(c.rate))
	b = le.AppendUint16(b, 0) // output gain
	b = append(b, family)
	if family == familyRTP {
		return b
	}
	b = append(b, byte(streams), byte(coupled))
	for i := range c.channels {
		b = append(b, byte(i))
	}
	return b
}

// tagsPacket is the comment header (RFC 7845 § 5.2).
func (c *config) tagsPacket() ([]byte, error) {
	return vorbiscomment.Append([]byte("OpusTags"), "opus", Version(), c.tags, maxTagBytes)
}

// serial is the stream's serial number: it follows from the headers and the
// announced length, so that the same recording has the same one.
func (c *config) serial(head, tags []byte) uint32 {
	b := append(append([]byte(nil), head...), tags...)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.frames))
	return ogg.Serial(binary.LittleEndian.AppendUint32(b, uint32(c.bitrate)))
}
