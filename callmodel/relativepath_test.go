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
