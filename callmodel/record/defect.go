package record

// DefectCode names one thing that was wrong with a recording's input and was
// survived or repaired.
type DefectCode string

// The defects. Each is named, counted and visible; nothing is dropped in silence.
const (
	DefectLegMissing         DefectCode = "leg_missing"
	DefectLegEmpty           DefectCode = "leg_empty"
	DefectLegGrowing         DefectCode = "leg_growing"
	DefectTruncated          DefectCode = "truncated"
	DefectHeaderRepaired     DefectCode = "header_repaired"
	DefectUnsupportedCodec   DefectCode = "unsupported_codec"
	DefectUnreadableLeg      DefectCode = "unreadable_leg"
	DefectFormatAssumed      DefectCode = "format_assumed"
	DefectFormatChanged      DefectCode = "format_changed"
	DefectWrongRateSuspected DefectCode = "wrong_rate_suspected"
	DefectWrongRateCorrected DefectCode = "wrong_rate_corrected"
	DefectDriftCorrected     DefectCode = "drift_corrected"
	DefectGapSuspected       DefectCode = "gap_suspected"
	DefectInsertedSilence    DefectCode = "inserted_silence"
	DefectInsertedSuspected  DefectCode = "inserted_suspected"
	DefectEndBurst           DefectCode = "end_burst"
	DefectDropoutSuspected   DefectCode = "dropout_suspected"
	DefectOffsetClamped      DefectCode = "offset_clamped"
	DefectBeyondSpan         DefectCode = "beyond_span"
	DefectRangeOutside       DefectCode = "range_outside"
	DefectClipped            DefectCode = "clipped"
	DefectNonFinite          DefectCode = "non_finite"
	DefectOneWayAudio        DefectCode = "one_way_audio_suspected"
	DefectAudioLost          DefectCode = "audio_lost_suspected"
	DefectMisaligned         DefectCode = "misaligned_suspected"
	DefectOverlap            DefectCode = "overlap"
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

// Reason is the defect as the reason why there is no recording: its code, the leg, and what
// exactly.
func (d Defect) Reason() string { return string(d.Code) + ": leg " + d.Leg + ": " + d.Detail }

// DefectKind says what a code means, and what to do about it.
type DefectKind struct {
	Code  DefectCode
	Means string // a sentence
	Do    string // for whoever runs the telephone servers
}

// DefectKinds lists every code. This is the one list of them.
func DefectKinds() []DefectKind {
	return []DefectKind{
		{DefectLegMissing, "No file by the deadline; its channel is silence.", "Look on the telephone server whether the file was ever written, and under which name; if it comes later, retry the job: it makes another version."},
		{DefectLegEmpty, "A file without audio; its channel is silence.", "The telephone server opened the file and wrote nothing: the party never sent audio, or its RTP didn't arrive. Compare with the call's attempts."},
		{DefectLegGrowing, "Still being written at the deadline.", "The server writes on after the call's end, or says \"ended\" too early. What comes later is in the next version."},
		{DefectTruncated, "Ends within its audio; every whole frame was kept.", "The server, or what copied the file, stopped in the middle: look for a restart or a full disk at that time."},
		{DefectHeaderRepaired, "Sizes in the header were wrong.", "Nothing is lost. A server that often leaves such headers is killed while it records, or its format module is faulty."},
		{DefectUnsupportedCodec, "An encoding that can't be read, by format tag.", "Have the server record in a format of the list of codecs, or convert the file and retry the job."},
		{DefectUnreadableLeg, "Not an audio file.", "Look at the file: it may be something else under a leg's name, or damaged from its first bytes."},
		{DefectFormatAssumed, "Nothing in the file says what it is: the format was taken from its name, or from the call's other legs.", "Listen once. If it is right, say the format in the segment (raw), so that nothing is assumed."},
		{DefectFormatChanged, "Channels, bits or rate change within a file: read on in the first format.", "Have the server keep one format for a file; what follows the change is read in the first one."},
		{DefectWrongRateSuspected, "Frames ÷ span is off by 2× or ½.", "Listen: if it is too fast or too slow, set correct_rate of the leg, and mend the server's setting."},
		{DefectWrongRateCorrected, "Frames ÷ span was off by 2× or ½, and the leg was read at the true rate.", "Listen once, and mend the rate that the server writes into its headers."},
		{DefectDriftCorrected, "The leg's clock ran 50 to 2,000 ppm off; resampled to its true length.", "Nothing is to be done. A server that drifts by more than 200 ppm has a poor clock: let NTP or PTP discipline it."},
		{DefectGapSuspected, "Shorter than the call by more than drift can explain.", "Audio is missing that no drift explains: look for packet loss, or a recording that was started late."},
		{DefectInsertedSilence, "Longer than the call by silence at a regular beat, which was left out.", "Nothing is lost. Look for a jitter buffer that fills in at a regular beat."},
		{DefectInsertedSuspected, "Longer than the call, as silences of one length explain: left as it is.", "As inserted_silence, but what is silence can't be told from the sound: listen before you rely on times."},
		{DefectEndBurst, "The last 20 ms of a file are noise louder than all before.", "The server wrote memory that it hadn't filled behind the call's end. Listen to the last second."},
		{DefectDropoutSuspected, "Sound breaks off within a file and comes back.", "Packets were lost, or the file has a hole: look at the network at that time."},
		{DefectOffsetClamped, "An offset before the start or past the end.", "The client says offsets that lie outside the call: mend them there."},
		{DefectBeyondSpan, "A leg goes beyond the stated span: kept, or cut where the job says so.", "The leg is longer than the call that the client tells of: compare the times of its events."},
		{DefectRangeOutside, "A redaction or a pause that begins after the call's end: nothing was silenced by it.", "Nothing was silenced by it: mend the range, and redact the recording again."},
		{DefectClipped, "Samples at full scale in the source, or clipped by the mix.", "Lower the gain at the telephone server, or set gain_db of the leg."},
		{DefectNonFinite, "NaN or Inf samples, read as silence.", "A float format with NaN or Inf comes from a faulty program: look at what wrote it."},
		{DefectOneWayAudio, "A leg without talk while the others talk.", "Look at NAT and RTP of the party that isn't heard: it may not have heard, either."},
		{DefectAudioLost, "A leg whose signal stopped for good while the others talk on.", "Look at what happened to the party's RTP at that moment: a handover, a hold that wasn't told of, a crash."},
		{DefectMisaligned, "One leg is heard in another before it talks, or at unequal distances.", "The legs' offsets are wrong: have the server tell when each was begun."},
		{DefectOverlap, "Segments of one leg overlap; they were summed.", "Two files of one leg cover the same time: look at how the client says offsets after holds and transfers."},
	}
}
