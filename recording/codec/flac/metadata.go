package flac

import (
	"encoding/binary"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/internal/vorbiscomment"
)

// Types of metadata blocks (RFC 9639 § 8.1).
const (
	blockStreamInfo    = 0
	blockVorbisComment = 4
	lastBlock          = 0x80
)

const (
	magic          = "fLaC"
	streamInfoSize = 34
	// maxBlockBytes is what the 24-bit length of a metadata block can say.
	maxBlockBytes = 1<<24 - 1
	// maxTotal is what the 36-bit total of STREAMINFO can say.
	maxTotal = 1<<36 - 1
)

// header is everything before the first frame (RFC 9639 § 6, § 8).
func (e *encoder) header(tags []codec.Tag) ([]byte, error) {
	be := binary.BigEndian
	comment, err := vorbisComment(tags)
	if err != nil {
		return nil, err
	}
	kind := byte(blockStreamInfo)
	if comment == nil {
		kind |= lastBlock
	}
	b := append([]byte(magic), kind, 0, 0, streamInfoSize)
	b = be.AppendUint16(b, uint16(e.block)) // least, but for the last
	b = be.AppendUint16(b, uint16(e.block)) // most
	b = append(b, 0, 0, 0, 0, 0, 0)         // bytes of a frame, least and most: unknown
	total := uint64(0)                      // unknown
	if e.Frames > 0 && e.Frames <= maxTotal {
		total = uint64(e.Frames)
	}
	b = be.AppendUint64(b, uint64(e.rate)<<44|uint64(e.channels-1)<<41|uint64(e.depth-1)<<36|total)
	b = append(b, make([]byte, 16)...) // MD5 of the audio: unknown
	if comment != nil {
		b = append(b, blockVorbisComment|lastBlock, byte(len(comment)>>16), byte(len(comment)>>8), byte(len(comment)))
		b = append(b, comment...)
	}
	return b, nil
}

// vorbisComment is the body of the block of that name (RFC 9639 § 8.6), nil
// without tags.
func vorbisComment(tags []codec.Tag) ([]byte, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	return vorbiscomment.Append(nil, "flac", Version, tags, maxBlockBytes)
}
