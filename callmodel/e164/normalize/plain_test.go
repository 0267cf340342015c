package normalize_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

// TestPlainNumbers: numbers behind a plus come to the same the short way as the whole
// way, of every country and of none, of every length, emergency numbers and those that an
// operator adds among them.
func TestPlainNumbers(t *testing.T) {
	t.Parallel()
	digits := func(r *rand.Rand, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	r := rand.New(rand.NewPCG(1, 2))
	numberings := []*normalize.Numbering{
		nil,
		{Added: map[string][]string{"": {"+4930123456", "20255501"}, "DE": {"1234567"}}, OutsidePrefixes: []string{"9"}},
		{Removed: map[string][]string{"": {"112"}}},
	}
	codes := []string{"0", "999", "210"}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		codes = append(codes, strconv.Itoa(code))
	}
	plain := 0
	for _, code := range codes {
		for n := 1; n <= 16; n++ {
			for range 6 {
				raw := "+" + code + digits(r, n)
				if r.IntN(20) == 0 {
					raw = "+" + code + "1" + digits(r, n-1)
				}
				numbering, region := numberings[r.IntN(len(numberings))], []string{"", "US", "DE", "MX", "de"}[r.IntN(5)]
				want, wantErr := numbering.ParseInFull(raw, region)
				got, err := numbering.Parse(raw, region)
				require.Equal(t, wantErr, err, "%s in %q", raw, region)
				require.Equal(t, want, got, "%s in %q", raw, region)
				if err == nil && got.Value == raw {
					plain++
				}
			}
		}
	}
	assert.Greater(t, plain, 1000, "there was something to compare")
	for _, c := range []struct{ raw, value string }{{"+4930123456", "+4930123456"}, {"+120255501", "20255501"}, {"+491234567", "1234567"}} {
		got, err := numberings[1].Parse(c.raw, "DE")
		require.NoError(t, err)
		assert.Equal(t, normalize.Number{Value: c.value, Emergency: true, Short: c.value[0] != '+'}, got)
	}
}

// TestLongestEmergencyNumber: the bound is that of the tables.
func TestLongestEmergencyNumber(t *testing.T) {
	t.Parallel()
	longest := 0
	for _, region := range e164.EmergencyRegions() {
		for _, number := range e164.EmergencyNumbers(region) {
			longest = max(longest, len(number))
		}
	}
	assert.Equal(t, e164.MaxEmergencyDigits, longest)
}

func TestPlainNumbersAllocateNothing(t *testing.T) {
	n := &normalize.Numbering{Added: map[string][]string{"DE": {"116117"}}}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if number, err := n.Parse("+12025550123", "DE"); err != nil || number.Value != "+12025550123" {
			t.Error(number, err)
		}
		if _, ok := n.Emergency("+12025550123", "DE", "US", ""); ok {
			t.Error("it is none")
		}
	}))
}
