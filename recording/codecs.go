package recording

import (
	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

// BuiltinCodecs is a new registry of every format in this module. The caller
// may change it before use.
func BuiltinCodecs() *codec.Registry {
	return &codec.Registry{
		Outputs: map[callmodel.Codec]codec.OutputFormat{
			callmodel.CodecWAV:   {New: wav.NewPCM, Version: wav.Version},
			callmodel.CodecMulaw: {New: wav.NewMulaw, Version: wav.Version},
			callmodel.CodecAlaw:  {New: wav.NewAlaw, Version: wav.Version},
		},
		Inputs: []codec.InputFormat{
			{Name: "WAV", Sniff: wav.Sniff, Decode: wav.Decode},
			{Name: "MP3", Sniff: mp3.Sniff, Decode: mp3.Decode},
		},
		Raw: wav.DecodeRaw,
	}
}
