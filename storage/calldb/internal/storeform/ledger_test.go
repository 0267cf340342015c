package storeform_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

func FuzzParseCursor(f *testing.F) {
	f.Add(storeform.Cursor{Micros: 1772360430123456, ID: "c1"}.String())
	f.Add("")
	f.Add("MTowMDU6YzE")
	f.Add(strings.Repeat("M", 300))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := storeform.ParseCursor(s)
		if err != nil {
			require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
			return
		}
		require.True(t, callmodel.ValidID(string(c.ID)))
		require.Equal(t, s, c.String(), "a place has one cursor")
	})
}

func FuzzParseJobID(f *testing.F) {
	f.Add("j00000000002a-9f3a2b1c")
	f.Add("j-0000000002a-9f3a2b1c")
	f.Fuzz(func(t *testing.T, s string) {
		seq, nonce, ok := storeform.ParseJobID(callmodel.JobID(s))
		if ok {
			require.Equal(t, callmodel.JobID(s), storeform.JobID(seq, nonce))
			require.Positive(t, seq)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("a\x00b\xff", 3)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = max(0, min(most, 100))
		got := storeform.Text(s, most)
		require.LessOrEqual(t, len(got), most)
		require.True(t, utf8.ValidString(got))
		require.NotContains(t, got, "\x00")
		if len(s) <= most && utf8.ValidString(s) && !strings.Contains(s, "\x00") {
			require.Equal(t, s, got)
		}
	})
}

func TestJobIDsSortAsTheirRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seqs := rapid.Int64Range(1, 1<<48-1)
		a, b := seqs.Draw(t, "a"), seqs.Draw(t, "b")
		x, y := storeform.JobID(a, storeform.Nonce()), storeform.JobID(b, storeform.Nonce())
		if a < b && x >= y || a > b && x <= y {
			t.Fatalf("%d → %s, %d → %s", a, x, b, y)
		}
		if !callmodel.ValidID(string(x)) {
			t.Fatalf("%s is no id", x)
		}
	})
}
