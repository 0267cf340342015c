package ogg

import (
	"encoding/binary"
	"hash/fnv"
)

// The page header (RFC 3533 § 6).
const (
	capture     = "OggS"
	headerBytes = 27
	maxSegments = 255
	segmentFull = 255 // a lacing value that says the packet goes on

	atFlags    = 5
	atGranule  = 6
	atSerial   = 14
	atSequence = 18
	atChecksum = 22
	atSegments = 26

	flagContinued = 1
	flagFirst     = 2
	flagLast      = 4
)

// maxPageBytes is the longest page: its header, lacing values and segments.
const maxPageBytes = headerBytes + maxSegments + maxSegments*segmentFull

// NoGranule is the granule position of a page on which no packet ends.
const NoGranule int64 = -1

// Serial is a serial number for a logical stream that follows from what
// describes the stream, so that the same recording has the same one.
func Serial(description []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(description) // it can't fail
	return h.Sum32()
}

// crcTable is the table of the page checksum: the polynomial 0x04C11DB7, the
// most significant bit first, begun with 0 and not inverted (RFC 3533 § 6).
var crcTable = makeCRCTable() //nolint:gochecknoglobals // a constant table

func makeCRCTable() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04C11DB7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}

func crc(sum uint32, b []byte) uint32 {
	for _, x := range b {
		sum = sum<<8 ^ crcTable[byte(sum>>24)^x]
	}
	return sum
}

// checksum is that of the page in b, as if its own field were 0.
func checksum(b []byte) uint32 {
	sum := crc(0, b[:atChecksum])
	sum = crc(sum, []byte{0, 0, 0, 0})
	return crc(sum, b[atChecksum+4:])
}

// sealPage writes the header's numbers and the checksum into the page in b.
func sealPage(b []byte, flags byte, granule int64, serial, sequence uint32) {
	le := binary.LittleEndian
	copy(b, capture)
	b[4] = 0 // the version
	b[atFlags] = flags
	le.PutUint64(b[atGranule:], uint64(granule))
	le.PutUint32(b[atSerial:], serial)
	le.PutUint32(b[atSequence:], sequence)
	le.PutUint32(b[atChecksum:], checksum(b))
}
