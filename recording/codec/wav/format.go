package wav

import (
	"encoding/binary"
	"fmt"

	"github.com/switchtape/switchtape/callmodel/record"
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
	tagOKI        = 0x0010
	tagDialogic   = 0x0017
	tagG726       = 0x0045
	tagG721       = 0x0040
	tagAntexG726  = 0x0014
	tagOtherG726  = 0x0064
	tagG722       = 0x028F
	tagG722ADPCM  = 0x0065
	tagMPEG       = 0x0050
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
	encG722
	encG726
	encVox     // Dialogic's ADPCM
	encBareIMA // without blocks
	encMP3
)

// layout is what the fmt chunk says, corrected.
type layout struct {
	enc       encoding
	bytes     int      // of a sample; 0 if samples don't stand alone
	block     int      // bytes of a block where they don't; 0: they do
	other     int      // bytes of a block by another number of the header; 0 if all agree
	badBits   int      // what the header says, -1 for 0, where the block alignment was believed
	mended    []string // what else of the header was corrected
	channels  int
	rate      int
	bigEndian bool
	signed8   bool // samples of 8 bits are signed
	loose     int  // bits of a sample that is in 4 bytes; 0: all of them
	justified justification
	codeBits  int  // of G.726
	highFirst bool // its codes begin in the high bits of a byte
}

// justification is where in 4 bytes the bits of a sample are that has fewer.
type justification uint8

const (
	unseen justification = iota // no sample has told
	left                        // in the high bits, as WAV has it
	right                       // in the low bits, as ALSA's S24_LE has it
)

// justify tells from samples where their bits are. Those of the left have nothing below
// them, and those of the right only their sign or nothing above.
func (l *layout) justify(b []byte) {
	shift := 32 - l.loose
	below, above := false, false
	for ; len(b) >= 4; b = b[4:] {
		v := binary.LittleEndian.Uint32(b)
		below = below || v&(1<<shift-1) != 0
		top := int32(v) >> (l.loose - 1)
		above = above || top != 0 && top != -1 && v>>l.loose != 0
	}
	switch {
	case below && !above:
		l.justified = right
	case below || above:
		l.justified = left
	}
}

// justifyAhead tells where the bits are of a file whose first samples don't tell: by all of
// them where it can be read at random, else by as many as can be looked ahead. If they could
// all be either, they are right-justified if they have bits below the first 16: a sound of
// 16 bits is far commoner there than one that stays below -48 dBFS and yet has finer steps.
// Without such bits, the first sample that tells decides.
func (s *source) justifyAhead() {
	if s.loose == 0 || s.bigEndian {
		return
	}
	fine := false
	look := func(b []byte) {
		b = b[:len(b)&^3]
		s.justify(b)
		for i := 0; i < len(b) && !fine; i += 4 {
			fine = binary.LittleEndian.Uint16(b[i:]) != 0
		}
	}
	if s.at == nil {
		look(s.in.peek(int(min(s.left, lookLimit))))
	} else {
		buf := make([]byte, bufSize)
		for off, end := s.in.pos, s.in.pos+min(s.left, max(s.in.size-s.in.pos, 0)); off < end && s.justified == unseen; off += bufSize {
			n, err := s.at.ReadAt(buf[:min(bufSize, end-off)], off)
			look(buf[:n])
			if err != nil {
				break
			}
		}
	}
	if s.justified == unseen && fine {
		s.justified = right
	}
}

// unit is the bytes that belong together: a frame, or a block of frames.
func (l *layout) unit() int {
	if l.block > 0 {
		return l.block
	}
	return l.bytes * l.channels
}

func unsupported(format string, args ...any) error {
	return &codec.DecodeError{Code: record.DefectUnsupportedCodec, Detail: fmt.Sprintf(format, args...)}
}

func unreadable(format string, args ...any) error {
	return &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: fmt.Sprintf(format, args...)}
}

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
	validBits := 0
	if tag == tagExtensible {
		if len(b) >= 20 {
			validBits = int(order.Uint16(b[18:]))
		}
		if tag, err = subFormat(b, order); err != nil {
			return l, 0, err
		}
	}
	switch {
	case tag == tagMP3 || tag == tagMPEG: // its frames tell
		l.enc, l.bytes, l.channels, l.rate = encMP3, 1, 1, max(l.rate, audio.MinResampleRate)
		return l, 0, nil
	case tag == tagGSM && align == gsm.BlockBytes && l.channels != 1:
		l.mended = append(l.mended, fmt.Sprintf("the channels, %d where GSM 6.10 has 1", l.channels))
		l.channels = 1
	}
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
	if bits == 0 && tag == tagPCM && align%l.channels == 0 && align/l.channels <= 4 {
		bits, l.badBits = 8*align/l.channels, -1
	}
	if bits == 0 && align == 0 && validBits > 0 {
		bits = validBits
		l.mended = append(l.mended, fmt.Sprintf("the bits per sample, 0 where %d are valid", bits))
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
			l.bytes, l.loose = 4, bits
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
		if err := l.blockFormat(tag, bits, align, extension(b, order)); err != nil {
			return l, 0, err
		}
	case tagOKI, tagDialogic, tagG726, tagG721, tagAntexG726, tagOtherG726, tagG722, tagG722ADPCM:
		if err := l.streamFormat(tag, bits); err != nil {
			return l, 0, err
		}
	default:
		return l, 0, unsupported("WAV format tag 0x%04X%s", tag, tagName(tag))
	}
	if l.stream() {
		return l, 0, nil // its alignment means nothing
	}
	if align != l.unit() {
		wrongAlign = align
		if align == 0 {
			wrongAlign = -1
		}
	}
	return l, wrongAlign, nil
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
	case encG722:
		k.codec = newBareG722()
	case encG726:
		k.codec = newBareG726(l)
	case encVox:
		k.codec = &bareVox{}
	case encBareIMA:
		k.codec = &bareIMA{}
	default:
		return nil
	}
	k.buf = make([]float32, k.codec.frames(l.block)*l.channels)
	return k
}
