package normalize_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

func TestWithheld(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"anonymous", " Anonymous ", "sip:anonymous@anonymous.invalid", "SIPS:Restricted@x", "tel:unavailable", "private", "withheld"} {
		assert.True(t, normalize.Withheld(s), s)
	}
	for _, s := range []string{"", "+4930901820", "sip:+4930901820@private", "anonymously", "sip:bob@anonymous"} {
		assert.False(t, normalize.Withheld(s), s)
	}
}
