package record

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/tracing"
)

// Validate reports every fault of the spec at once, as [FieldErrors].
func (s *Spec) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("tenant_id", string(s.TenantID))
	e.CheckID("call_id", string(s.CallID))
	e.CheckID("recording_id", string(s.RecordingID))
	if s.StartedAt.IsZero() {
		e.Add("started_at", "is missing; give the call's start as RFC 3339")
	} else if y := s.StartedAt.UTC().Year(); y < 1970 || y > 9999 {
		e.Add("started_at", "year %d is not within 1970 to 9999", y)
	}
	if !s.EndedAt.IsZero() && s.EndedAt.Before(s.StartedAt) {
		e.Add("ended_at", "is before started_at")
	}
	checkSpan(&e, s.Span, "until the longest leg's end")
	if s.CutToSpan && s.Span == 0 {
		e.Add("cut_to_span", "needs span_ms, to cut at")
	}
	e.AddAll("", ValidateLegs(s.Legs))
	if s.LegsBelow != "" {
		if why := callmodel.ValidateRelativePath(s.LegsBelow); why != nil {
			e.Add("legs_below", "%q %s", text.Clip(s.LegsBelow), why)
		}
		for i := range s.Legs {
			e.AddAll("legs["+strconv.Itoa(i)+"]", s.Legs[i].ValidateBelow(s.LegsBelow))
		}
	}
	e.AddAll("", ValidateOutputs(s.Outputs, len(s.Legs)))
	e.AddAll("", ValidateRedactions(s.Redactions, s.Legs))
	if s.Trim != nil {
		e.AddAll("trim", s.Trim.Validate())
	}
	e.AddAll("", ValidatePauses(s.Pauses, s.PauseMode))
	e.AddAll("", validateLevel(s.LevelLUFS, s.LevelMaxGainDB))
	e.AddAll("", callmodel.ValidateHostSoftware(s.HostSoftware))
	s.checkRetention(&e)
	if s.Traceparent != "" && !tracing.Valid(s.Traceparent) {
		e.Add("traceparent", "is not one of W3C Trace Context, version 00")
	}
	return e.Err()
}

func (s *Spec) checkRetention(e *callmodel.FieldErrors) {
	retention.CheckConsent(e, "consent", s.Consent)
	if s.RetainDays < 0 || s.RetainDays > retention.MaxDays {
		e.Add("retain_days", "must be 1 to %d, or left out; is %d", retention.MaxDays, s.RetainDays)
	}
	switch {
	case s.RetainUntil.IsZero():
	case s.RetainDays != 0:
		e.Add("retain_until", "goes without retain_days; leave one of them out")
	case s.RetainUntil.Before(s.StartedAt):
		e.Add("retain_until", "is before started_at")
	case s.RetainUntil.Sub(s.StartedAt) > retention.MaxDays*retention.Day:
		e.Add("retain_until", "is more than %d days after started_at", retention.MaxDays)
	}
}

// ValidateLegs reports every fault of the legs, as [callmodel.FieldErrors].
// What their URIs may be is their opener's affair: see [ValidateRelative].
func ValidateLegs(legs []LegSpec) error {
	var e callmodel.FieldErrors
	if len(legs) == 0 || len(legs) > MaxLegs {
		e.Add("legs", "must be 1 to %d, are %d", MaxLegs, len(legs))
	}
	seen := make(map[string]int, len(legs))
	for i := range legs {
		p := "legs[" + strconv.Itoa(i) + "]"
		l := &legs[i]
		e.CheckID(p+".name", l.Name)
		if first, dup := seen[l.Name]; dup {
			e.Add(p+".name", "%q is the name of legs[%d] already", text.Clip(l.Name), first)
		} else {
			seen[l.Name] = i
		}
		if len(l.Segments) == 0 || len(l.Segments) > MaxSegments {
			e.Add(p+".segments", "must be 1 to %d, are %d", MaxSegments, len(l.Segments))
		}
		if !(l.GainDB >= MinGainDB && l.GainDB <= MaxGainDB) { // a NaN is neither
			e.Add(p+".gain_db", "must be %g to %g dB, is %g", MinGainDB, MaxGainDB, l.GainDB)
		}
		for j := range l.Segments {
			e.AddAll(p+".segments["+strconv.Itoa(j)+"]", l.Segments[j].Validate())
		}
	}
	return e.Err()
}

// ValidateBelow reports, as [callmodel.FieldErrors], the leg's files that aren't in
// the directory or below it, by their URIs. "" is every directory.
func (l *LegSpec) ValidateBelow(dir string) error {
	var e callmodel.FieldErrors
	for j := range l.Segments {
		if uri := l.Segments[j].URI; dir != "" && !strings.HasPrefix(uri, dir+"/") {
			e.Add("segments["+strconv.Itoa(j)+"].uri", "%q is not below %s/, where this tenant's legs are; "+
				"have the telephone server leave them there, or the operator say where they are (--legs-of)", text.Clip(uri), dir)
		}
	}
	return e.Err()
}

// Validate reports every fault of the segment, as [callmodel.FieldErrors].
func (s *SegmentSpec) Validate() error {
	var e callmodel.FieldErrors
	switch {
	case s.URI == "":
		e.Add("uri", "is empty; give the file's name, as the leg opener understands it")
	case len(s.URI) > maxURI:
		e.Add("uri", "is longer than %d bytes", maxURI)
	case strings.ContainsRune(s.URI, 0):
		e.Add("uri", "holds a NUL character")
	}
	if o := s.Offset.Abs(); o > 0 && o < minOffset {
		e.Add("offset_ms", "is %v, less than a frame; did you mean %d ms?", s.Offset, int64(s.Offset))
	}
	checkSpan(&e, s.Span, "not known")
	checkRate(&e, "sample_rate_hz", s.SampleRateHz, true)
	if r := s.Raw; r != nil {
		if known := RawEncodings(); !slices.Contains(known, r.Encoding) {
			e.Add("raw.encoding", "%q is not one of %s", text.Clip(r.Encoding), strings.Join(known, ", "))
		}
		checkRate(&e, "raw.sample_rate_hz", r.SampleRateHz, false)
		if r.Channels < 0 || r.Channels > MaxLegs {
			e.Add("raw.channels", "must be 1 to %d, is %d", MaxLegs, r.Channels)
		}
	}
	return e.Err()
}

// ValidateRelative is the policy for legs that somebody else names: it reports,
// as [callmodel.FieldErrors], every segment whose URI isn't a relative
// slash-separated path that stays below the place where legs are. A ledger
// refuses jobs by it, whichever way they come.
func ValidateRelative(legs []LegSpec) error {
	var e callmodel.FieldErrors
	for i := range legs {
		for j := range legs[i].Segments {
			if why := callmodel.ValidateLegPath(legs[i].Segments[j].URI); why != nil {
				e.Add(fmt.Sprintf("legs[%d].segments[%d].uri", i, j), "%q %s", text.Clip(legs[i].Segments[j].URI), why)
			}
		}
	}
	return e.Err()
}

func checkRate(e *callmodel.FieldErrors, path string, hz int, zeroOK bool) {
	switch {
	case hz == 0 && zeroOK:
	case hz > 0 && hz <= 192:
		e.Add(path, "%d is too small; the unit is Hz: did you mean %d?", hz, hz*1000)
	case hz < MinSampleRateHz || hz > MaxSampleRateHz:
		e.Add(path, "must be %d to %d Hz, is %d", MinSampleRateHz, MaxSampleRateHz, hz)
	}
}

// minOffset is a frame at 48 kHz. An offset or span below it is a number of
// milliseconds that was taken for a time.Duration, which counts nanoseconds.
const minOffset = 20 * time.Microsecond

// minSpan is the shortest span of a call: shorter ones are such numbers, too.
const minSpan = time.Millisecond

// checkSpan checks a span, of which 0 has a meaning of its own.
func checkSpan(e *callmodel.FieldErrors, span time.Duration, zero string) {
	switch {
	case span < 0 || span > MaxSpan:
		e.Add("span_ms", "must be 0 (%s) to %d ms", zero, MaxSpan.Milliseconds())
	case span > 0 && span < minSpan:
		e.Add("span_ms", "is %v; did you mean %d ms?", span, int64(span))
	}
}

// ValidateOutputs reports every fault of the outputs for a call of legs legs, as
// [callmodel.FieldErrors];
// legs 0 means that their number isn't known yet. Whether a codec can do the
// rate and bitrate is checked by the codec when the recording is planned.
func ValidateOutputs(outputs []OutputSpec, legs int) error {
	var e callmodel.FieldErrors
	if len(outputs) == 0 || len(outputs) > MaxOutputs {
		e.Add("outputs", "must be 1 to %d, are %d", MaxOutputs, len(outputs))
	}
	seen := make(map[string]int, len(outputs))
	for i := range outputs {
		p := "outputs[" + strconv.Itoa(i) + "]"
		o := &outputs[i]
		e.AddAll(p, o.validate(legs).Err())
		k := o.Name + "." + o.Codec.Ext()
		if first, dup := seen[k]; dup {
			e.Add(p+".name", "would give the same file as outputs[%d]; give each a name of its own", first)
		} else {
			seen[k] = i
		}
	}
	return e.Err()
}

func (o *OutputSpec) validate(legs int) callmodel.FieldErrors {
	var e callmodel.FieldErrors
	if o.Name != "" && (!callmodel.ValidID(o.Name) || len(o.Name) > 32) {
		e.Add("name", "%q must be at most 32 letters, digits, '.', '_' or '-'", text.Clip(o.Name))
	}
	if !slices.Contains(Codecs(), o.Codec) && !o.Codec.Custom() {
		e.Add("codec", "%q is not one of %s", text.Clip(string(o.Codec)), codecNames())
	}
	switch o.Layout {
	case LayoutMono:
		if o.Codec == CodecAnalysis {
			e.Add("layout", "an analysis has each leg on its own channel; leave layout out")
		}
	case LayoutMultichannel:
	case LayoutStereo:
		if legs > 2 {
			e.Add("layout", "stereo holds two legs, the call has %d; use multichannel or mono", legs)
		}
	default:
		if o.Layout != "" || o.Codec != CodecAnalysis {
			e.Add("layout", "%q is not one of mono, stereo, multichannel", text.Clip(string(o.Layout)))
		}
	}
	checkRate(&e, "sample_rate_hz", o.SampleRateHz, true)
	switch b := o.BitrateBps; {
	case b == 0:
	case !o.Codec.Lossy():
		e.Add("bitrate_bps", "%s has no bitrate to choose; leave it out", text.Clip(string(o.Codec)))
	case b > 0 && b <= 640:
		e.Add("bitrate_bps", "%d is too small; the unit is bit/s: did you mean %d?", b, b*1000)
	case b < MinBitrateBps || b > MaxBitrateBps:
		e.Add("bitrate_bps", "must be %d to %d bit/s, is %d", MinBitrateBps, MaxBitrateBps, b)
	}
	e = append(e, o.validateDepth()...)
	if n := o.SamplesPerPixel; n != 0 {
		switch {
		case !o.Codec.peaks():
			e.Add("samples_per_pixel", "only peaks have pixels; leave it out")
		case n < 2 || n > maxSamplesPerPixel:
			e.Add("samples_per_pixel", "must be 2 to %d, is %d", maxSamplesPerPixel, n)
		}
	}
	return e
}

func (o *OutputSpec) validateDepth() callmodel.FieldErrors {
	var e callmodel.FieldErrors
	switch d := o.BitDepth; {
	case d == 0 || o.Codec.Custom() && d > 0 && d <= 64:
	case o.Codec == CodecWAV || o.Codec == CodecFLAC:
		if d != 16 && d != 24 {
			e.Add("bit_depth", "must be 16 or 24, is %d", d)
		}
	case o.Codec.peaks():
		if d != 8 && d != 16 {
			e.Add("bit_depth", "must be 8 or 16, is %d", d)
		}
	default:
		e.Add("bit_depth", "only wav, flac and peaks have a bit depth to choose; leave it out")
	}
	return e
}
