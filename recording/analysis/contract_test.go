package analysis_test

import (
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// tap is a tap with its result.
func tap[R any, T interface {
	recordingtest.Tap
	Result() R
}](t *testing.T, m T, err error,
) (recordingtest.Tap, func() any) {
	t.Helper()
	require.NoError(t, err)
	return m, func() any { return m.Result() }
}

func withResults(t *testing.T, f *goaudio.Format) map[string]func() (recordingtest.Tap, func() any) {
	t.Helper()
	all := map[string]func() (recordingtest.Tap, func() any){
		"voice": func() (recordingtest.Tap, func() any) {
			m, err := analysis.NewVoiceDetector(f, nil)
			return tap[analysis.Conversation](t, m, err)
		},
		"levels": func() (recordingtest.Tap, func() any) {
			m, err := analysis.NewLevelMeter(f, nil)
			return tap[[]analysis.Levels](t, m, err)
		},
		"loudness": func() (recordingtest.Tap, func() any) {
			m, err := analysis.NewLoudnessMeter(f)
			return tap[analysis.LoudnessResult](t, m, err)
		},
		"peaks": func() (recordingtest.Tap, func() any) {
			m, err := analysis.NewPeaks(f, nil)
			return tap[*analysis.Waveform](t, m, err)
		},
		"analyzer": func() (recordingtest.Tap, func() any) {
			m, err := analysis.NewAnalyzer(f, nil)
			return tap[*analysis.Report](t, m, err)
		},
	}
	if f.NumChannels > 1 {
		all["alignment"] = func() (recordingtest.Tap, func() any) {
			m, err := analysis.NewAlignmentCheck(f, 0, 1)
			return tap[analysis.Alignment](t, m, err)
		}
	}
	return all
}

func TestTapsKeepTheContract(t *testing.T) {
	t.Parallel()
	for _, f := range []goaudio.Format{{NumChannels: 1, SampleRate: 8000}, {NumChannels: 2, SampleRate: 8000}, {NumChannels: 3, SampleRate: 44100}} {
		for name, open := range withResults(t, &f) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				recordingtest.TapContract(t, f, open)
			})
		}
	}
}
