package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A record is
//
//	mark 4 bytes · checksum 4 · length of the body 4 · kind 1 · sequence number 8 · body
//
// all numbers little endian. The checksum (CRC-32C) is of all that follows it.
const (
	mark       = "\xf5Jr\x01"
	headerSize = len(mark) + 4 + 4 + 1 + 8
	atChecksum = len(mark)
	atLength   = atChecksum + 4
	atKind     = atLength + 4
	atSeq      = atKind + 1
)

// MaxEntry bounds an entry, in bytes.
const MaxEntry = 16 << 20

type kind byte

const (
	kindEntry kind = 1
	kindDone  kind = 2
)

type record struct {
	kind kind
	seq  uint64
	body []byte
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// appendRecord appends the record's bytes to b.
func appendRecord(b []byte, r record) []byte {
	start := len(b)
	b = append(b, mark...)
	b = append(b, 0, 0, 0, 0) // the checksum
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.body)))
	b = append(b, byte(r.kind))
	b = binary.LittleEndian.AppendUint64(b, r.seq)
	b = append(b, r.body...)
	binary.LittleEndian.PutUint32(b[start+atChecksum:], checksum(b[start+atLength:]))
	return b
}

// firstRecord is the record that b begins with, and its size; ok is false if b
// begins with none that is whole.
func firstRecord(b []byte) (r record, size int, ok bool) {
	if len(b) < headerSize || string(b[:len(mark)]) != mark {
		return r, 0, false
	}
	n := binary.LittleEndian.Uint32(b[atLength:])
	if n > MaxEntry || int(n) > len(b)-headerSize {
		return r, 0, false
	}
	size = headerSize + int(n)
	if binary.LittleEndian.Uint32(b[atChecksum:]) != checksum(b[atLength:size]) {
		return r, 0, false
	}
	r = record{kind: kind(b[atKind]), seq: binary.LittleEndian.Uint64(b[atSeq:]), body: b[headerSize:size]}
	return r, size, r.kind == kindEntry || r.kind == kindDone
}

// records calls f with every whole record of b, in their order, and returns how
// many bytes belong to none. Behind damage it goes on at the next mark that
// begins a whole record.
func records(b []byte, f func(record)) (damaged int) {
	for len(b) > 0 {
		r, size, ok := firstRecord(b)
		if ok {
			f(r)
			b = b[size:]
			continue
		}
		next := bytes.Index(b[1:], []byte(mark))
		if next < 0 {
			return damaged + len(b)
		}
		damaged += 1 + next
		b = b[1+next:]
	}
	return damaged
}
