package record

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Codec names an audio format of an output.
type Codec string

// The codecs a spec may ask for. Which of them a build can encode is the
// codec registry's affair.
const (
	CodecWAV   Codec = "wav"   // linear PCM in a WAV file
	CodecMulaw Codec = "mulaw" // ITU-T G.711 µ-law in a WAV file
	CodecAlaw  Codec = "alaw"  // ITU-T G.711 A-law in a WAV file
	CodecMP3   Codec = "mp3"
	CodecFLAC  Codec = "flac"
	CodecOpus  Codec = "opus" // in Ogg
)

// What else may be made of a call from the same read of its legs: files that
// are about its audio.
const (
	CodecPeaksJSON Codec = "peaks-json" // the waveform, in audiowaveform's JSON
	CodecPeaksDAT  Codec = "peaks-dat"  // the waveform, in audiowaveform's binary format
	CodecAnalysis  Codec = "analysis"   // talk, levels, loudness and alignment of the legs, as JSON
)

// Custom reports whether the codec is one of a program's own, which its codec
// registry has: such names are ids that begin with "x-", and what follows is the
// file extension.
func (c Codec) Custom() bool {
	return strings.HasPrefix(string(c), "x-") && len(c) > 2 && len(c) <= 32 && callmodel.ValidID(string(c))
}

// Codecs lists every codec, in the order they are documented.
func Codecs() []Codec {
	return []Codec{
		CodecWAV, CodecMulaw, CodecAlaw, CodecMP3, CodecFLAC, CodecOpus, CodecPeaksJSON, CodecPeaksDAT, CodecAnalysis,
	}
}

// Audio reports whether an output of the codec can be listened to.
func (c Codec) Audio() bool { return !c.peaks() && c != CodecAnalysis }

func (c Codec) peaks() bool { return c == CodecPeaksJSON || c == CodecPeaksDAT }

// Lossy reports whether a bitrate can be chosen for the codec.
func (c Codec) Lossy() bool { return c == CodecMP3 || c == CodecOpus || c.Custom() }

// Ext is the file extension of the codec's container, without a dot.
func (c Codec) Ext() string {
	switch c {
	case CodecWAV, CodecMulaw, CodecAlaw:
		return "wav"
	case CodecMP3:
		return "mp3"
	case CodecFLAC:
		return "flac"
	case CodecOpus:
		return "opus"
	case CodecPeaksJSON:
		return "peaks.json"
	case CodecPeaksDAT:
		return "peaks.dat"
	case CodecAnalysis:
		return "analysis.json"
	default:
		if c.Custom() {
			return string(c[2:])
		}
		return "bin"
	}
}

// ContentType is the media type of the codec's container.
func (c Codec) ContentType() string {
	switch c {
	case CodecWAV, CodecMulaw, CodecAlaw:
		return "audio/wav"
	case CodecMP3:
		return "audio/mpeg"
	case CodecFLAC:
		return "audio/flac"
	case CodecOpus:
		return "audio/ogg"
	case CodecPeaksJSON, CodecAnalysis:
		return "application/json"
	default:
		return "application/octet-stream"
	}
}

func codecNames() string {
	names := make([]string, 0, len(Codecs()))
	for _, c := range Codecs() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}
