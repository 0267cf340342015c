// Package recordingtest holds what a codec or a stage of one's own is tested
// with: contract suites that every implementation in this module passes, and
// helpers to make signals and to measure them. It imports testing; programs
// don't want it. The audio of a sample call is in package samplecall below it.
package recordingtest
