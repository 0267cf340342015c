package wav

import (
	"encoding/binary"
	"fmt"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Format tags (mmreg.h).
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagAlaw       = 0x0006
	tagMulaw      = 0x0007
	tagExtensible = 0xFFFE
)

// MaxChannels is the most channels of a file that is read.
const MaxChannels = 256

// encoding is how a sample is stored.
type encoding uint8

const (
	encInt encoding = iota
	encFloat
	encMulaw
	encAlaw
)

// layout is what the fmt chunk says, corrected.
type layout struct {
	enc       encoding
	bytes     int // of a sample
	channels  int
	rate      int
	bigEndian bool
}

func (l *layout) frameBytes() int { return l.bytes * l.channels }

func unsupported(format string, args ...any) error {
	return &codec.DecodeError{Code: callmodel.DefectUnsupportedCodec, Detail: fmt.Sprintf(format, args...)}
}

func unreadable(format string, args ...any) error {
	return &codec.DecodeError{Code: callmodel.DefectUnreadableLeg, Detail: fmt.Sprintf(format, args...)}
}

// guidTail is what follows the format tag in the sub-format GUIDs of
// WAVEFORMATEXTENSIBLE (KSDATAFORMAT_SUBTYPE_WAVEFORMATEX).
const guidTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

// ambisonicTail is the same for first-order ambisonics, which are plain samples.
const ambisonicTail = "\x00\x00\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\x00\x00\x00"

// parseFormat reads the body of a fmt chunk: at least the 14 bytes of WAVEFORMAT.
// wrongAlign is the block alignment that the header claims, if it is wrong.
func parseFormat(b []byte, order binary.ByteOrder) (l layout, wrongAlign int, err error) {
	tag := order.Uint16(b)
	l = layout{
		channels:  int(order.Uint16(b[2:])),
		rate:      int(order.Uint32(b[4:])),
		bigEndian: order == binary.ByteOrder(binary.BigEndian),
	}
	bytesPerSecond, align := int64(order.Uint32(b[8:])), int(order.Uint16(b[12:]))
	if l.channels == 0 || l.channels > MaxChannels {
		return l, 0, unreadable("the header claims %d channels; 1 to %d can be read", l.channels, MaxChannels)
	}
	if l.rate < audio.MinResampleRate || l.rate > audio.MaxResampleRate {
		return l, 0, unreadable("the header claims a sample rate of %d Hz; %d to %d can be read",
			l.rate, audio.MinResampleRate, audio.MaxResampleRate)
	}
	bits := 8 * align / l.channels // WAVEFORMAT has no bits per sample
	if len(b) >= 16 {
		bits = int(order.Uint16(b[14:]))
	}
	if tag == tagExtensible {
		if tag, err = subFormat(b, order); err != nil {
			return l, 0, err
		}
	}
	switch tag {
	case tagPCM:
		if bits < 1 || bits > 64 || bits > 32 && bits != 64 {
			return l, 0, unsupported("WAV linear PCM of %d bits", bits)
		}
		l.bytes = (bits + 7) / 8
		// 17 to 24 bits may be stored in 4 bytes: believed only when all the
		// header's numbers agree on it.
		if l.bytes == 3 && align == 4*l.channels && bytesPerSecond == int64(align)*int64(l.rate) {
			l.bytes = 4
		}
	case tagFloat:
		if bits != 32 && bits != 64 {
			return l, 0, unsupported("WAV IEEE float of %d bits", bits)
		}
		l.enc, l.bytes = encFloat, bits/8
	case tagMulaw:
		l.enc, l.bytes = encMulaw, 1
	case tagAlaw:
		l.enc, l.bytes = encAlaw, 1
	default:
		return l, 0, unsupported("WAV format tag 0x%04X%s", tag, tagName(tag))
	}
	if align != l.frameBytes() {
		wrongAlign = align
		if align == 0 {
			wrongAlign = -1
		}
	}
	return l, wrongAlign, nil
}

// subFormat is the format tag within WAVEFORMATEXTENSIBLE.
func subFormat(b []byte, order binary.ByteOrder) (uint16, error) {
	if len(b) < 40 {
		return 0, unsupported("WAV format tag 0xFFFE (EXTENSIBLE) without its sub-format")
	}
	tag := order.Uint16(b[24:])
	if tail := string(b[26:40]); tail != guidTail && tail != ambisonicTail && order.String() == "LittleEndian" {
		return 0, unsupported("WAV EXTENSIBLE sub-format %X", b[24:40])
	}
	if tag == tagExtensible {
		return 0, unsupported("WAV EXTENSIBLE sub-format 0xFFFE")
	}
	return tag, nil
}

// tagName names the format tags that telephone servers and recorders write.
func tagName(tag uint16) string {
	switch tag {
	case 0x0002:
		return " (Microsoft ADPCM)"
	case 0x0010:
		return " (OKI ADPCM)"
	case 0x0011:
		return " (IMA ADPCM)"
	case 0x0014, 0x0040, 0x0045, 0x0064:
		return " (G.726 or G.721 ADPCM)"
	case 0x0022:
		return " (DSP Group TrueSpeech)"
	case 0x0028, 0x0042, 0x0111:
		return " (G.723)"
	case 0x0031:
		return " (GSM 6.10)"
	case 0x0050:
		return " (MPEG layer I or II)"
	case 0x0055:
		return " (MPEG layer III)"
	case 0x0083, 0x0123, 0x0134:
		return " (G.729)"
	case 0x0065, 0x028F:
		return " (G.722)"
	default:
		return ""
	}
}
