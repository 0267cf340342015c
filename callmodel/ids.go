package callmodel

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// The identifiers below become parts of object keys and file names, so their
// alphabet is closed: see [ValidID].
type (
	// TenantID names a customer of the platform. No tenant can see another's data.
	TenantID string
	// CallID names one call within its tenant.
	CallID string
	// RecordingID names one recording of a call. A call usually has one.
	RecordingID string
	// JobID names a row of the job ledger.
	JobID string
)

// MaxIDLen is the longest identifier that [ValidID] accepts, in bytes.
const MaxIDLen = 128

// ValidID reports whether s can be an identifier: 1 to 128 bytes of ASCII
// letters, digits, '.', '_' and '-', starting with a letter or a digit, and
// without "..": nothing in it can leave a directory or need escaping in a URL.
func ValidID(s string) bool {
	if s == "" || len(s) > MaxIDLen || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// CheckID adds the fault of an id that is not valid.
func (e *FieldErrors) CheckID(path, id string) {
	if !ValidID(id) {
		e.Add(path, "%q %s", text.Clip(id), idHelp)
	}
}

const idHelp = "must be 1 to 128 letters, digits, '.', '_' or '-', start with a letter or digit, and hold no \"..\""
