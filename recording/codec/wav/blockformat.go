package wav

import (
	"encoding/binary"
	"fmt"

	"github.com/switchtape/switchtape/recording/codec/g722"
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
func (l *layout) blockFormat(tag uint16, bits, align, perBlock int) error {
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
	l.block = align
	if l.other = l.otherBlock(perBlock); align < least {
		l.block, l.other = l.other, 0
	}
	// Microsoft's has no other width; IMA's blocks tell theirs by what they hold.
	if bits != 4 && l.enc == encIMAADPCM && bits != 0 && (l.block == 0 || l.bytesOf(perBlock) != l.block) {
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

// streamFormat sets the layout of an ADPCM without blocks. Of G.726 the first code of a
// byte is in its high bits, as ffmpeg writes and reads it.
func (l *layout) streamFormat(tag uint16, bits int) error {
	channels, rate := l.channels, l.rate
	ok := channels == 1 && !l.bigEndian
	switch tag {
	case tagOKI, tagDialogic:
		ok = ok && bits == 4
		*l, _ = rawLayoutOf("vox")
	case tagG722, tagG722ADPCM:
		ok = ok && rate == g722.SampleRate
		*l, _ = rawLayoutOf("g722")
	default:
		known, found := rawLayoutOf(fmt.Sprintf("aal2-g726-%d", 8*bits))
		*l, ok = known, ok && found
	}
	l.channels, l.rate = channels, rate
	if !ok {
		return unsupported("WAV format tag 0x%04X%s of %d channels at %d Hz in %d bits", tag, tagName(tag), channels, rate, bits)
	}
	return nil
}

// stream reports whether the encoding has samples that don't stand alone, and no blocks.
func (l *layout) stream() bool { return l.enc >= encG722 && l.enc <= encBareIMA }

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

// otherBlock is the length of blocks that the header's frames of a block say,
// where that isn't the block alignment; 0 if it is.
func (l *layout) otherBlock(perBlock int) int {
	other := l.bytesOf(perBlock)
	if other == l.block || other > 0xFFFF {
		return 0
	}
	return other
}

// soundBlocks reports whether blocks of n bytes begin in data, two at least, and
// all as blocks of the encoding must.
func (l *layout) soundBlocks(data []byte, n int) bool {
	seen := 0
	for ; len(data) >= 7*l.channels; data = data[min(n, len(data)):] {
		for c := range l.channels {
			if l.enc == encMSADPCM && int(data[c]) >= len(msFirst) ||
				l.enc == encIMAADPCM && (int(data[4*c+2]) >= len(imaSteps) || data[4*c+3] != 0) {
				return false
			}
		}
		seen++
	}
	return seen >= 2
}
