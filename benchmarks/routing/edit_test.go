package routing_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/ruleedit"
)

// BenchmarkEdit changes one rule in the text of 100,000, and makes a router of the new
// text.
func BenchmarkEdit(b *testing.B) {
	const n = 100_000
	edits := []ruleedit.Edit{{Op: ruleedit.Put, Rule: []byte(`{"id":"r0050000","match":{"to":{"prefix":["+4999"]}},"route":[[{"to":"d001"}]]}`)}}
	for _, form := range forms() {
		var text bytes.Buffer
		require.NoError(b, writeFile(&text, form, "edited", n))
		b.Run("text/"+form, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, diffs, err := ruleedit.Apply(text.Bytes(), edits)
				if err != nil || len(diffs) != 1 {
					b.Fatal(diffs, err)
				}
			}
		})
		b.Run("compiled/"+form, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				edited, _, err := ruleedit.Apply(text.Bytes(), edits)
				if err == nil {
					_, err = routing.CompileText(edited)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
