package wav

import (
	"encoding/binary"
	"fmt"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/gsm"
)

// Format tags (mmreg.h).
const (
	tagPCM        = 0x0001
	tagMSADPCM    = 0x0002
	tagFloat      = 0x0003
	tagAlaw       = 0x0006
	tagMulaw      = 0x0007
	tagIMAADPCM   = 0x0011
	tagGSM        = 0x0031
	tagMP3        = 0x0055
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
	encMSADPCM
	encIMAADPCM
	encGSM     // of Microsoft's blocks
	encBareGSM // of frames with a signature
	encMP3
)

// layout is what the fmt chunk says, corrected.
type layout struct {
	enc       encoding
	bytes     int // of a sample; 0 if samples don't stand alone
	block     int // bytes of a block where they don't; 0: they do
	badBits   int // what the header says, -1 for 0, where the block alignment was believed
	channels  int
	rate      int
	bigEndian bool
}

// unit is the bytes that belong together: a frame, or a block of frames.
func (l *layout) unit() int {
	if l.block > 0 {
		return l.block
	}
	return l.bytes * l.channels
}

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
	if bits == 0 && tag == tagPCM && align%l.channels == 0 && align/l.channels <= 4 {
		bits, l.badBits = 8*align/l.channels, -1
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
		if n := align / l.channels; bits != 8*n && (n == 4 || n == 8) && n*l.channels == align {
			bits, l.badBits = 8*n, bits
		}
		if bits != 32 && bits != 64 {
			return l, 0, unsupported("WAV IEEE float of %d bits", bits)
		}
		l.enc, l.bytes = encFloat, bits/8
	case tagMulaw:
		l.enc, l.bytes = encMulaw, 1
	case tagAlaw:
		l.enc, l.bytes = encAlaw, 1
	case tagGSM, tagMSADPCM, tagIMAADPCM:
		if err := l.blockFormat(tag, bits, align); err != nil {
			return l, 0, err
		}
	case tagMP3:
		l.enc, l.bytes, l.channels = encMP3, 1, 1
		return l, 0, nil
	default:
		return l, 0, unsupported("WAV format tag 0x%04X%s", tag, tagName(tag))
	}
	if align != l.unit() {
		wrongAlign = align
		if align == 0 {
			wrongAlign = -1
		}
	}
	return l, wrongAlign, nil
}

// blockFormat sets the layout of an encoding whose samples come in blocks.
func (l *layout) blockFormat(tag uint16, bits, align int) error {
	switch {
	case l.bigEndian:
		return unsupported("WAV format tag 0x%04X%s in a RIFX file", tag, tagName(tag))
	case tag == tagGSM && l.channels != 1:
		return unsupported("WAV format tag 0x0031 (GSM 6.10) of %d channels; it has 1", l.channels)
	case tag == tagGSM && align > 40 && align < gsm.BlockBytes:
		// MSN's variants leave bits out of the frames.
		return unsupported("WAV format tag 0x0031 (GSM 6.10) in blocks of %d bytes; 65 can be read", align)
	case tag == tagGSM:
		l.enc, l.block = encGSM, gsm.BlockBytes
		return nil
	case l.channels > 2:
		return unsupported("WAV format tag 0x%04X%s of %d channels; 1 and 2 can be read", tag, tagName(tag), l.channels)
	case bits != 4:
		return unsupported("WAV format tag 0x%04X%s of %d bits; 4 can be read", tag, tagName(tag), bits)
	}
	l.enc, l.block = encMSADPCM, align
	least := 7 * l.channels
	if tag == tagIMAADPCM {
		l.enc, least = encIMAADPCM, 4*l.channels
	}
	if align < least {
		return unsupported("WAV format tag 0x%04X%s in blocks of %d bytes", tag, tagName(tag), align)
	}
	return nil
}

// newBlocks makes the decoder of an encoding in blocks; nil for others.
func (l *layout) newBlocks() *blocks {
	k := &blocks{}
	switch l.enc {
	case encGSM:
		k.codec = &wav49{}
	case encBareGSM:
		k.codec = &bareGSM{}
	case encMSADPCM:
		k.codec = msADPCM{l.channels}
	case encIMAADPCM:
		k.codec = imaADPCM{l.channels}
	default:
		return nil
	}
	k.buf = make([]float32, k.codec.frames(l.block)*l.channels)
	return k
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
