package worker

import "time"

// FollowIn is followIn, for the tests.
func (w *Worker) FollowIn(old time.Duration) time.Duration { return w.followIn(old) }
