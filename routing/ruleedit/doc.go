// Package ruleedit changes single rules in the text of a rule set, and leaves the rest
// of the text as it stands: its comments, its order and its layout.
//
//	text ── where each rule stands ──▶ pieces ── edits ──▶ pieces ──▶ text, and what has changed
//
// A set of a hundred thousand rules isn't parsed for that: its lines, or brackets, say
// where its rules stand, and only those that an edit names are read. Texts of up to 4 MiB
// are parsed before and after, and the two sets are compared.
//
// In YAML a rule begins with a dash on a line of its own. The comment lines right above
// that belong to the rule and go with it; comments behind a blank line stay where they
// are. A YAML text that is laid out in another way, as a flow for example, is written
// anew, with its comments. JSON and lines of JSON have no comments.
//
// Whether the new set is right [routing.CompileText] says.
package ruleedit
