package record

import (
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/retention"
)

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
	maxURI            = 4096 // bytes of a segment's
	MaxOutputs        = 16
	MinSampleRateHz   = 4000
	MaxSampleRateHz   = 192000
	MinBitrateBps     = 4000
	MaxBitrateBps     = 640000
	MaxSpan           = 7 * 24 * time.Hour
	MinGainDB         = -60.0
	MaxGainDB         = 40.0
	DefaultSampleRate = 8000
)

// Spec says what recording to make of which media. It is all a worker
// needs: it is stored with the job, and the same spec over the same files
// gives the same bytes.
type Spec struct {
	TenantID    callmodel.TenantID    `json:"tenant_id"`
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	// StartedAt is when the call's timeline begins; offsets count from it and
	// the object's key takes its hour (UTC).
	StartedAt time.Time `json:"started_at"`
	// EndedAt is hang-up. A leg that is missing is waited for until the
	// deadline after it. Zero: the call's end is not known.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Span is how long the call lasted, and so the length of the timeline and of
	// every output. A leg that goes beyond it is kept, which makes outputs as long as
	// the longest leg, and is a defect. 0: until the end of the longest leg.
	Span time.Duration `json:"span_ms,omitzero"`
	// CutToSpan cuts legs off at the end of Span, which it needs: every output is
	// exactly that long.
	CutToSpan bool `json:"cut_to_span,omitempty"`
	// LegsSpanCall says that every leg was recorded until the span's end. It is
	// to a leg of a single segment what SegmentSpec.Span is to any: its clock and
	// its completeness are judged by it. Without either nothing is guessed.
	LegsSpanCall bool `json:"legs_span_call,omitempty"`
	// Legs are the parties, in channel order.
	Legs []LegSpec `json:"legs"`
	// LegsBelow is the directory that all files of the legs must be in, as the URIs
	// of jobs name it: a worker opens no other, nor what a symbolic link leads to out
	// of it. Whoever takes a job for a tenant says which are the tenant's. "": any.
	LegsBelow string       `json:"legs_below,omitempty"`
	Outputs   []OutputSpec `json:"outputs"`
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
	// SettingsFrom is who said how the call is recorded, of a recording that its call's
	// end asked for. It changes nothing in what is made.
	SettingsFrom origin.Settings `json:"settings_from,omitzero"`
	// HostSoftware is the name and the version of what wrote the legs, the telephone
	// server's software: "Asterisk 20.9.1". Known faults are counted by it. It changes
	// nothing in what is made. "": not said.
	HostSoftware string `json:"host_software,omitempty"`
	// Consent is what the parties said. Of one that is denied no recording is made, and its
	// legs are deleted; what was recorded before it was denied is to be deleted by whoever
	// hears of it. It stands in the result, on the call and in the manifest.
	Consent retention.Consent `json:"consent,omitempty"`
	// RetainUntil is when the recording's time is over, and RetainDays how many days it is kept
	// from when it was asked for, 1 to retention.MaxDays: one of both. It goes before what
	// its call's users, its tenant and the service say. Neither: those say it. They change
	// nothing in what is made. See package retention.
	RetainUntil time.Time `json:"retain_until,omitzero"`
	RetainDays  int       `json:"retain_days,omitempty"`
	// Traceparent names the span that asked for the recording, of a service that traces
	// (W3C Trace Context): what its worker does is in the same trace. It changes nothing in
	// what is made, and the service says it.
	Traceparent string `json:"traceparent,omitempty"`
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

// NewLeg is a leg of one file that begins with the call.
func NewLeg(name, uri string) LegSpec {
	return LegSpec{Name: name, Segments: []SegmentSpec{{URI: uri}}}
}

// At is the leg with its first file beginning at offset on the timeline.
func (l LegSpec) At(offset time.Duration) LegSpec {
	l.Segments = slices.Clone(l.Segments)
	if len(l.Segments) > 0 {
		l.Segments[0].Offset = offset
	}
	return l
}

// SegmentSpec is one file of a leg. Hold, transfer and pause make several
// files of one leg.
type SegmentSpec struct {
	// URI is where the file is, as the leg opener understands it. In a job it is a
	// relative slash-separated path below the place that the worker takes legs
	// from: see [ValidateRelative].
	URI string `json:"uri"`
	// Offset is where the file's first frame stands on the timeline.
	Offset time.Duration `json:"offset_ms,omitzero"`
	// Span is how long the segment lasted by the call's events, 0 if that isn't
	// known. The segments of a leg that state it tell its clock: a leg that is off
	// by 50 to 2,000 ppm is resampled, all of it; one that is off by more lacks
	// audio, and where.
	Span time.Duration `json:"span_ms,omitzero"`
	// SampleRateHz is the true rate of a file whose header states another. 0: the
	// file's, or Raw's.
	SampleRateHz int `json:"sample_rate_hz,omitzero"`
	// Raw describes a file without a header; nil for files that have one.
	Raw *RawFormat `json:"raw,omitempty"`
}

// RawFormat describes headerless audio.
type RawFormat struct {
	Encoding     string `json:"encoding"`          // one of RawEncodings
	SampleRateHz int    `json:"sample_rate_hz"`    // 8000 for gsm, 16000 for g722
	Channels     int    `json:"channels,omitzero"` // 0 means 1, which is all that gsm and the encodings behind it have
}

// RawEncodings lists the encodings of audio without a header: the laws of G.711; linear
// PCM, signed or not, of 8 to 32 bits and floats, in either byte order; GSM 06.10 in frames
// of 33 bytes; G.722 at 64 kbit/s; G.726 by its kbit/s, packed as RFC 3551 § 4.5.4 has it
// or, with aal2, as ITU-T I.366.2 Annex E; Dialogic's ADPCM (vox), and IMA's without blocks.
func RawEncodings() []string {
	return []string{
		"s16le", "mulaw", "alaw",
		"s8", "u8", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "f64le", "f64be",
		"gsm", "g722", "g726-16", "g726-24", "g726-32", "g726-40",
		"aal2-g726-16", "aal2-g726-24", "aal2-g726-32", "aal2-g726-40", "vox", "ima",
	}
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
	// 16,777,216; 0: 256. Peaks only.
	SamplesPerPixel int `json:"samples_per_pixel,omitzero"`
}

// maxSamplesPerPixel bounds OutputSpec.SamplesPerPixel.
const maxSamplesPerPixel = 1 << 24

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

// ForLegs widens a stereo output to a call that more than two legs joined, so
// that it can be recorded, and can end: each leg gets a channel, or, in MP3,
// which has no more than two, they are mixed.
func (o OutputSpec) ForLegs(legs int) OutputSpec {
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

// MarshalJSON implements json.Marshaler.
func (s Spec) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Spec) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, s) }

// MarshalJSON implements json.Marshaler.
func (s SegmentSpec) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *SegmentSpec) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, s) }
