package callmodel

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Codec names an audio format of an output.
type Codec string

// The codecs a spec may ask for. Which of them a build can encode is the
// codec registry's affair.
const (
	CodecWAV   Codec = "wav"   // linear PCM in a WAV file
	CodecMulaw Codec = "mulaw" // ITU-T G.711 µ-law in a WAV file
	CodecAlaw  Codec = "alaw"  // ITU-T G.711 A-law in a WAV file
	CodecMP3   Codec = "mp3"
	CodecFLAC  Codec = "flac"
	CodecOpus  Codec = "opus" // in Ogg
)

// What else may be made of a call from the same read of its legs: files that
// are about its audio.
const (
	CodecPeaksJSON Codec = "peaks-json" // the waveform, in audiowaveform's JSON
	CodecPeaksDAT  Codec = "peaks-dat"  // the waveform, in audiowaveform's binary format
	CodecAnalysis  Codec = "analysis"   // talk, levels, loudness and alignment of the legs, as JSON
)

// Custom reports whether the codec is one of a program's own, which its codec
// registry has: such names are ids that begin with "x-", and what follows is the
// file extension.
func (c Codec) Custom() bool {
	return strings.HasPrefix(string(c), "x-") && len(c) > 2 && len(c) <= 32 && ValidID(string(c))
}

// Codecs lists every codec, in the order they are documented.
func Codecs() []Codec {
	return []Codec{
		CodecWAV, CodecMulaw, CodecAlaw, CodecMP3, CodecFLAC, CodecOpus, CodecPeaksJSON, CodecPeaksDAT, CodecAnalysis,
	}
}

// Audio reports whether an output of the codec can be listened to.
func (c Codec) Audio() bool { return !c.peaks() && c != CodecAnalysis }

func (c Codec) peaks() bool { return c == CodecPeaksJSON || c == CodecPeaksDAT }

// Lossy reports whether a bitrate can be chosen for the codec.
func (c Codec) Lossy() bool { return c == CodecMP3 || c == CodecOpus || c.Custom() }

// Ext is the file extension of the codec's container, without a dot.
func (c Codec) Ext() string {
	switch c {
	case CodecWAV, CodecMulaw, CodecAlaw:
		return "wav"
	case CodecMP3:
		return "mp3"
	case CodecFLAC:
		return "flac"
	case CodecOpus:
		return "opus"
	case CodecPeaksJSON:
		return "peaks.json"
	case CodecPeaksDAT:
		return "peaks.dat"
	case CodecAnalysis:
		return "analysis.json"
	default:
		if c.Custom() {
			return string(c[2:])
		}
		return "bin"
	}
}

// ContentType is the media type of the codec's container.
func (c Codec) ContentType() string {
	switch c {
	case CodecWAV, CodecMulaw, CodecAlaw:
		return "audio/wav"
	case CodecMP3:
		return "audio/mpeg"
	case CodecFLAC:
		return "audio/flac"
	case CodecOpus:
		return "audio/ogg"
	case CodecPeaksJSON, CodecAnalysis:
		return "application/json"
	default:
		return "application/octet-stream"
	}
}

// Layout says how legs become channels.
type Layout string

// The layouts.
const (
	LayoutMono         Layout = "mono"         // all legs summed into one channel
	LayoutStereo       Layout = "stereo"       // the first leg left, the second right; at most two legs
	LayoutMultichannel Layout = "multichannel" // each leg on its own channel, in the spec's order
)

// Limits of a recording spec.
const (
	MaxLegs           = 32
	MaxSegments       = 1000 // of one leg
	MaxOutputs        = 16
	MinSampleRateHz   = 4000
	MaxSampleRateHz   = 192000
	MinBitrateBps     = 4000
	MaxBitrateBps     = 640000
	MaxSpan           = Millis(7 * 24 * time.Hour)
	MinGainDB         = -60.0
	MaxGainDB         = 40.0
	DefaultSampleRate = 8000
)

// RecordingSpec says what recording to make of which media. It is all a worker
// needs: it is stored with the job, and the same spec over the same files
// gives the same bytes.
type RecordingSpec struct {
	TenantID    TenantID    `json:"tenant_id"`
	CallID      CallID      `json:"call_id"`
	RecordingID RecordingID `json:"recording_id"`
	// StartedAt is when the call's timeline begins; offsets count from it and
	// the object's key takes its hour (UTC).
	StartedAt time.Time `json:"started_at"`
	// EndedAt is hang-up. A leg that is missing is waited for until the
	// deadline after it. Zero: the call's end is not known.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Span is the length of the timeline; every output is exactly this long.
	// 0: until the end of the longest leg.
	Span Millis `json:"span_ms,omitzero"`
	// LegsSpanCall says that every leg was recorded until the span's end. It is
	// to a leg of a single segment what SegmentSpec.Span is to any: its clock and
	// its completeness are judged by it. Without either nothing is guessed: a leg
	// is padded or cut at the span's end.
	LegsSpanCall bool `json:"legs_span_call,omitempty"`
	// Legs are the parties, in channel order.
	Legs    []LegSpec    `json:"legs"`
	Outputs []OutputSpec `json:"outputs"`
	// Redactions are ranges of the call to replace by silence or a tone in
	// every output. Where they overlap, a tone wins.
	Redactions []Redaction `json:"redactions,omitempty"`
	// Trim cuts silence off both ends of every output; nil for not.
	Trim *TrimSpec `json:"trim,omitempty"`
	// Pauses are ranges of the call that were not to be recorded, on all legs;
	// where they meet a redaction, the pause wins.
	Pauses []Pause `json:"pauses,omitempty"`
	// PauseMode is PauseSilence or PauseCut; "" means silence.
	PauseMode string `json:"pause_mode,omitempty"`
	// LevelLUFS is the loudness to bring every leg to, MinLevelLUFS to
	// MaxLevelLUFS, after its GainDB, by a gain that is constant over the call:
	// the difference to the leg's own integrated loudness (EBU R128, gated). 0
	// leaves levels as they are, and so it does those of legs without speech.
	LevelLUFS float64 `json:"level_lufs,omitempty"`
	// LevelMaxGainDB is the most that levelling may amplify, up to
	// MaxLevelGainDB; 0 means DefaultLevelMaxGainDB. What it may attenuate isn't
	// bounded.
	LevelMaxGainDB float64 `json:"level_max_gain_db,omitempty"`
	// NoManifest leaves out the object that says how the recording was made: its
	// files' hashes, what was wrong with them and what was done about it.
	NoManifest bool `json:"no_manifest,omitempty"`
}

// LegSpec is one party's side of the call.
type LegSpec struct {
	Name     string        `json:"name"` // a valid id, unique in the spec: "agent"
	Segments []SegmentSpec `json:"segments"`
	// GainDB makes the leg louder or quieter, MinGainDB to MaxGainDB, before it
	// is mixed or merged. 0 leaves its samples as they are.
	GainDB float64 `json:"gain_db,omitempty"`
	// CorrectRate has a segment whose file states half or double its true sample
	// rate, by how long the segment lasted, read at the true one; else that is
	// only suspected.
	CorrectRate bool `json:"correct_rate,omitempty"`
}

// SegmentSpec is one file of a leg. Hold, transfer and pause make several
// files of one leg.
type SegmentSpec struct {
	// URI is where the file is, as a relative slash-separated path below the
	// place that the worker takes legs from.
	URI string `json:"uri"`
	// Offset is where the file's first frame stands on the timeline.
	Offset Millis `json:"offset_ms,omitzero"`
	// Span is how long the segment lasted by the call's events, 0 if that isn't
	// known. The segments of a leg that state it tell its clock: a leg that is off
	// by 50 to 2,000 ppm is resampled, all of it; one that is off by more lacks
	// audio, and where.
	Span Millis `json:"span_ms,omitzero"`
	// SampleRateHz is the true rate of a file whose header states another. 0: the
	// file's, or Raw's.
	SampleRateHz int `json:"sample_rate_hz,omitzero"`
	// Raw describes a file without a header; nil for files that have one.
	Raw *RawFormat `json:"raw,omitempty"`
}

// RawFormat describes headerless audio.
type RawFormat struct {
	Encoding     string `json:"encoding"` // "s16le", "mulaw", "alaw" or "gsm" (bare frames of 33 bytes)
	SampleRateHz int    `json:"sample_rate_hz"`
	Channels     int    `json:"channels,omitzero"` // 0 means 1
}

// OutputSpec is one file to make of the call.
type OutputSpec struct {
	// Name tells outputs with the same file extension apart; "" for one of them.
	Name         string `json:"name,omitempty"`
	Codec        Codec  `json:"codec"`
	Layout       Layout `json:"layout"`
	SampleRateHz int    `json:"sample_rate_hz,omitzero"` // 0: the highest rate among the legs
	BitrateBps   int    `json:"bitrate_bps,omitzero"`    // lossy codecs only; 0: the codec's default
	BitDepth     int    `json:"bit_depth,omitzero"`      // wav and flac: 16 or 24; peaks: 8 or 16; 0: 16
	// SamplesPerPixel is how many frames a pair of peaks stands for, 2 to
	// MaxSamplesPerPixel; 0: 256. Peaks only.
	SamplesPerPixel int `json:"samples_per_pixel,omitzero"`
}

// MaxSamplesPerPixel bounds OutputSpec.SamplesPerPixel.
const MaxSamplesPerPixel = 1 << 24

// ChannelLayout is how legs become channels of the output. An analysis always
// has each leg on its own channel.
func (o OutputSpec) ChannelLayout() Layout {
	if o.Codec == CodecAnalysis {
		return LayoutMultichannel
	}
	return o.Layout
}

// Channels is the number of channels that the output has for a call of legs legs.
func (o OutputSpec) Channels(legs int) int {
	switch o.ChannelLayout() {
	case LayoutStereo:
		return 2
	case LayoutMultichannel:
		return legs
	default:
		return 1
	}
}

// forLegs widens a stereo output to a call that more than two legs joined, so
// that it can be recorded, and can end: each leg gets a channel, or, in MP3,
// which has no more than two, they are mixed.
func (o OutputSpec) forLegs(legs int) OutputSpec {
	const most = 8 // channels of a FLAC file
	switch {
	case o.Layout != LayoutStereo || legs <= 2:
	case o.Codec == CodecMP3 || o.Codec == CodecFLAC && legs > most:
		o.Layout = LayoutMono
	default:
		o.Layout = LayoutMultichannel
	}
	return o
}

// Validate reports every fault of the spec at once, as [FieldErrors].
func (s *RecordingSpec) Validate() error {
	var e FieldErrors
	checkID(&e, "tenant_id", string(s.TenantID))
	checkID(&e, "call_id", string(s.CallID))
	checkID(&e, "recording_id", string(s.RecordingID))
	if s.StartedAt.IsZero() {
		e.Add("started_at", "is missing; give the call's start as RFC 3339")
	} else if y := s.StartedAt.UTC().Year(); y < 1970 || y > 9999 {
		e.Add("started_at", "year %d is not within 1970 to 9999", y)
	}
	if !s.EndedAt.IsZero() && s.EndedAt.Before(s.StartedAt) {
		e.Add("ended_at", "is before started_at")
	}
	if s.Span < 0 || s.Span > MaxSpan {
		e.Add("span_ms", "must be 0 (until the longest leg's end) to %d ms", int64(MaxSpan)/1e6)
	}
	e = append(e, validateLegs(s.Legs)...)
	e = append(e, ValidateOutputs(s.Outputs, len(s.Legs))...)
	e = append(e, validateRedactions(s.Redactions, s.Legs)...)
	if s.Trim != nil {
		e.AddAll("trim", s.Trim.validate())
	}
	e = append(e, validatePauses(s.Pauses, s.PauseMode)...)
	e = append(e, s.validateLevel()...)
	return e.Err()
}

func checkID(e *FieldErrors, path, id string) {
	if !ValidID(id) {
		e.Add(path, "%q %s", clip(id), idHelp)
	}
}

// clip keeps hostile input out of messages and logs at full length.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

func validateLegs(legs []LegSpec) FieldErrors {
	var e FieldErrors
	if len(legs) == 0 || len(legs) > MaxLegs {
		e.Add("legs", "must be 1 to %d, are %d", MaxLegs, len(legs))
	}
	seen := make(map[string]int, len(legs))
	for i := range legs {
		p := "legs[" + strconv.Itoa(i) + "]"
		l := &legs[i]
		checkID(&e, p+".name", l.Name)
		if first, dup := seen[l.Name]; dup {
			e.Add(p+".name", "%q is the name of legs[%d] already", clip(l.Name), first)
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
			e.AddAll(p+".segments["+strconv.Itoa(j)+"]", l.Segments[j].validate())
		}
	}
	return e
}

func (s *SegmentSpec) validate() FieldErrors {
	var e FieldErrors
	if why := BadURI(s.URI); why != "" {
		e.Add("uri", "%q %s", clip(s.URI), why)
	}
	if s.Span < 0 || s.Span > MaxSpan {
		e.Add("span_ms", "must be 0 (not known) to %d ms", int64(MaxSpan)/1e6)
	}
	checkRate(&e, "sample_rate_hz", s.SampleRateHz, true)
	if r := s.Raw; r != nil {
		if !slices.Contains([]string{"s16le", "mulaw", "alaw", "gsm"}, r.Encoding) {
			e.Add("raw.encoding", "%q is not one of s16le, mulaw, alaw, gsm", clip(r.Encoding))
		}
		checkRate(&e, "raw.sample_rate_hz", r.SampleRateHz, false)
		if r.Channels < 0 || r.Channels > MaxLegs {
			e.Add("raw.channels", "must be 1 to %d, is %d", MaxLegs, r.Channels)
		}
	}
	return e
}

// BadURI says what is wrong with a leg's URI, or "" if it is a relative
// slash-separated path of letters, digits and " !@#$%&()+,-._=~:" that stays
// below its root.
func BadURI(uri string) string {
	switch {
	case uri == "":
		return "is empty; give the leg's path below the recordings directory"
	case len(uri) > 1024:
		return "is longer than 1024 bytes"
	case strings.Contains(uri, "://"):
		return "is a foreign URL; give a path below the recordings directory"
	case uri[0] == '/':
		return "is absolute; give a path relative to the recordings directory"
	}
	for _, c := range uri {
		letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && !strings.ContainsRune("/ !@#$%&()+,-._=~:", c) {
			return "holds " + strconv.QuoteRune(c) + "; use letters, digits and /._-@+ only"
		}
	}
	if path.Clean(uri) != uri || uri == ".." || strings.HasPrefix(uri, "../") {
		return "is not a clean path: no '.', '..', double or trailing slashes"
	}
	return ""
}

func checkRate(e *FieldErrors, path string, hz int, zeroOK bool) {
	switch {
	case hz == 0 && zeroOK:
	case hz > 0 && hz <= 192:
		e.Add(path, "%d is too small; the unit is Hz: did you mean %d?", hz, hz*1000)
	case hz < MinSampleRateHz || hz > MaxSampleRateHz:
		e.Add(path, "must be %d to %d Hz, is %d", MinSampleRateHz, MaxSampleRateHz, hz)
	}
}

// ValidateOutputs reports every fault of the outputs for a call of legs legs;
// legs 0 means that their number isn't known yet. Whether a codec can do the
// rate and bitrate is checked by the codec when the recording is planned.
func ValidateOutputs(outputs []OutputSpec, legs int) FieldErrors {
	var e FieldErrors
	if len(outputs) == 0 || len(outputs) > MaxOutputs {
		e.Add("outputs", "must be 1 to %d, are %d", MaxOutputs, len(outputs))
	}
	seen := make(map[string]int, len(outputs))
	for i := range outputs {
		p := "outputs[" + strconv.Itoa(i) + "]"
		o := &outputs[i]
		e.AddAll(p, o.validate(legs))
		k := o.Name + "." + o.Codec.Ext()
		if first, dup := seen[k]; dup {
			e.Add(p+".name", "would give the same file as outputs[%d]; give each a name of its own", first)
		} else {
			seen[k] = i
		}
	}
	return e
}

func (o *OutputSpec) validate(legs int) FieldErrors {
	var e FieldErrors
	if o.Name != "" && (!ValidID(o.Name) || len(o.Name) > 32) {
		e.Add("name", "%q must be at most 32 letters, digits, '.', '_' or '-'", clip(o.Name))
	}
	if !slices.Contains(Codecs(), o.Codec) && !o.Codec.Custom() {
		e.Add("codec", "%q is not one of %s", clip(string(o.Codec)), codecNames())
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
			e.Add("layout", "%q is not one of mono, stereo, multichannel", clip(string(o.Layout)))
		}
	}
	checkRate(&e, "sample_rate_hz", o.SampleRateHz, true)
	switch b := o.BitrateBps; {
	case b == 0:
	case !o.Codec.Lossy():
		e.Add("bitrate_bps", "%s has no bitrate to choose; leave it out", clip(string(o.Codec)))
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
		case n < 2 || n > MaxSamplesPerPixel:
			e.Add("samples_per_pixel", "must be 2 to %d, is %d", MaxSamplesPerPixel, n)
		}
	}
	return e
}

func codecNames() string {
	names := make([]string, 0, len(Codecs()))
	for _, c := range Codecs() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func (o *OutputSpec) validateDepth() FieldErrors {
	var e FieldErrors
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

// RecordingStatus is one of the four outcomes of a recording job. There is no fifth.
type RecordingStatus string

// The outcomes.
const (
	StatusCompleted         RecordingStatus = "completed"
	StatusCompletedDegraded RecordingStatus = "completed_degraded" // made, with defects
	StatusAbsent            RecordingStatus = "absent"             // nothing to record; see the reason
	StatusQuarantined       RecordingStatus = "quarantined"        // could not be made; the inputs are kept
)

// Why a recording is absent.
const (
	ReasonNoMedia  = "no_media"  // every leg is missing or empty
	ReasonTooShort = "too_short" // the call lasted 0 s
	ReasonPaused   = "paused"    // recording was paused throughout, and pauses are cut
)

// RecordingResult is what a recording job came to.
type RecordingResult struct {
	Status     RecordingStatus `json:"status"`
	Reason     string          `json:"reason,omitempty"` // why it is absent or quarantined
	Defects    []Defect        `json:"defects"`
	DurationMS int64           `json:"duration_ms"` // of the outputs, rounded
	// TrimmedMS is how much was trimmed off the start. Call time is time in an
	// output plus this, unless pauses were cut.
	TrimmedMS Millis `json:"trimmed_ms,omitzero"`
	// Timeline says which stretches of the call the outputs hold, in order, when
	// the spec trims silence or cuts pauses; else an output's time is call time.
	Timeline []TimelinePiece `json:"timeline,omitempty"`
	// PausedMS is for how much of the call recording was paused, rounded.
	PausedMS int64 `json:"paused_ms,omitempty"`
	// RedactedMS is for how much of the outputs a leg or more was redacted, rounded.
	RedactedMS int64          `json:"redacted_ms,omitempty"`
	Legs       []LegResult    `json:"legs"`
	Outputs    []OutputResult `json:"outputs"`
	// Analysis is the essence of the first output that is an analysis; nil
	// without one.
	Analysis *AnalysisResult `json:"analysis,omitempty"`
	// Manifest is the object that says how the recording was made; nil without
	// outputs, or if the spec didn't want it.
	Manifest *ManifestResult `json:"manifest,omitempty"`
}

// URL is that of the recording: its first output that can be listened to, else
// its first output; "" if there is none.
func (r *RecordingResult) URL() string {
	for i := range r.Outputs {
		if r.Outputs[i].Codec.Audio() {
			return r.Outputs[i].URL
		}
	}
	if len(r.Outputs) > 0 {
		return r.Outputs[0].URL
	}
	return ""
}

// ManifestResult is the manifest's object.
type ManifestResult struct {
	URL    string `json:"url"`
	Key    string `json:"key,omitempty"` // its key in the bucket; "" outside of one
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

// LegResult is what was read of a leg.
type LegResult struct {
	Name     string `json:"name"`
	Frames   int64  `json:"frames"`           // frames read over all segments, at Rate
	Rate     int    `json:"rate"`             // Hz, of the leg's first readable segment; 0 if there is none
	OffsetMS Millis `json:"offset_ms"`        // of the first segment
	SHA256   string `json:"sha256,omitempty"` // hex, of the bytes of all segments in order; "" if nothing was read
	Channel  int    `json:"channel"`          // 0-based channel in outputs that keep legs apart
	// DriftPPM is how much faster than the call's clock the leg's ran, in
	// millionths, to 0.1; 0 if it didn't or there is nothing to tell it by.
	DriftPPM float64 `json:"drift_ppm,omitempty"`
	// GainDB is what levelling amplified the leg by, beside the spec's gain_db.
	GainDB float64 `json:"gain_db,omitempty"`
	// Gaps are the stretches of the call of 1 ms or more that the leg has no audio
	// of, in order, at most MaxGaps; GapsOmitted is how many there are besides.
	Gaps        []LegGap `json:"gaps,omitempty"`
	GapsOmitted int      `json:"gaps_omitted,omitempty"`
}

// OutputResult is one finished object.
type OutputResult struct {
	Name     string `json:"name,omitempty"`
	URL      string `json:"url"`           // where it is
	Key      string `json:"key,omitempty"` // its key in the bucket; "" outside of one
	Codec    Codec  `json:"codec"`
	Layout   Layout `json:"layout"`
	Channels int    `json:"channels"`
	Rate     int    `json:"rate"`    // Hz
	Bitrate  int    `json:"bitrate"` // bit/s; for PCM that of the samples
	Frames   int64  `json:"frames"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"` // hex, of the object's bytes
	// Encoder is what made it, and the version of its output: "switchtape-mp3/1".
	Encoder string `json:"encoder,omitempty"`
}
