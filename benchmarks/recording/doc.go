// Package recording holds the benchmarks of the recording pipeline: one hour of
// a call with two legs of 8 kHz, 16 bit, from WAV files in memory to objects
// that are thrown away. x-realtime is how many seconds of the call are done in
// a second; cpu-s/h is the processor time, user and system, for the hour. The
// SHA-256 of the legs is part of it; that of the object only where the name
// says hashed.
//
//	GOMAXPROCS=1 go test -bench 'Process|LegHashes' -run '^$' -count 5 ./benchmarks/recording
//
// README.md has the figures, and those of ffmpeg and sox beside them:
//
//	SWITCHTAPE_PEERS=1 go test -count 1 -v -run TestComparePeers ./benchmarks/recording
package recording
