// Package text holds what the messages of the vocabulary share.
package text

// Clip keeps hostile input out of messages and logs at full length: of a string
// of more than 64 bytes the first 64, and an ellipsis.
func Clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
