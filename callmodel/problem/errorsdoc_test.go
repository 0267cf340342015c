package problem_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// errorsReference is the file that says what each code means.
const errorsReference = "../../examples/docs/errors.md"

// whatToDo is for the program or the person that gets the code.
func whatToDo() map[callmodel.Code]string {
	return map[callmodel.Code]string{
		callmodel.CodeInvalid:              "Mend what `errors` names, each fault by its path.",
		callmodel.CodeMalformed:            "Send JSON, or YAML where it is taken; the detail says where it ends to be.",
		callmodel.CodeNotFound:             "Look the id up; those of other tenants aren't told from those that never were.",
		callmodel.CodeGone:                 "Nothing: the detail says when it was deleted, and why.",
		callmodel.CodeNoRoute:              "Add a rule, or a default one; `switchtape calls route` says why no rule took it.",
		callmodel.CodeNoCapacity:           "Try again after `Retry-After`, or give the rule more destinations.",
		callmodel.CodeConflict:             "Read its state again: what was asked for doesn't follow from it.",
		callmodel.CodeIdempotencyMismatch:  "Use another key for another request, or send the same body.",
		callmodel.CodeInFlight:             "Wait a moment and send the same again.",
		callmodel.CodeLeaseLost:            "Nothing: another worker does the job.",
		callmodel.CodeUnauthenticated:      "Send a key that is valid now, as `Authorization: Bearer …`.",
		callmodel.CodeForbidden:            "Use a key with the scope that the detail names.",
		callmodel.CodeTooLarge:             "Send less at once; the detail says how much is taken.",
		callmodel.CodeOverloaded:           "Try again after `Retry-After`, more slowly.",
		callmodel.CodeUnavailable:          "Try again after `Retry-After`; operators look at what the detail names.",
		callmodel.CodeUnsupported:          "Choose another codec, or a program that links what is missing.",
		callmodel.CodeInternal:             "Report it with the `request_id`: the log has its cause.",
		callmodel.CodePrecondition:         "Read it again, and change what it is now.",
		callmodel.CodePreconditionRequired: "Send `If-Match` with the version that you have read.",
		callmodel.CodeMethodNotAllowed:     "Use a method of the header `Allow`.",
		callmodel.CodeNotAcceptable:        "Ask for a type that the detail names.",
		callmodel.CodeUnsupportedMediaType: "Say in `Content-Type` what you send.",
		callmodel.CodeMisdirected:          "Send it to the other lane: the detail says which.",
		callmodel.CodeDamaged:              "Nothing by the client. Operators restore the object: `switchtape verify --hash` names it, and what it can be restored from.",
		callmodel.CodeKeyMissing:           "Operators give the program the key that the detail names (`--encrypt-keys`); then ask again.",
	}
}

// TestErrorsAreListed: errors.md has every code with its status, what it means and what to
// do, as the code has it: SWITCHTAPE_UPDATE=1 writes it.
func TestErrorsAreListed(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var doc strings.Builder
	doc.WriteString(`# Errors

What goes wrong has a code, over HTTP (` + "`application/problem+json`, RFC 9457" + `), in events and dead letters, and
in what commands print with ` + "`--json`" + `. The texts are for people and may change; the codes are for programs and
don't. A request that may be sent again says so by ` + "`Retry-After`" + `. From the code: ` + "`go doc callmodel.Code`" + `.

| code | HTTP | it means | what to do |
|---|---|---|---|
`)
	listed := 0
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Code") || v.Comment == nil {
			return true
		}
		lit, ok := v.Values[0].(*ast.BasicLit)
		require.True(t, ok, v.Names[0].Name)
		code, err := strconv.Unquote(lit.Value)
		require.NoError(t, err)
		do := whatToDo()[callmodel.Code(code)]
		assert.Regexp(t, `^[A-Z].*\.$`, do, code)
		fmt.Fprintf(&doc, "| `%s` | %d | %s | %s |\n", code, problem.Status(callmodel.Code(code)), strings.TrimSpace(v.Comment.Text()), do)
		listed++
		return true
	})
	assert.Len(t, whatToDo(), listed)
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(errorsReference, []byte(doc.String()), 0o600))
	}
	written, err := os.ReadFile(errorsReference)
	require.NoError(t, err)
	assert.Equal(t, doc.String(), string(written), "SWITCHTAPE_UPDATE=1 go test ./callmodel/problem -run TestErrorsAreListed")
}
