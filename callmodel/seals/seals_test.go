package seals_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/seals"
)

func lines(ids ...int64) (all []seals.Line) {
	for _, id := range ids {
		all = append(all, seals.Line{ID: id, TenantID: "acme", AtMicros: id * 1000, Actor: "ann", Action: "x", Subject: "s", Detail: `{"a":"b"}`})
	}
	return all
}

// TestDigestSeesEveryField: no two lines that differ have one digest, wherever the
// border of two fields is.
func TestDigestSeesEveryField(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]bool{}
	for _, change := range []func(*seals.Line){
		func(*seals.Line) {},
		func(l *seals.Line) { l.ID++ },
		func(l *seals.Line) { l.AtMicros++ },
		func(l *seals.Line) { l.TenantID += "x" },
		func(l *seals.Line) { l.Actor += "x" },
		func(l *seals.Line) { l.Action += "s"; l.Subject = "" },
		func(l *seals.Line) { l.Subject += "x" },
		func(l *seals.Line) { l.Detail = "" },
	} {
		l := lines(7)[0]
		change(&l)
		require.False(t, seen[l.Digest()])
		seen[l.Digest()] = true
	}
}

func TestCompareNamesTheLine(t *testing.T) {
	t.Parallel()
	s := seals.Next(nil, lines(1, 2, 5))
	require.Empty(t, s.CheckChain(nil))
	require.Empty(t, s.Compare(lines(1, 2, 5)))
	changed := lines(1, 2, 5)
	changed[1].Actor = "eve"
	swapped := lines(1, 2, 5)
	swapped[0].Subject, swapped[1].Subject = "b", "a"
	for name, c := range map[string]struct {
		now  []seals.Line
		want []seals.Fault
	}{
		"changed":   {changed, []seals.Fault{{Kind: seals.Changed, LineID: 2}}},
		"swapped":   {swapped, []seals.Fault{{Kind: seals.Changed, LineID: 1}, {Kind: seals.Changed, LineID: 2}}},
		"first out": {lines(2, 5), []seals.Fault{{Kind: seals.Missing, LineID: 1}}},
		"last out":  {lines(1, 2), []seals.Fault{{Kind: seals.Missing, LineID: 5}}},
		"all out":   {nil, []seals.Fault{{Kind: seals.Missing, LineID: 1}, {Kind: seals.Missing, LineID: 2}, {Kind: seals.Missing, LineID: 5}}},
		"put in":    {lines(1, 2, 3, 5), []seals.Fault{{Kind: seals.Inserted, LineID: 3}}},
	} {
		got := s.Compare(c.now)
		for i := range got {
			assert.NotEmpty(t, got[i].Detail)
			got[i].Detail, got[i].Seal = "", 0
		}
		assert.Equal(t, c.want, got, name)
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	one := seals.Next(nil, lines(1, 2))
	two := seals.Next(&one, lines(3))
	three := seals.Next(&two, lines(6))
	require.Empty(t, three.CheckChain(&two))
	require.Equal(t, seals.Cut, three.CheckChain(&one)[0].Kind)
	require.Equal(t, seals.Cut, two.CheckChain(nil)[0].Kind)
	for _, change := range []func(*seals.Seal){
		func(s *seals.Seal) { s.ToID++ },
		func(s *seals.Seal) { s.Lines++ },
		func(s *seals.Seal) { s.LinesSHA = one.LinesSHA },
		func(s *seals.Seal) { s.Previous = three.Hash },
		func(s *seals.Seal) { s.Digests = bytes.Clone(one.Digests) },
		func(s *seals.Seal) { *s = seals.Next(&one, lines(4)); s.Hash = two.Hash },
	} {
		torn := two
		change(&torn)
		require.NotEmpty(t, torn.CheckChain(&one))
	}
	// One that was made anew throughout fits, and the next one doesn't.
	forged := seals.Next(&one, lines(4))
	require.Empty(t, forged.CheckChain(&one))
	require.NotEmpty(t, three.CheckChain(&forged))
}
