package normalize_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

// TestEmergencyIsRecognised in whatever way it was dialled or sent.
func TestEmergencyIsRecognised(t *testing.T) {
	t.Parallel()
	n := &normalize.Numbering{
		Added:           map[string][]string{"FR": {"1199"}, "": {"7777"}, "DE": {"+4930110110"}},
		Removed:         map[string][]string{"FR": {"115"}, "DE": {"911"}},
		OutsidePrefixes: []string{"9", "0"},
	}
	require.NoError(t, n.Validate())
	for _, c := range []struct{ raw, region, want string }{
		{"112#", "DE", "112"},
		{"911#", "", "911"},
		{"*31#112", "DE", "112"},
		{"#31#112#", "", "112"},
		{"*67911", "US", "911"},
		{"*82 911", "US", "911"},
		{"141999", "GB", "999"},
		{"184110", "JP", "110"},
		{"0049112", "DE", "112"},
		{"0049110", "FR", "110"},
		{"01149112", "US", "112"},
		{"0011 44 999", "AU", "999"},
		{"+49112", "DE", "112"},
		{"+7103", "US", "103"},
		{"9911", "US", "911"},
		{"0112", "DE", "112"},
		{"9,911", "US", "911"},
		{"9*67911", "US", "911"},
		{"１１２", "DE", "112"},
		{"＋４９１１２", "DE", "112"},
		{"١١٢", "EG", "112"},
		{"\u202a112\u202c", "DE", "112"},
		{"\u202b911\u202c", "US", "911"},
		{"\ufeff112", "", "112"},
		{"1\u200b1\u00ad2", "", "112"},
		{"1\u20111\u20112", "", "112"},
		{"112\x00", "", "112"},
		{"-112", "", "112"},
		{`"Help" <sip:112@pbx.example;user=phone>`, "", "112"},
		{"<tel:112;phone-context=+49>", "", "112"},
		{"tel:110;phone-context=+49", "US", "110"},
		{"sip:%31%31%32@pbx", "", "112"},
		{"sip:112:secret@pbx", "", "112"},
		{"sip:112@pbx;x=" + strings.Repeat("y", 500), "", "112"},
		{"112" + strings.Repeat(" ", 500), "", "112"},
		{"112;ext=5", "", "112"},
		{"<urn:service:SOS.fire>", "", "urn:service:sos.fire"},
		{"114", "FR", "114"},
		{"119", "FR", "119"},
		{"191", "FR", "191"},
		{"196", "FR", "196"},
		{"197", "FR", "197"},
		{"118", "JP", "118"},
		{"115", "ID", "115"},
		{"1199", "FR", "1199"},
		{"+331199", "US", "1199"},
		{"7777", "US", "7777"},
		{"+49 30 110110", "DE", "+4930110110"},
		{"112", "nowhere", "112"},
	} {
		got, err := n.Parse(c.raw, c.region)
		require.NoError(t, err, "%q %s", c.raw, c.region)
		assert.True(t, got.Emergency, "%q %s", c.raw, c.region)
		assert.Equal(t, c.want, got.Value, "%q %s", c.raw, c.region)
	}
	for _, c := range []struct{ raw, region string }{
		{"115", "FR"},
		{"911", "DE"},
		{"+49911", "DE"},
		{"*100*911#", "US"},
		{"*112#", "DE"},
		{"8911", "US"},
		{"114", "DE"},
		{"1121", "DE"},
		{"91112", "DE"},
		{"urn:service:sosx", ""},
	} {
		got, _ := n.Parse(c.raw, c.region)
		assert.False(t, got.Emergency, "%q %s", c.raw, c.region)
	}
	got, err := normalize.Parse("9911", "US")
	require.NoError(t, err)
	assert.False(t, got.Emergency, "nobody said that 9 gets a line")
	got, err = normalize.Parse("115", "FR")
	require.NoError(t, err)
	assert.True(t, got.Emergency, "nobody removed it")

	_, ok := n.Emergency("911", "DE", "US", "")
	assert.False(t, ok, "it is removed where it was dialled")
	_, ok = n.Emergency("911", "US", "DE", "")
	assert.True(t, ok)
	_, ok = n.Emergency("110", "US", "DE")
	assert.True(t, ok, "in any of the regions")
	assert.Contains(t, n.EmergencyNumbers("FR"), "1199")
	assert.NotContains(t, n.EmergencyNumbers("FR"), "115")
	assert.Contains(t, e164.EmergencyNumbers("FR"), "115")
	assert.Greater(t, len(e164.EmergencyRegions()), 200)
}

// TestEveryEmergencyNumberIsRecognised, of every region and in every form.
func TestEveryEmergencyNumberIsRecognised(t *testing.T) {
	t.Parallel()
	n := &normalize.Numbering{OutsidePrefixes: []string{"9"}}
	for _, region := range e164.EmergencyRegions() {
		for _, number := range e164.EmergencyNumbers(region) {
			for _, form := range []string{"%", "%#", "*31#%", "9%", "sip:%@pbx", "\u202a%\u202c"} {
				raw := strings.Replace(form, "%", number, 1)
				got, err := n.Parse(raw, region)
				require.NoError(t, err, "%s %s", region, raw)
				require.True(t, got.Emergency, "%s %s", region, raw)
				if form == "%" {
					require.Equal(t, number, got.Value)
				}
			}
		}
	}
}

func TestNumberingFaults(t *testing.T) {
	t.Parallel()
	n := normalize.Numbering{Added: map[string][]string{"xx": {"a"}}, Removed: map[string][]string{"": {"1"}}, OutsidePrefixes: []string{"", "12345"}}
	err := n.Validate()
	for _, part := range []string{`"xx"`, `"a"`, `"1"`, `""`, `"12345"`} {
		assert.ErrorContains(t, err, part)
	}
}

// TestDigitsAreKept: what stands behind a plus is never changed, and what is not
// the number is kept as what it is.
func TestDigitsAreKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, region, want, postDial, params string }{
		{raw: "+4930123456p9", want: "+4930123456", postDial: "p9"},
		{raw: "+4930123456,,1#", want: "+4930123456", postDial: ",,1#"},
		{raw: "+49 30 123456 w 22", want: "+4930123456", postDial: "w22"},
		{raw: "030123456P9", region: "DE", want: "+4930123456", postDial: "P9"},
		{raw: "tel:+4930123456;postd=pp22", want: "+4930123456", postDial: "pp22"},
		{raw: "tel:+12025550123;ext=77", want: "+12025550123", params: ";ext=77"},
		{raw: "+12025550123;ext=77", want: "+12025550123", params: ";ext=77"},
		{raw: "sip:+12025550123;npdi;rn=+12025550100@gw;user=phone", want: "+12025550123", params: ";npdi;rn=+12025550100"},
		{raw: "tel:+12025550123;npdi;rn=+12025550100;cic=+16789;x=y", want: "+12025550123", params: ";npdi;rn=+12025550100;cic=+16789"},
		{raw: "tel:5551234;phone-context=+1-202", want: "+12025551234"},
		{raw: "sip:5551234;phone-context=+1202@gw", want: "+12025551234"},
		{raw: "tel:%2B1-202-555-0123", want: "+12025550123"},
		{raw: "+44 (0)20 7946 0123", want: "+442079460123"},
		{raw: "+5215512345678", want: "+525512345678"},
		{raw: "+5216648991010", want: "+526648991010"},
		{raw: "+12025550123#", want: "+12025550123"},
		{raw: "１２０２５５５０１２３", region: "US", want: "+12025550123"},
		{raw: "+1-800-FLOWERS", want: "+18003569377"},
		{raw: "1-800-WALKUPS", region: "US", want: "+18009255877"},
		{raw: "sip:+12025550123@" + strings.Repeat("x", 300), want: "+12025550123"},
	} {
		got, err := normalize.Parse(c.raw, c.region)
		require.NoError(t, err, c.raw)
		assert.Equal(t, normalize.Number{Value: c.want, PostDial: c.postDial, Params: c.params}, got, c.raw)
	}
	for _, c := range []struct{ raw, region, why string }{
		{"+115005550009", "", "without a digit that is not dialled from abroad it is +15005550009"},
		{"+4402079460123", "", "+442079460123"},
		{"+5491115123456789", "", ""},
		{"-12025550143", "DE", "minus"},
		{"\u221212025550143", "DE", "minus"},
		{"+4930123456x9y", "", "more than digits"},
		{"+49*30123456", "", "more than digits"},
		{"0011115005550009", "AU", ""},
	} {
		got, err := normalize.Parse(c.raw, c.region)
		require.ErrorContains(t, err, c.why, "%s %+v", c.raw, got)
	}
	// Its length is possible as it stands.
	got, err := normalize.Parse("+3758105261733", "")
	require.NoError(t, err)
	assert.Equal(t, "+3758105261733", got.Value)
}

// TestFewDigits: national numbers of six digits or fewer are numbers where there
// are such, and codes with stars and hashes are codes.
func TestFewDigits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw, region, want string
		short             bool
	}{
		{"425991", "LU", "+352425991", false},
		{"211111", "FO", "+298211111", false},
		{"712345", "AD", "+376712345", false},
		{"321000", "GL", "+299321000", false},
		{"251234", "NC", "+687251234", false},
		{"31234", "FK", "+50031234", false},
		{"22123", "SB", "+67722123", false},
		{"22158", "SH", "+29022158", false},
		{"22222", "CK", "+68222222", false},
		{"131450", "AU", "+61131450", false},
		{"+61131450", "", "+61131450", false},
		{"611", "US", "611", true},
		{"11833", "DE", "11833", true},
		{"1122", "DE", "1122", true},
		{"*21*030123#", "DE", "*21*030123#", true},
		{"#31#", "", "#31#", true},
		{"*100#", "", "*100#", true},
		{"611#", "US", "611", true},
	} {
		got, err := normalize.Parse(c.raw, c.region)
		require.NoError(t, err, c.raw)
		assert.Equal(t, normalize.Number{Value: c.want, Short: c.short}, got, "%s %s", c.raw, c.region)
		again, err := normalize.Parse(got.Value, c.region)
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
}

func TestRecognisingAllocatesNothing(t *testing.T) {
	n := &normalize.Numbering{OutsidePrefixes: []string{"9"}}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = n.Emergency("112", "DE", "US", "")
		_, _ = n.Emergency("110", "DE")
	}))
}
