package mp3

import (
	"encoding/binary"

	"github.com/switchtape/switchtape/recording/codec"
)

// The delays that a player cuts, in frames of audio. The filter banks of encoder
// and decoder together take 481 + 576 frames, of which players count 529 as the
// decoder's own. leadIn frames of silence before the audio round that up to two
// granules, whole MPEG frames: a call so short that its beginning and its end
// are in one MPEG frame would lose the cut at the beginning in ffmpeg.
const (
	filterDelay  = 481 + 576
	decoderDelay = 529
	leadIn       = 2*granuleLines - filterDelay
	encoderDelay = leadIn + filterDelay - decoderDelay
)

// encoderName is the version string of the Info frame. Players decide by its
// first four letters whether the rest has LAME's layout: ffmpeg, and all that is
// built on it, cuts the delay and the padding only for "LAME", "Lavf" and
// "Lavc". So the layout is named first and then the encoder.
const encoderName = "LAME/Swtp"

// EncoderVersion names the encoder and the version of its output: it changes
// whenever the same samples and options would give other bytes, on any machine.
// Version 1 gave others on machines that fuse multiplications and additions.
const EncoderVersion = "switchtape-mp3/2"

// Flags of the Info frame.
const (
	infoFrames = 1 << iota
	infoBytes
	infoTOC
	infoQuality
)

const (
	tocBytes  = 100
	lameBytes = 36
)

// frameTotal is the number of MPEG frames that carry so many frames of audio,
// so that the last ones come out of a decoder, and the padding at their end. It
// is at least 2, without which ffmpeg doesn't recognise a stream.
func frameTotal(frames int64, samplesPerFrame int) (total, padding int64) {
	spf := int64(samplesPerFrame)
	total = max(2, (encoderDelay+decoderDelay+frames+spf-1)/spf)
	return total, total*spf - encoderDelay - frames
}

// infoFrame is the first frame of a stream: silence to a decoder, and in place
// of the main data what the stream holds ("Info", or "Xing" for a variable rate,
// with the extension that LAME introduced). Fields that can't be known before
// the stream is written are left out.
func (c *config) infoFrame(lowpassHz int) []byte {
	flags := infoQuality
	size := 4 + 4 + 4 + lameBytes
	if c.frames != codec.FramesUnknown {
		flags |= infoFrames
		size += 4
		if c.Mode == CBR {
			flags |= infoBytes | infoTOC
			size += 4 + tocBytes
		}
	}
	h := c.header(c.bitrateIndex)
	h.protected = false
	h.modeExt = 0
	if h.slotBytes() < size && flags&infoTOC != 0 && h.slotBytes() >= size-tocBytes {
		flags &^= infoTOC
		size -= tocBytes
	}
	for h.slotBytes() < size {
		h.bitrateIndex++
	}
	frame := make([]byte, h.frameBytes())
	head := h.bytes()
	copy(frame, head[:])
	c.fillInfo(frame[:0:len(frame)], 4+h.sideInfoBytes(), flags, lowpassHz, len(frame))
	return frame
}

// fillInfo writes the tag into frame from offset on.
func (c *config) fillInfo(frame []byte, offset, flags, lowpassHz, frameBytes int) {
	var total, padding int64
	if flags&infoFrames != 0 {
		total, padding = frameTotal(c.frames, granuleLines*c.granules())
	}
	bytes := uint32(min(int64(frameBytes)+c.streamBytes(total), 1<<32-1))
	name, method := "Info", byte(1)
	switch c.Mode {
	case CBR:
	case ABR:
		name, method = "Xing", 2
	case VBR:
		name, method = "Xing", 3
	}
	b := frame[:offset]
	b = append(b, name...)
	b = binary.BigEndian.AppendUint32(b, uint32(flags))
	if flags&infoFrames != 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(min(total, 1<<32-1)))
	}
	if flags&infoBytes != 0 {
		b = binary.BigEndian.AppendUint32(b, bytes)
	}
	if flags&infoTOC != 0 {
		for i := range tocBytes {
			b = append(b, byte(i*256/tocBytes))
		}
	}
	b = binary.BigEndian.AppendUint32(b, uint32(100-10*c.VBRQuality))
	b = append(b, encoderName...)
	b = append(b, method, byte(min(255, (lowpassHz+50)/100)))
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0) // peak, replay gains, psychoacoustic flags
	b = append(b, byte(min(255, c.bitrate()/1000)))
	b = append(b, byte(encoderDelay>>4), byte(encoderDelay<<4&0xf0)|byte(padding>>8), byte(padding))
	b = append(b, c.sourceByte(), 0, 0, 0) // gain, preset
	if flags&infoBytes == 0 {
		bytes = 0
	}
	b = binary.BigEndian.AppendUint32(b, bytes)
	b = append(b, 0, 0) // CRC of the music: not known yet
	binary.BigEndian.AppendUint16(b, crc16Reflected(b))
}

// sourceByte is the extension's field for the stereo mode and the source's
// sampling frequency.
func (c *config) sourceByte() byte {
	mode := byte(0)
	if c.channels == 2 {
		mode = 1
		if c.Stereo == StereoJoint {
			mode = 3
		}
	}
	rate := byte(0)
	switch hz := c.sampleRate(); {
	case hz > 48000:
		rate = 3
	case hz > 44100:
		rate = 2
	case hz > 32000:
		rate = 1
	}
	return rate<<6 | mode<<2
}

// streamBytes is the length of n frames at a constant bitrate.
func (c *config) streamBytes(n int64) int64 {
	num := int64(granuleLines*c.granules()/8) * int64(c.bitrate())
	den := int64(c.sampleRate())
	return n*(num/den) + n*(num%den)/den
}

// crc16Reflected is CRC-16 with the polynomial 0x8005 reflected, as the Info
// frame's own checksum is defined.
func crc16Reflected(b []byte) uint16 {
	var crc uint16
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// crc16 continues the CRC of ISO/IEC 11172-3, 2.4.3.1: polynomial 0x8005, the
// most significant bit first. It begins with 0xffff, over the last two bytes of
// the header and the side information.
func crc16(crc uint16, b []byte) uint16 {
	for _, v := range b {
		crc ^= uint16(v) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x8005
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
