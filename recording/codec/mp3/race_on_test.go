//go:build race

package mp3

// raceEnabled makes tests that encode hours of audio do with less.
const raceEnabled = true
