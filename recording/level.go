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

func (m *metered) ReadFrames(dst []float32) (int, error) {
	n, err := m.Source.ReadFrames(dst)
	if n > 0 {
		if bad := m.meter.WriteFrames(dst[:n]); bad != nil {
			return 0, bad
		}
	}
	return n, err
}

// listen has the loudness of every leg measured, before tones replace what is
// redacted.
func (pl *plan) listen(rate int) error {
	for _, l := range pl.legs {
		var err error
		if l.meter, err = analysis.NewLoudnessMeter(mono(rate)); err != nil {
			return fmt.Errorf("recording: loudness of leg %q: %w", l.spec.Name, err)
		}
	}
	return nil
}

// heard is the leg's timeline, measured if the leg is listened to.
func (l *leg) heard(line *audio.Timeline) audio.Source {
	if l.meter == nil {
		return line
	}
	return &metered{Source: line, meter: l.meter}
}

// levelGain is the gain, in dB to 0.01, that takes a leg of that loudness to
// the spec's. What nothing of passed the gate is left alone.
func levelGain(spec *record.Spec, m *analysis.LoudnessMeter) (float64, error) {
	if err := m.Finish(); err != nil {
		return 0, err
	}
	lufs := m.Result().Programme.IntegratedLUFS
	if lufs <= analysis.FloorLUFS {
		return 0, nil
	}
	most := spec.LevelMaxGainDB
	if most == 0 {
		most = record.DefaultLevelMaxGainDB
	}
	return min(math.RoundToEven((spec.LevelLUFS-lufs)*100)/100, most), nil
}
