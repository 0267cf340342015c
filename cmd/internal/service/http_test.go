package service

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/recording/worker"
)

func TestWorkerCheck(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		silent      time.Duration
		err         error
		ready, dead string // "": it is, or isn't
	}{
		"it answers":            {0, nil, "", ""},
		"a call is on its way":  {time.Second, nil, "", ""},
		"a call failed":         {unreadyAfter, boom, "", ""},
		"calls fail":            {unreadyAfter + time.Second, boom, "not answered for 31s, which is more than 30s: boom", ""},
		"a call hangs":          {unreadyAfter + time.Second, nil, "a call hangs", ""},
		"it hangs for long":     {deadAfter + time.Second, nil, "a call hangs", "not answered for 5m1s, which is more than 5m0s"},
		"not once":              {time.Second, worker.ErrNoAnswerYet, worker.ErrNoAnswerYet.Error(), ""},
		"not once, and is down": {deadAfter + time.Second, worker.ErrNoAnswerYet, worker.ErrNoAnswerYet.Error(), "not answered for"},
	} {
		check := workerCheck(func() (time.Duration, error) { return c.silent, c.err })
		for _, is := range []struct {
			err  error
			want string
		}{{check.Check(t.Context()), c.ready}, {check.Alive(), c.dead}} {
			if is.want == "" {
				assert.NoError(t, is.err, name)
			} else {
				assert.ErrorContains(t, is.err, is.want, name)
			}
		}
	}
}
