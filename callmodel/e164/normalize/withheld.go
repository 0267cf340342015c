package normalize

import "strings"

// Withheld recognises the forms in which trunks send a caller that doesn't
// want to be known, "anonymous", "sip:anonymous@anonymous.invalid" and such
// (RFC 3323 section 4.1.1.3, and what is common besides).
func Withheld(from string) bool {
	user := strings.ToLower(strings.TrimSpace(from))
	for _, scheme := range []string{"sips:", "sip:", "tel:"} {
		user = strings.TrimPrefix(user, scheme)
	}
	user, _, _ = strings.Cut(user, "@")
	switch user {
	case "anonymous", "restricted", "private", "unavailable", "withheld":
		return true
	}
	return false
}
