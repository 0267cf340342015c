package stored

import "github.com/switchtape/switchtape/recording/task"

// Kinds are the kinds of this package. l may be nil where such jobs are only enqueued; o
// may be nil.
func Kinds(l *Library, o *TranscodeOptions) []task.Kind {
	return []task.Kind{Verify(l), Transcode(l, o), Export(l), Rewrap(l)}
}
