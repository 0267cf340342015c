// Package flacbench measures the FLAC encoder: its speed as Go benchmarks, and
// its ratio and CPU time next to those of flac -5 in one run.
package flacbench
