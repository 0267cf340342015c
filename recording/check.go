package recording

import (
	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

// Check reports every fault of the spec that shows without reading a leg, as
// [callmodel.FieldErrors]: those of its Validate, and what codecs can't do, with
// the nearest that they can. Nil codecs are [BuiltinCodecs]. What the spec leaves
// out gets the values of its WithDefaults; an output without a sample rate is
// checked at 8000 Hz.
func Check(spec record.Spec, codecs *codec.Registry) error {
	if codecs == nil {
		codecs = BuiltinCodecs()
	}
	spec = spec.WithDefaults()
	if err := spec.Validate(); err != nil {
		return err
	}
	var faults callmodel.FieldErrors
	for i, o := range spec.Outputs {
		out := planOutput(codecs, &spec, o, record.DefaultSampleRate)
		out.options.Frames = int64(out.rate)
		faults = append(faults, checkOutput(codecs, i, &out)...)
	}
	return faults.Err()
}
