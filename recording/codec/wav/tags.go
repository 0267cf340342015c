package wav

// tagName names the format tags of mmreg.h that telephone servers, recorders and
// conversion programs write.
func tagName(tag uint16) string {
	var name string
	switch tag {
	case 0x0002:
		name = "Microsoft ADPCM"
	case 0x0010, 0x0017:
		name = "OKI ADPCM"
	case 0x0011:
		name = "IMA ADPCM"
	case 0x0014, 0x0040, 0x0045, 0x0064:
		name = "G.726 or G.721 ADPCM"
	case 0x0020:
		name = "Yamaha ADPCM"
	case 0x0022:
		name = "DSP Group TrueSpeech"
	case 0x0028, 0x0042, 0x0111, 0xA100:
		name = "G.723"
	case 0x0031:
		name = "GSM 6.10"
	case 0x0034, 0x0062, 0x0069, 0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075:
		name = "a speech codec of Voxware's or Lernout & Hauspie's"
	case 0x0041, 0x028F, 0x0065:
		name = "G.722"
	case 0x0050:
		name = "MPEG layer I or II"
	case 0x0055:
		name = "MPEG layer III"
	case 0x0057, 0x0136, 0xA104:
		name = "AMR"
	case 0x0061:
		name = "Duck ADPCM"
	case 0x0083, 0x0123, 0x0134:
		name = "G.729"
	case 0x0092, 0x2000:
		name = "AC-3"
	case 0x00FF, 0x1600, 0x1602, 0x1610, 0x4143, 0xA106, 0x706D:
		name = "AAC"
	case 0x0101:
		name = "IBM µ-law"
	case 0x0102:
		name = "IBM A-law"
	case 0x0103:
		name = "IBM ADPCM"
	case 0x0130:
		name = "Sipro ACELP"
	case 0x0160, 0x0161, 0x0162, 0x0163:
		name = "Windows Media Audio"
	case 0x0200:
		name = "Creative ADPCM"
	case 0x0270:
		name = "ATRAC3"
	case 0x028E:
		name = "Siren"
	case 0x2001:
		name = "DTS"
	case 0x566F, 0x674F, 0x6750, 0x6751, 0x676F, 0x6770, 0x6771:
		name = "Vorbis"
	case 0x5346:
		name = "Flash ADPCM"
	case 0x704F:
		name = "Opus"
	case 0xA109:
		name = "Speex"
	case 0xF1AC:
		name = "FLAC"
	default:
		return ""
	}
	return " (" + name + ")"
}
