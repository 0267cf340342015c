package deadletter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
)

func TestFingerprint(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, m := range [][2]string{{"", ""}, {"", "ab"}, {"a", "b"}, {"ab", ""}, {"1:a", "b"}, {"", "1:ab"}} {
		f := deadletter.Fingerprint(m[0], []byte(m[1]))
		assert.Len(t, f, 64)
		assert.Empty(t, seen[f], "%q", m)
		seen[f] = fmt.Sprint(m)
		assert.Equal(t, f, deadletter.Fingerprint(m[0], []byte(m[1])))
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"text": "grün", "bytes": "\xff\x00", "none": "", "a rune that is cut": strings.Repeat("x", deadletter.MaxBody-1) + "ü"} {
		var l deadletter.Letter
		l.SetBody([]byte(body))
		assert.Equal(t, body[:min(len(body), deadletter.MaxBody)], string(l.Body()), name)
		assert.Equal(t, len(body) > deadletter.MaxBody, l.Cut(), name)
		assert.Equal(t, name == "text" || name == "none", l.Base64 == nil, name)
	}
	assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(deadletter.ErrNotKept))
}
