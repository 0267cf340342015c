package normalize_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw, region, want string
		emergency, short  bool
	}{
		{raw: "+1 202-555-0123", want: "+12025550123"},
		{raw: "(202) 555-0123", region: "US", want: "+12025550123"},
		{raw: "020 7946 0123", region: "GB", want: "+442079460123"},
		{raw: "0044 20 7946 0123", region: "DE", want: "+442079460123"},
		{raw: "011 44 20 7946 0123", region: "US", want: "+442079460123"},
		{raw: "tel:+1-202-555-0123;phone-context=x", want: "+12025550123"},
		{raw: "sip:+12025550123@pbx.example.com;user=phone", want: "+12025550123"},
		{raw: "SIPS:2025550123;x=y@pbx", region: "US", want: "+12025550123"},
		{raw: " +39 06 12345678 ", want: "+390612345678"}, // Italy keeps its zero
		{raw: "112", region: "DE", want: "112", emergency: true, short: true},
		{raw: "112", want: "112", emergency: true, short: true},
		{raw: "1-1-2", region: "DE", want: "112", emergency: true, short: true},
		{raw: "+49112", region: "DE", want: "112", emergency: true, short: true},
		{raw: "+49110", region: "US", want: "110", emergency: true, short: true},
		{raw: "+44999", want: "999", emergency: true, short: true},
		{raw: "+911", want: "911", emergency: true, short: true},
		{raw: "sip:110@pbx", region: "DE", want: "110", emergency: true, short: true},
		{raw: "tel:999", region: "GB", want: "999", emergency: true, short: true},
		{raw: "URN:service:sos.fire", want: "urn:service:sos.fire", emergency: true},
		{raw: "611", region: "US", want: "611", short: true},
	} {
		n, err := normalize.Parse(c.raw, c.region)
		require.NoError(t, err, c.raw)
		assert.Equal(t, normalize.Number{Value: c.want, Emergency: c.emergency, Short: c.short}, n, c.raw)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, region, why string }{
		{"", "US", "empty"},
		{"abc", "US", ""},
		{"2025550123", "", "no region"},
		{"+999123456789", "", ""},
		{"+1202555", "", "short"},
		{"+12025550123456", "", "long"},
		{"2025550123 ext 5", "US", "extension"},
		{strings.Repeat("1", 1000), "US", "longer"},
		{"2025550123", "us", "ISO 3166"},
		{"+", "", ""},
		{"\x00\xff", "US", ""},
	} {
		_, err := normalize.Parse(c.raw, c.region)
		var ne *normalize.Error
		require.ErrorAs(t, err, &ne, c.raw)
		assert.Contains(t, err.Error(), c.why)
		assert.Less(t, len(err.Error()), 300)
	}
}

// Every number that phonenumbers knows as an emergency number, and every other
// short code of the same lengths, is told apart by the table just so.
func TestEmergencyTableEqualsPhonenumbers(t *testing.T) {
	t.Parallel()
	regions := phonenumbers.GetSupportedRegions()
	require.Greater(t, len(regions), 200)
	pairs := 0
	for region := range regions {
		for i := range 1000 {
			n := fmt.Sprintf("%03d", i)
			want := phonenumbers.IsEmergencyNumber(n, region)
			if want {
				pairs++
			}
			if got := e164.InTable(region, n); got != want {
				t.Errorf("%s %s: table %v, phonenumbers %v", region, n, got, want)
			}
		}
	}
	assert.Greater(t, pairs, 600, "of three digits")
}

func TestGeneratedTableIsCurrent(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	out := filepath.Join(t.TempDir(), "emergency_gen.go")
	gen := exec.CommandContext(t.Context(), "go", "run", "../internal/gen", "-o", out)
	b, err := gen.CombinedOutput()
	require.NoError(t, err, string(b))
	want, err := os.ReadFile(out)
	require.NoError(t, err)
	got, err := os.ReadFile("../emergency_gen.go")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate in callmodel/e164")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"+12025550123", "112", "tel:+1", "sip:@", "(202) 555-0123", "+49112"} {
		f.Add(s, "US")
		f.Add(s, "")
	}
	f.Add("00,", "AU")
	f.Add("000AAA", "AU")
	f.Fuzz(func(t *testing.T, raw, region string) {
		n, err := normalize.Parse(raw, region)
		if err != nil {
			return
		}
		if !n.Short && !n.Emergency && !e164.Valid(n.Value) {
			t.Fatalf("%q in %q gave %q", raw, region, n.Value)
		}
		if n.Emergency && !e164.Emergency(region, n.Value) {
			return // another country's, which its code told: as dialled, the number has lost that
		}
		again, err := normalize.Parse(n.Value, region)
		n.PostDial, n.Params = "", "" // what was cut off is not in the value
		if err != nil || again != n {
			t.Fatalf("%q in %q: %+v is not stable: %+v, %v", raw, region, n, again, err)
		}
	})
}

func ExampleParse() {
	n, err := normalize.Parse("(202) 555-0123", "US")
	fmt.Println(n.Value, n.Emergency, err)
	n, err = normalize.Parse("112", "DE")
	fmt.Println(n.Value, n.Emergency, err)
	// Output:
	// +12025550123 false <nil>
	// 112 true <nil>
}
