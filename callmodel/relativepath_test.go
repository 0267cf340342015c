package callmodel_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
)

func TestValidateRelativePath(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"a.wav": true, "2026/01/a b.wav": true, "a+b@c:1.wav": true,
		"": false, "/etc/passwd": false, "../x": false, "a/../../x": false, "a//b": false, "./a": false, "a/": false,
		"s3://b/k": false, "a\x00b": false, "a\\b": false, "a\nb": false, "é.wav": false, "..": false, strings.Repeat("a", 2000): false,
	} {
		err := callmodel.ValidateRelativePath(s)
		assert.Equal(t, ok, err == nil, "%q: %v", s, err)
	}
}

// The names of legs are a telephone server's: only what could lead astray, or can't be
// read by a person, is refused.
func TestValidateLegPath(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"a.wav": true, "2026/01/a b.wav": true, "*97-in.wav": true, "Müller & Söhne/5 [1].wav": true, "電話.wav": true, "Mu\u0308ller.wav": true, "a'b\"c?.wav": true,
		"": false, "/etc/passwd": false, "../x": false, "a/../../x": false, "a//b": false, "./a": false, "a/": false, "..": false,
		"s3://b/k": false, "a\x00b": false, "a\\b": false, "a\nb": false, "a\u202eb": false, "a\u200bb": false, "M\xfcller.wav": false, strings.Repeat("ü", 600): false,
	} {
		err := callmodel.ValidateLegPath(s)
		assert.Equal(t, ok, err == nil, "%q: %v", s, err)
	}
}
