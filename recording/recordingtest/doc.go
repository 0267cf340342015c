// Package recordingtest is for testing codecs and stages of one's own. It has the
// contract suites that every implementation in this module passes, and helpers to
// make signals and to measure them. It imports testing, so programs shouldn't
// import it. The audio of a sample call is in package samplecall below it.
package recordingtest
