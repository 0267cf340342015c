package unreadable_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/internal/unreadable"
)

// A storm of requests is counted whole, and is a few lines of the log.
func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now, counted := time.Unix(1e9, 0), map[callmodel.Code]int{}
	u := unreadable.New(slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now }, func(c callmodel.Code) { counted[c]++ })
	lines := func() int { return bytes.Count(log.Bytes(), []byte("\n")) }
	damaged := callmodel.Errorf(callmodel.CodeDamaged, "k in s3://b is damaged")
	for range 1000 {
		err := u.Tell(t.Context(), damaged, "j1", "k")
		assert.Equal(t, callmodel.CodeDamaged, callmodel.CodeOf(err))
		assert.NotContains(t, err.Error(), "s3://b", "the bucket's name is for the log")
	}
	assert.Equal(t, 1, lines())
	assert.Contains(t, log.String(), "s3://b")
	for i := range 1000 {
		err := u.Tell(t.Context(), callmodel.Errorf(callmodel.CodeKeyMissing, "no key"), "j1", fmt.Sprint(i))
		assert.Equal(t, callmodel.CodeKeyMissing, callmodel.CodeOf(err))
	}
	assert.Equal(t, 20, lines())
	now = now.Add(time.Minute)
	_ = u.Tell(t.Context(), damaged, "j1", "k")
	assert.Equal(t, 21, lines(), "a minute later it is told again")
	assert.Equal(t, map[callmodel.Code]int{callmodel.CodeDamaged: 1001, callmodel.CodeKeyMissing: 1000}, counted)

	away := errors.New("the bucket is away")
	assert.Equal(t, away, u.Tell(t.Context(), away, "j1", "k"))
	assert.Equal(t, 21, lines())
}
