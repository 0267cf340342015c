// Package analysis measures a recording while it is made: waveform peaks,
// levels, loudness, who talked when, faults such as one-way audio, and whether
// two legs are aligned.
//
//	                        ┌─ Peaks / PeaksWriter   (audiowaveform's JSON and .dat)
//	                        ├─ LevelMeter            (RMS, peak, true peak, clipping, DC)
//	frames ─ splitter ──────┼─ LoudnessMeter         (BS.1770-4, R128, LRA)
//	(a channel per leg)     ├─ VoiceDetector         (talk segments) ─┬─ conversation
//	                        │                                         └─ one-way audio
//	                        └─ AlignmentCheck        (lag between two legs)
//
//	frames ─ Analyzer ─ all of them ─ Report
//
// Every measure is a [Tap]: frames are pushed into it, in blocks of any size,
// and the result doesn't depend on the sizes. A tap works in fixed stretches of
// 100 ms, allocates nothing per block once it runs (what it keeps grows by
// doubling, within a bound), and reads no clock. Its arithmetic is made of
// operations that IEEE 754 defines to the bit, so a report is the same on
// every machine.
//
// Samples beyond ±[MaxSample] count as ±MaxSample and NaN as 0, so results are
// always finite. A level of silence is [FloorDBFS] or [FloorLUFS] and never -Inf.
package analysis
