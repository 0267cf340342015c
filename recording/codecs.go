package recording

import (
	"slices"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/au"
	"github.com/switchtape/switchtape/recording/codec/derived"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/codec/gsm"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/codec/opus"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

// fitRate is the codec.OutputFormat.FitRate of a codec that has only these
// rates.
func fitRate(rates []int) func(int) int {
	rates = slices.Sorted(slices.Values(rates))
	return func(hz int) int {
		i, _ := slices.BinarySearch(rates, hz)
		return rates[min(i, len(rates)-1)]
	}
}

// BuiltinCodecs is a new registry of every format in this module. The caller
// may change it before use. Opus is unavailable unless the program was built
// with the tag opus.
func BuiltinCodecs() *codec.Registry {
	return &codec.Registry{
		Outputs: map[record.Codec]codec.OutputFormat{
			record.CodecWAV:   {New: wav.NewPCM, Version: wav.Version},
			record.CodecMulaw: {New: wav.NewMulaw, Version: wav.Version},
			record.CodecAlaw:  {New: wav.NewAlaw, Version: wav.Version},
			record.CodecFLAC:  {New: flac.New, Version: flac.Version},
			record.CodecOpus: {
				New: opus.New, Version: opus.Version(), FitRate: fitRate(opus.SampleRates()), Unavailable: opus.Unavailable(),
			},
			record.CodecMP3: {New: mp3.New, Version: mp3.EncoderVersion, FitRate: fitRate(mp3.SampleRates())},

			record.CodecPeaksJSON: {New: derived.NewPeaksJSON, Version: derived.PeaksVersion, FitRate: derived.FitRate},
			record.CodecPeaksDAT:  {New: derived.NewPeaksDAT, Version: derived.PeaksVersion, FitRate: derived.FitRate},
			record.CodecAnalysis:  {New: derived.NewAnalysis, Version: derived.AnalysisVersion, FitRate: derived.FitRate},
		},
		Inputs: []codec.InputFormat{
			{Name: "WAV", Sniff: wav.Sniff, Decode: wav.Decode},
			{Name: "AU", Sniff: au.Sniff, Decode: au.Decode},
			{Name: "FLAC", Sniff: flac.Sniff, Search: flac.Search, Decode: flac.Decode}, // before MP3, which claims every ID3 tag
			{Name: "MP3", Sniff: mp3.Sniff, Search: mp3.Search, Decode: mp3.Decode},
			{Name: "GSM", Search: gsm.Begins, Decode: wav.DecodeGSM},
		},
		Raw: wav.DecodeRaw,
	}
}
