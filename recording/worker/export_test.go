package worker

import "time"

// FollowIn is followIn, for the tests.
func (w *Worker) FollowIn(old time.Duration) time.Duration { return w.followIn(old) }

// Diary is book of a diary with room for so many looks a second, for the tests.
func Diary(most int) func(at, pause, latest time.Duration) time.Duration {
	return (&diary{most: most, places: 1}).book
}
