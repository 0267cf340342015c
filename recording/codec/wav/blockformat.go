package wav

import (
	"encoding/binary"
	"fmt"

	"github.com/switchtape/switchtape/recording/codec/gsm"
)

// extension is the frames of a block by the extension of the fmt chunk that
// encodings in blocks have; 0 if there is none.
func extension(b []byte, order binary.ByteOrder) int {
	if len(b) < 20 {
		return 0
	}
	return int(order.Uint16(b[18:]))
}

// blockFormat sets the layout of an encoding whose samples come in blocks.
// perBlock is the frames of a block by the header, 0 if it doesn't tell.
func (l *layout) blockFormat(tag uint16, bits, align int, bytesPerSecond int64, perBlock int) error {
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
	}
	l.enc = encMSADPCM
	least := 7 * l.channels
	if tag == tagIMAADPCM {
		l.enc, least = encIMAADPCM, 4*l.channels
	}
	l.block = l.blockBytes(align, least, bytesPerSecond, perBlock)
	// Microsoft's has no other width; IMA's blocks tell theirs by what they hold.
	if bits != 4 && l.enc == encIMAADPCM && bits != 0 && (l.block < least || l.bytesOf(perBlock) != l.block) {
		return unsupported("WAV format tag 0x%04X%s of %d bits; 4 can be read", tag, tagName(tag), bits)
	}
	if bits != 4 {
		l.mended = append(l.mended, fmt.Sprintf("the bits per sample, %d where the encoding has 4", bits))
	}
	if l.block < least {
		return unsupported("WAV format tag 0x%04X%s in blocks of %d bytes", tag, tagName(tag), align)
	}
	return nil
}

// bytesOf is how long an ADPCM block of so many frames is; 0 if there is none.
func (l *layout) bytesOf(frames int) int {
	switch {
	case l.enc == encMSADPCM && frames >= 2 && (frames-2)*l.channels%2 == 0:
		return 7*l.channels + (frames-2)*l.channels/2
	case l.enc == encIMAADPCM && frames >= 1 && (frames-1)%8 == 0:
		return 4 * l.channels * (1 + (frames-1)/8)
	}
	return 0
}

// blockBytes is how long blocks are: as the block alignment says, unless it is
// impossible, or the frames of a block and the bytes of a second agree with one
// another and not with it.
func (l *layout) blockBytes(align, least int, bytesPerSecond int64, perBlock int) int {
	other := l.bytesOf(perBlock)
	if other == 0 || other == align || other > 0xFFFF {
		return align
	}
	if align < least {
		return other
	}
	// Both are off by so many bytes in the audio of perBlock seconds.
	second := bytesPerSecond * int64(perBlock)
	offAlign, offOther := abs(second-int64(l.rate)*int64(align)), abs(second-int64(l.rate)*int64(other))
	if offOther < offAlign && 50*offOther <= second {
		return other
	}
	return align
}

func abs(x int64) int64 { return max(x, -x) }
