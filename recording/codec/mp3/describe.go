package mp3

// Describe implements codec.Describer.
func (d *decoder) Describe() string {
	return "MP3 (" + [3]string{"MPEG-1", "MPEG-2", "MPEG-2.5"}[d.feed.first.version] + ")"
}
