package record

// DefectCode names one thing that was wrong with a recording's input and was
// survived or repaired.
type DefectCode string

// The defects. Each is named, counted and visible; nothing is dropped in silence.
const (
	DefectLegMissing         DefectCode = "leg_missing"             // no file by the deadline; its channel is silence
	DefectLegEmpty           DefectCode = "leg_empty"               // a file without audio; then as missing
	DefectLegGrowing         DefectCode = "leg_growing"             // still being written at the deadline
	DefectTruncated          DefectCode = "truncated"               // ends within its audio; every whole frame was kept
	DefectHeaderRepaired     DefectCode = "header_repaired"         // sizes in the header were wrong
	DefectUnsupportedCodec   DefectCode = "unsupported_codec"       // an encoding that can't be read, by format tag
	DefectUnreadableLeg      DefectCode = "unreadable_leg"          // not an audio file
	DefectFormatAssumed      DefectCode = "format_assumed"          // nothing in the file says what it is: the format was taken from its name, or from the call's other legs
	DefectFormatChanged      DefectCode = "format_changed"          // channels, bits or rate change within a file: read on in the first format
	DefectWrongRateSuspected DefectCode = "wrong_rate_suspected"    // frames ÷ span is off by 2× or ½
	DefectWrongRateCorrected DefectCode = "wrong_rate_corrected"    // the same, and the leg was read at the true rate
	DefectDriftCorrected     DefectCode = "drift_corrected"         // the leg's clock ran 50 to 2,000 ppm off; resampled to its true length
	DefectGapSuspected       DefectCode = "gap_suspected"           // shorter than the call by more than drift can explain
	DefectInsertedSilence    DefectCode = "inserted_silence"        // longer than the call by silence at a regular beat, which was left out
	DefectInsertedSuspected  DefectCode = "inserted_suspected"      // longer than the call, as silences of one length explain: left as it is
	DefectEndBurst           DefectCode = "end_burst"               // the last 20 ms of a file are noise louder than all before
	DefectDropoutSuspected   DefectCode = "dropout_suspected"       // sound breaks off within a file and comes back
	DefectOffsetClamped      DefectCode = "offset_clamped"          // an offset before the start or past the end
	DefectBeyondSpan         DefectCode = "beyond_span"             // a leg goes beyond the stated span: kept, or cut where the job says so
	DefectRangeOutside       DefectCode = "range_outside"           // a redaction or a pause that begins after the call's end: nothing was silenced by it
	DefectClipped            DefectCode = "clipped"                 // samples at full scale in the source, or clipped by the mix
	DefectNonFinite          DefectCode = "non_finite"              // NaN or Inf samples, read as silence
	DefectOneWayAudio        DefectCode = "one_way_audio_suspected" // a leg without talk while the others talk
	DefectAudioLost          DefectCode = "audio_lost_suspected"    // a leg whose signal stopped for good while the others talk on
	DefectMisaligned         DefectCode = "misaligned_suspected"    // one leg is heard in another before it talks, or at unequal distances
	DefectOverlap            DefectCode = "overlap"                 // segments of one leg overlap; they were summed
)

// Defect is one fault of a leg or of the whole recording.
type Defect struct {
	Code   DefectCode `json:"code"`
	Leg    string     `json:"leg,omitempty"`    // the leg's name; "" for the recording
	Detail string     `json:"detail,omitempty"` // what exactly, in words
	// Count is how many samples, bytes or frames, where that has a meaning; with
	// beyond_span, how many milliseconds.
	Count int64 `json:"count,omitempty"`
}
