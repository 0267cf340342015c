package wav

import "strconv"

// Describe implements codec.Describer.
func (s *source) Describe() string {
	container := "WAV"
	switch {
	case s.noHeader:
		container = "no header"
	case s.bigEndian:
		container = "WAV (RIFX)"
	}
	return container + ", " + s.encoding()
}

func (l *layout) encoding() string {
	switch l.enc {
	case encInt:
		if l.loose != 0 {
			return "PCM of " + strconv.Itoa(l.loose) + " bits in " + strconv.Itoa(8*l.bytes)
		}
		return "PCM of " + strconv.Itoa(8*l.bytes) + " bits"
	case encFloat:
		return "float of " + strconv.Itoa(8*l.bytes) + " bits"
	case encMulaw:
		return "µ-law"
	case encAlaw:
		return "A-law"
	case encMSADPCM:
		return "ADPCM (Microsoft's)"
	case encIMAADPCM:
		return "ADPCM (IMA's)"
	case encBareIMA:
		return "ADPCM (IMA's, without blocks)"
	case encVox:
		return "ADPCM (Dialogic's)"
	case encG722:
		return "G.722"
	case encG726:
		return "G.726 of " + strconv.Itoa(8*l.codeBits) + " kbit/s"
	case encGSM, encBareGSM:
		return "GSM 6.10"
	default:
		return "MP3"
	}
}
