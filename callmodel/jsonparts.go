package callmodel

import (
	"bytes"
	"encoding/json"
)

// plainSyntax reports that data is one JSON value of sane depth. What isn't plain is
// looked at by checkSyntax, which says why.
func plainSyntax(data []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxJSONDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return json.Valid(data)
}

// members visits the pairs of an object whose syntax was checked, or the items of a list,
// whose keys are "".
func members(raw []byte, f func(key string, val []byte)) {
	object := raw[0] == '{'
	for at := skipSpace(raw, 1); at < len(raw) && raw[at] != '}' && raw[at] != ']'; {
		key := ""
		if object {
			end := valueEnd(raw, at)
			key = unquoted(raw[at:end])
			at = skipSpace(raw, skipSpace(raw, end)+1) // behind the colon
		}
		end := valueEnd(raw, at)
		f(key, raw[at:end])
		if at = skipSpace(raw, end); at < len(raw) && raw[at] == ',' {
			at = skipSpace(raw, at+1)
		}
	}
}

func skipSpace(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\t' || raw[at] == '\n' || raw[at] == '\r') {
		at++
	}
	return at
}

// valueEnd is where the value ends that begins at at.
func valueEnd(raw []byte, at int) int {
	depth := 0
	for i := at; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(raw))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i // of what the value is in
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return len(raw)
}

// unquoted is the text of a JSON string whose syntax was checked.
func unquoted(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is one
	return s
}
