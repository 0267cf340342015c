// Package record is the vocabulary of recordings: what to make of which files, and
// what came of it.
//
//	Spec ─┬─ LegSpec ── SegmentSpec      Result ─┬─ LegResult ── LegGap
//	      ├─ OutputSpec                          ├─ OutputResult, ManifestResult
//	      ├─ Redaction, Pause, TrimSpec          ├─ AnalysisResult
//	      └─ its outputs' ObjectKey              └─ Defect
//
// A result has one of four outcomes, and there is no fifth: completed,
// completed_degraded (with defects), absent and quarantined (with a reason).
//
// Spans and offsets are time.Duration in Go and milliseconds in JSON.
package record
