package capacity

import "github.com/switchtape/switchtape/callmodel/record"

// Form is what a recording is made in.
type Form struct {
	Codec  record.Codec
	Layout record.Layout
}

// Figures are what was measured.
type Figures struct {
	// Call is what each call takes with its three events, recorded or not; Recording what a
	// recording takes more, whatever it is made in.
	Call, Recording Each
	// Encoded is what a worker takes for a recording of two legs, by its form.
	Encoded map[Form]Encoding
	// Waveform is what a recording's peaks take more; of BytesPerMinute each channel has so many.
	Waveform Waveform
}

// Waveform is what the file of a recording's peaks takes.
type Waveform struct {
	Puts, Reads, BytesPerMinute float64
}

// Each is what one takes: processor time in seconds, rows and requests.
type Each struct {
	API, Database  float64
	Rows, RowBytes float64 // with their indexes
	Puts, Reads    float64 // requests to the store; reads are GET and HEAD
	ManifestBytes  float64
}

// Encoding is a worker's processor time in seconds for a recording, from the claim to the
// commit, and the bytes that come out.
type Encoding struct {
	Fixed, PerMinute, BytesPerMinute float64
}

// Measured are the figures of this version:
//
//	CALLS=40 go test -run xxx -bench ACall -benchtime 1x ./benchmarks/capacity
//
// on two virtual processors (Xeon, 2026) with everything beside them, the legs of 8 kHz in 16
// bits on a disk, an S3 server and PostgreSQL 15. One call came after another: under load
// transactions are committed together, and a call takes less.
func Measured() *Figures {
	const ms = 1e-3
	mulaw, stereoMulaw := Encoding{7.4 * ms, 5.8 * ms, 480_000}, Encoding{6.3 * ms, 8.0 * ms, 960_000}
	return &Figures{
		Call:      Each{API: 3.9 * ms, Database: 2.5 * ms, Rows: 8.2, RowBytes: 3_340},
		Recording: Each{API: 1.0 * ms, Database: 4.2 * ms, Rows: 5.8, RowBytes: 11_500, Puts: 2, Reads: 2, ManifestBytes: 2_730},
		Encoded: map[Form]Encoding{
			{record.CodecMP3, record.LayoutMono}:     {10.3 * ms, 13.3 * ms, 240_000},
			{record.CodecMP3, record.LayoutStereo}:   {8.9 * ms, 26.6 * ms, 480_000},
			{record.CodecWAV, record.LayoutMono}:     {6.1 * ms, 9.4 * ms, 960_000},
			{record.CodecWAV, record.LayoutStereo}:   {9.1 * ms, 12.9 * ms, 1_920_000},
			{record.CodecMulaw, record.LayoutMono}:   mulaw,
			{record.CodecMulaw, record.LayoutStereo}: stereoMulaw,
			{record.CodecAlaw, record.LayoutMono}:    mulaw, // but for its table it is the same
			{record.CodecAlaw, record.LayoutStereo}:  stereoMulaw,
			{record.CodecFLAC, record.LayoutMono}:    {6.8 * ms, 12.0 * ms, 417_000}, // of speech with its pauses
			{record.CodecFLAC, record.LayoutStereo}:  {6.7 * ms, 14.3 * ms, 538_000},
		},
		// Counted, not measured: one more object, and 4 bytes for each 256 frames of 8 kHz.
		Waveform: Waveform{Puts: 1, Reads: 1, BytesPerMinute: 7_500},
	}
}
