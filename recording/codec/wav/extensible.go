package wav

import (
	"encoding/binary"
)

// guidTail is what follows the format tag in the sub-format GUIDs of
// WAVEFORMATEXTENSIBLE (KSDATAFORMAT_SUBTYPE_WAVEFORMATEX).
const guidTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

// ambisonicTail is the same for first-order ambisonics, which are plain samples.
const ambisonicTail = "\x00\x00\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\x00\x00\x00"

// subFormat is the format tag within WAVEFORMATEXTENSIBLE. Writers of RIFX turn
// the first number of the GUID around, or its first three, or none.
func subFormat(b []byte, order binary.ByteOrder) (uint16, error) {
	if len(b) < 40 {
		return 0, unsupported("WAV format tag 0xFFFE (EXTENSIBLE) without its sub-format")
	}
	guid := string(b[24:40])
	tag, tail := order.Uint16(b[24:]), guid[2:]
	if order == binary.ByteOrder(binary.BigEndian) {
		switch {
		case guid[4:8] == "\x00\x00\x00\x10" && guid[8:] == guidTail[6:]:
			tag, tail = order.Uint16(b[26:]), guidTail
		case guid[1] == 0:
			tag = binary.LittleEndian.Uint16(b[24:])
		}
	}
	if tail != guidTail && tail != ambisonicTail || tag == tagExtensible {
		return 0, unsupported("WAV EXTENSIBLE sub-format %X", guid)
	}
	return tag, nil
}
