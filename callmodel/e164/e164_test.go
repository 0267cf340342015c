package e164_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/e164"
)

func TestValid(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"+12025550123": true, "+4930123456": true, "+290123": false, "+2901234": true, "+123456789012345": true,
		"+1234567890123456": false, "12025550123": false, "+02025550123": false, "": false, "+": false,
		"+1202555012a": false, "+1202555٠123": false, "+1 202 5550123": false,
	} {
		assert.Equal(t, want, e164.Valid(s), s)
	}
}

func TestEmergency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		region, number string
		want           bool
	}{
		{"DE", "110", true},
		{"DE", "112", true},
		{"GB", "999", true},
		{"GB", "110", false},
		{"US", "911", true},
		{"US", "999", false},
		{"", "112", true},
		{"", "911", true},
		{"", "999", false},
		{"ZZ", "112", true},
		{"DE", "1121", false},
		{"DE", "11", false},
		{"DE", "", false},
		{"", "urn:service:sos", true},
		{"", "urn:service:sos.police", true},
		{"", "urn:service:sosx", false},
	} {
		assert.Equal(t, c.want, e164.Emergency(c.region, c.number), "%s %s", c.region, c.number)
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"*21#": true, "#31#": true, "**": true, "*21*+49#": false, "*": false, "": false, "21*": false, "*1a": false, "112#": false,
	} {
		assert.Equal(t, want, e164.Code(s), s)
	}
}

func TestNoAllocations(t *testing.T) {
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = e164.Valid("+12025550123")
		_ = e164.Emergency("DE", "110")
		_ = e164.Short("611")
		_ = e164.Code("*21*0301234#")
		_ = e164.Listed("FR", "115")
	}))
}

func FuzzValid(f *testing.F) {
	f.Add("+12025550123", "US")
	f.Fuzz(func(t *testing.T, s, region string) {
		if e164.Valid(s) && (len(s) < 8 || len(s) > 16 || !e164.Digits(s[1:])) {
			t.Fatalf("%q", s)
		}
		if e164.InTable(region, s) && !e164.Emergency(region, s) {
			t.Fatalf("%q %q", region, s)
		}
	})
}

func ExampleEmergency() {
	fmt.Println(e164.Emergency("GB", "999"), e164.Emergency("US", "999"))
	// Output: true false
}
