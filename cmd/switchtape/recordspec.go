package main

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// timelineFlags say what is done to the call's audio on its way.
type timelineFlags struct {
	Redact       []string `help:"A range of the call to replace by silence in the recording, like 1m10s-1m25s." placeholder:"FROM-TO" sep:"none"`
	RedactWith   string   `help:"What redacted ranges are replaced by: ${enum}." enum:"silence,tone" default:"silence"`
	Pause        []string `help:"A range of the call in which recording was paused, like 1m10s-1m25s." placeholder:"FROM-TO" sep:"none"`
	PauseMode    string   `help:"What becomes of pauses: ${enum}. Cut takes them out." enum:"silence,cut" default:"silence"`
	Trim         trimFlag `help:"Cut silence off both ends; =DBFS for another threshold than -50." placeholder:"DBFS"`
	Level        decibels `help:"Bring every leg to this loudness, like -23, by a constant gain. Default: levels stay." placeholder:"LUFS"`
	Gain         []string `help:"Make a leg louder or quieter: agent=-6." placeholder:"NAME=DB" sep:"none"`
	LegsSpanCall bool     `help:"Every leg was recorded until the end of --span: correct clocks that drifted, and say where audio is missing."`
	CutToSpan    bool     `help:"Cut legs off at the end of --span."`
	CorrectRate  []string `help:"A leg to read at half or double the rate that its file states, if --span shows that it is wrong." placeholder:"NAME" sep:"none"`
}

// apply puts the flags in the spec, whose legs are known.
func (f *timelineFlags) apply(spec *record.Spec) error {
	spec.LegsSpanCall, spec.CutToSpan = f.LegsSpanCall, f.CutToSpan
	spec.LevelLUFS = float64(f.Level)
	if f.Trim.on {
		spec.Trim = &record.TrimSpec{ThresholdDBFS: f.Trim.threshold}
	}
	for _, arg := range f.Redact {
		from, to, err := parseRange("redact", arg)
		if err != nil {
			return err
		}
		spec.Redactions = append(spec.Redactions, record.Redaction{From: from, To: to, With: f.RedactWith})
	}
	for _, arg := range f.Pause {
		from, to, err := parseRange("pause", arg)
		if err != nil {
			return err
		}
		spec.Pauses = append(spec.Pauses, record.Pause{From: from, To: to})
	}
	if len(f.Pause) > 0 {
		spec.PauseMode = f.PauseMode
	}
	for _, arg := range f.Gain {
		name, value, _ := strings.Cut(arg, "=")
		db, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return cli.Usagef("--gain %s: give a leg and decibels, like agent=-6", arg)
		}
		l, err := legNamed(spec, "gain", name)
		if err != nil {
			return err
		}
		l.GainDB = db
	}
	for _, name := range f.CorrectRate {
		l, err := legNamed(spec, "correct-rate", name)
		if err != nil {
			return err
		}
		l.CorrectRate = true
	}
	return nil
}

func legNamed(spec *record.Spec, flag, name string) (*record.LegSpec, error) {
	for i := range spec.Legs {
		if spec.Legs[i].Name == name {
			return &spec.Legs[i], nil
		}
	}
	return nil, cli.Usagef("--%s: %q is not the name of a --leg", flag, name)
}

// decibels is a level, which may follow its flag although it begins with a minus.
type decibels float64

// Decode implements kong.MapperValue.
func (d *decibels) Decode(ctx *kong.DecodeContext) error {
	v, err := strconv.ParseFloat(ctx.Scan.Pop().String(), 64)
	if err != nil {
		return fmt.Errorf("give decibels, like -23: %w", err)
	}
	*d = decibels(v)
	return nil
}

// trimFlag is --trim or --trim=DBFS.
type trimFlag struct {
	on        bool
	threshold float64 // 0: the default
}

// Decode implements kong.MapperValue.
func (t *trimFlag) Decode(ctx *kong.DecodeContext) error {
	t.on = true
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	var d decibels
	err := d.Decode(ctx)
	t.threshold = float64(d)
	return err
}

// IsBool tells kong that --trim needs no value.
func (t *trimFlag) IsBool() bool { return true }

// spec turns the flags into a recording spec, whose URIs are paths and URLs as
// they were given.
func (c *recordCommand) spec() (record.Spec, error) {
	bitrate, err := parseBitrate(c.Bitrate)
	if err != nil {
		return record.Spec{}, err
	}
	codec, err := c.codec()
	if err != nil {
		return record.Spec{}, err
	}
	spec := record.Spec{
		TenantID: "local", CallID: "call", RecordingID: "recording", StartedAt: time.Unix(0, 0).UTC(), Span: c.Span,
		Outputs: []record.OutputSpec{{
			Codec: codec, Layout: record.Layout(c.Layout), SampleRateHz: c.Rate, BitrateBps: bitrate,
		}},
	}
	for _, arg := range c.Leg {
		name, seg, err := parseLeg(arg)
		if err != nil {
			return spec, err
		}
		i := len(spec.Legs) - 1
		for i >= 0 && spec.Legs[i].Name != name {
			i--
		}
		if i < 0 {
			spec.Legs = append(spec.Legs, record.LegSpec{Name: name})
			i = len(spec.Legs) - 1
		}
		spec.Legs[i].Segments = append(spec.Legs[i].Segments, seg)
	}
	if err := c.addTo(&spec); err != nil {
		return spec, err
	}
	return spec, c.apply(&spec)
}

// codec is the codec that was asked for, if only by the file's name.
func (c *recordCommand) codec() (record.Codec, error) {
	named, err := codecOf(c.Out)
	if c.Codec == "" {
		if err != nil {
			return "", cli.Usagef("--out %s: %w, or give --codec", c.Out, err)
		}
		return named, nil
	}
	codec := record.Codec(c.Codec)
	if err == nil && path.Ext(filepath.ToSlash(c.Out)) != "" && named.Ext() != codec.Ext() && !c.Force {
		return "", cli.Usagef("--out %s: its name says %s, and --codec %s makes .%s files; --force writes a .%s file of that name", c.Out, named, codec, codec.Ext(), codec.Ext())
	}
	return codec, nil
}

// codecOf is the codec that the extension of a file or an object stands for, and
// MP3 for a name without one.
func codecOf(file string) (record.Codec, error) {
	if strings.Contains(file, "://") {
		file, _, _ = strings.Cut(file, "?")
	}
	ext := strings.ToLower(path.Ext(filepath.ToSlash(file)))
	if ext == "" {
		return record.CodecMP3, nil
	}
	var have []string
	for _, known := range record.Codecs() {
		switch {
		case !known.Audio():
		case ext == "."+known.Ext():
			return known, nil
		case !slices.Contains(have, "."+known.Ext()):
			have = append(have, "."+known.Ext())
		}
	}
	return "", fmt.Errorf("no codec has the extension %s; take one of %s", ext, strings.Join(have, ", "))
}

// parseLeg splits NAME=URL[@OFFSET][;encoding=…]. What follows the last @ is an offset only
// if it is a duration, so that a path may hold an @.
func parseLeg(arg string) (name string, segment record.SegmentSpec, err error) {
	whole, raw, err := parseRaw("--leg", arg)
	if err != nil {
		return "", segment, err
	}
	name, where, ok := strings.Cut(whole, "=")
	if !ok || name == "" || where == "" {
		return "", segment, cli.Usagef("--leg %s: give NAME=URL, with @OFFSET behind it if the leg begins later, like customer=customer.wav@2s", arg)
	}
	segment = record.SegmentSpec{URI: where, Raw: raw}
	if i := strings.LastIndexByte(where, '@'); i > 0 {
		after := where[i+1:]
		if d, err := time.ParseDuration(after); err == nil {
			segment.URI, segment.Offset = where[:i], d
		} else if _, err := strconv.ParseFloat(after, 64); err == nil {
			return "", segment, cli.Usagef("--leg %s: @%s has no unit; write @%ss for seconds, @%sms for milliseconds", arg, after, after, after)
		}
	}
	return name, segment, nil
}

// parseRange reads FROM-TO, both durations from the start of the call.
func parseRange(flag, arg string) (from, to time.Duration, err error) {
	first, last, ok := strings.Cut(arg, "-")
	f, ferr := time.ParseDuration(first)
	t, terr := time.ParseDuration(last)
	if !ok || ferr != nil || terr != nil {
		return 0, 0, cli.Usagef("--%s %s: give the times from the call's start, like 1m10s-1m25s", flag, arg)
	}
	return f, t, nil
}

// parseBitrate reads bits per second, with k for thousands.
func parseBitrate(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	digits, thousands := strings.CutSuffix(strings.ToLower(s), "k")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > 10_000_000 {
		return 0, cli.Usagef("--bitrate %s: give bits per second, like 32k", s)
	}
	if thousands {
		n *= 1000
	}
	return n, nil
}

// legNotes says what was done to a leg.
func legNotes(l *record.LegResult) string {
	var notes string
	if l.GainDB != 0 {
		notes += fmt.Sprintf(", levelled by %+.2f dB", l.GainDB)
	}
	if l.DriftPPM != 0 {
		notes += fmt.Sprintf(", clock %+.1f ppm", l.DriftPPM)
	}
	if n := len(l.Gaps) + l.GapsOmitted; n > 0 {
		var sum time.Duration
		for _, g := range l.Gaps {
			sum += g.To - g.From
		}
		notes += fmt.Sprintf(", gaps: %d, %v", n, sum)
	}
	return notes
}

// pieces lists what of the call the recording holds.
func pieces(timeline []record.TimelinePiece) string {
	var out []string
	for _, p := range timeline {
		out = append(out, p.CallFrom.String()+"-"+p.CallTo.String())
	}
	return strings.Join(out, ", ") + " of the call"
}
