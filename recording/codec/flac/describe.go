package flac

import "strconv"

// Describe implements codec.Describer.
func (s *source) Describe() string {
	return "FLAC of " + strconv.FormatUint(uint64(s.feed.info.depth), 10) + " bits"
}
