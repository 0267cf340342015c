package record_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
)

func TestOwns(t *testing.T) {
	t.Parallel()
	const object = "2025/call-7.mp3"
	adopted := []record.LegSpec{record.NewLeg("call", object)}
	twice := record.LegSpec{Name: "call", Segments: []record.SegmentSpec{{URI: object}, {URI: object}}}
	for name, c := range map[string]struct {
		legs []record.LegSpec
		key  string
		owns bool
	}{
		"the tenant's part":            {nil, "acme/year=2026/x.wav", true},
		"a part that begins alike":     {nil, "acme2/x.wav", false},
		"elsewhere":                    {nil, object, false},
		"adopted":                      {adopted, object, true},
		"an adopted one's manifest":    {adopted, record.AdoptedManifest(object), true},
		"something beside an adopted":  {adopted, object + ".txt", false},
		"another tenant's":             {adopted, "globex/x.wav", false},
		"one of two legs":              {append(adopted, record.NewLeg("b", "b.wav")), object, false},
		"one of two segments":          {[]record.LegSpec{twice}, object, false},
		"no key":                       {[]record.LegSpec{record.NewLeg("call", "")}, "", false},
		"a manifest beside no object":  {[]record.LegSpec{record.NewLeg("call", "")}, record.AdoptedManifest(""), false},
		"the tenant's, and an adopted": {adopted, "acme/x.wav", true},
	} {
		spec := record.Spec{TenantID: "acme", Legs: c.legs}
		require.Equal(t, c.owns, spec.Owns(c.key), name)
	}
}
