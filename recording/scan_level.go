package recording

import (
	"fmt"
	"math"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
)

// metered measures the loudness of a source as it is read.
type metered struct {
	audio.Source

	meter *analysis.LoudnessMeter
}

// ReadFrames implements [audio.Source].
func (m *metered) ReadFrames(dst []float32) (int, error) {
	n, err := m.Source.ReadFrames(dst)
	if n > 0 {
		if bad := m.meter.WriteFrames(dst[:n]); bad != nil {
			return 0, bad
		}
	}
	return n, err
}

// newMeters makes a loudness meter for each leg.
func newMeters(legs []record.LegSpec, rate int) ([]*analysis.LoudnessMeter, error) {
	meters := make([]*analysis.LoudnessMeter, len(legs))
	for i := range legs {
		var err error
		if meters[i], err = analysis.NewLoudnessMeter(mono(rate)); err != nil {
			return nil, fmt.Errorf("recording: loudness of leg %q: %w", legs[i].Name, err)
		}
	}
	return meters, nil
}

// levelGains are the gains, in dB to 0.01, that take legs of the measured
// loudness to the spec's. A leg whose every block is below the gate keeps its
// level.
func levelGains(spec *record.Spec, meters []*analysis.LoudnessMeter) ([]float64, error) {
	most := spec.LevelMaxGainDB
	if most == 0 {
		most = record.DefaultLevelMaxGainDB
	}
	gains := make([]float64, len(meters))
	for i, m := range meters {
		if err := m.Finish(); err != nil {
			return nil, err
		}
		if lufs := m.Result().Programme.IntegratedLUFS; lufs > analysis.FloorLUFS {
			gains[i] = min(math.RoundToEven((spec.LevelLUFS-lufs)*100)/100, most)
		}
	}
	return gains, nil
}
