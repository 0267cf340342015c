package recording

import (
	"context"
	"slices"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
)

// plan is all that is known before the recording is rendered: what the phases
// before found out.
type plan struct {
	call    *timedCall
	scan    *scanned
	cut     *cutCall
	outputs []plannedOutput
}

// rendered is what came of reading the legs and writing the outputs: the sixth
// phase.
type rendered struct {
	outputs   []record.OutputResult
	clipped   []record.Defect   // of encoders
	analysis  *analysis.Report  // of the first analysis among the outputs; nil without one
	timelines []*audio.Timeline // of the legs; nil if nothing was rendered
	dropouts  map[*timedSegment]*audio.DropoutDetector
	bursts    map[*timedSegment]*audio.EndBurst
}

// render reads the legs and writes the outputs. If no part of the call is left to
// record, the legs are only hashed. A failure cancels ctx with itself as the cause.
func (p *Processor) render(
	ctx context.Context, cancel context.CancelCauseFunc, pl *plan, o *ProcessOptions,
) (*rendered, error) {
	if pl.cut.length == 0 || len(pl.outputs) == 0 {
		return &rendered{}, finishLegs(pl.call)
	}
	buses, outputs, err := p.makeBuses(pl, o)
	if err != nil {
		return nil, err
	}
	lines := &pipes{
		call: pl.call, stages: p.stages, block: p.block, scan: *pl.scan, findDropouts: analysed(pl.call.spec),
		findBursts: analysed(pl.call.spec) || pl.call.spec.LevelLUFS != 0,
	}
	if err := lines.connect(buses); err != nil {
		return nil, err
	}
	var readers []*reader
	for _, b := range buses {
		readers = append(readers, b.readers...)
	}
	u := p.newPump(pl.call, buses, o)
	if len(readers) == 1 {
		u.serve(ctx, cancel, readers[0])
	} else {
		u.drive(ctx, cancel, readers)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	r := &rendered{timelines: lines.timelines, dropouts: lines.dropouts, bursts: lines.bursts}
	for _, out := range outputs {
		r.outputs = append(r.outputs, out.result())
		if r.analysis == nil {
			r.analysis = out.report
		}
		if out.clips > 0 {
			r.clipped = append(r.clipped, record.Defect{
				Code: record.DefectClipped, Count: out.clips,
				Detail: "samples clipped by the encoder of output " + out.label(),
			})
		}
	}
	return r, nil
}

// analysed reports whether one of the outputs is an analysis.
func analysed(spec *record.Spec) bool {
	return slices.ContainsFunc(spec.Outputs, func(o record.OutputSpec) bool { return o.Codec == record.CodecAnalysis })
}

// makeBuses makes a bus for all outputs, and taps, that need the same samples.
func (p *Processor) makeBuses(pl *plan, o *ProcessOptions) ([]*bus, []*output, error) {
	var buses busList
	outputs := make([]*output, len(pl.outputs))
	for i := range pl.outputs {
		planned := &pl.outputs[i]
		b := buses.find(pl.cut, planned.rate, planned.channels, planned.spec.ChannelLayout() == record.LayoutMono)
		outputs[i] = p.newOutput(pl.call.spec, planned, o)
		b.readers = append(b.readers, outputs[i].reader)
	}
	if len(p.taps) == 0 {
		return buses, outputs, nil
	}
	f := &goaudio.Format{NumChannels: len(pl.call.legs), SampleRate: clampRate(pl.call.rate)}
	taps, err := newTaps(p.taps, pl.call.spec, f, pl.cut.frames(f.SampleRate))
	if err == nil && len(taps) > 0 {
		b := buses.find(pl.cut, f.SampleRate, f.NumChannels, false)
		b.readers = append(b.readers, taps...)
	}
	return buses, outputs, err
}

// finishLegs reads what is left of the legs, for their hashes.
func finishLegs(call *timedCall) error {
	for _, l := range call.legs {
		if err := l.files.Finish(); err != nil {
			return err
		}
	}
	return nil
}

// checkFinished reads what is left of the legs, for their hashes. If one of them
// is still being written, the recording ends, unless that is accepted.
func checkFinished(call *timedCall, o *ProcessOptions) error {
	var growing []string
	for _, l := range call.legs {
		if err := l.files.Finish(); err != nil {
			return err
		}
		if l.files.Growing(o.quiet()) {
			growing = append(growing, l.spec.Name)
		}
	}
	if len(growing) > 0 && !o.AcceptGrowing {
		return &LegsNotReadyError{Growing: growing}
	}
	return nil
}
