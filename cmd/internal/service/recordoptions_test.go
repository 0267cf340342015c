package service_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// A spool's calls, which are often one file each, get the audio first, whose URL is the
// call's, and a waveform with the audio's channels and rate.
func TestSpoolOutputs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    service.RecordOptions
		want []record.OutputSpec
	}{
		"alone": {service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}, []record.OutputSpec{{Codec: record.CodecMP3}}},
		"with its waveform": {
			service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo", RecordPeaks: true},
			[]record.OutputSpec{{Codec: record.CodecMP3}, {Codec: record.CodecPeaksDAT}},
		},
		"analysed": {
			service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo", RecordPeaks: true, RecordAnalysis: true},
			[]record.OutputSpec{{Codec: record.CodecMP3}, {Codec: record.CodecPeaksDAT}, {Codec: record.CodecAnalysis}},
		},
		"mono at a rate": {
			service.RecordOptions{RecordCodec: "wav", RecordLayout: "mono", RecordRate: 16000, RecordPeaks: true},
			[]record.OutputSpec{
				{Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000},
				{Codec: record.CodecPeaksDAT, Layout: record.LayoutMono, SampleRateHz: 16000},
			},
		},
		"a channel a leg": {
			service.RecordOptions{RecordCodec: "flac", RecordLayout: "multichannel", RecordPeaks: true},
			[]record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMultichannel}, {Codec: record.CodecPeaksDAT, Layout: record.LayoutMultichannel}},
		},
	} {
		assert.Equal(t, c.want, c.o.SpoolOutputs(), name)
	}
}
