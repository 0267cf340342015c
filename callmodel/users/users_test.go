package users_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
)

// ann is a user with everything that there is.
func ann() users.User {
	return users.User{
		TenantID: "acme", ID: "ann", Name: "Ann Müller",
		Numbers: users.Numbers{Mobile: "+491711234567", Extension: "100", DIDs: []string{"+4930123450", "+4930123451"}},
		Preferences: users.Preferences{
			CallerID: "+4930123450", Region: "DE", Recording: users.RecordAlways, Consent: users.ConsentGiven, DoNotDisturb: true,
			Forwarding: []users.Forward{
				{When: users.ForwardBusy, To: "101"}, {When: users.ForwardNoAnswer, To: "sip:voicemail@pbx", After: 20 * time.Second},
			},
			Barring: users.Barring{Classes: []users.BarringClass{users.BarInternational, users.BarPremium}, Prefixes: []string{"+49900", "0137"}},
			Devices: []users.Device{{ID: "desk", URI: "sip:ann@desk", Ring: 15 * time.Second}, {ID: "mobile", URI: "tel:+491711234567"}},
		},
		Metadata: map[string]string{"plan": "gold", "team": "", "long": strings.Repeat("x", callmodel.MaxMetadataValue)},
	}
}

func TestUserIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	u := ann()
	require.NoError(t, u.Validate())
	u.Version, u.UpdatedAt, u.UpdatedBy = 7, time.Unix(1.77e9, 0).UTC(), "bob"
	b, err := json.Marshal(u)
	require.NoError(t, err)
	assert.Contains(t, string(b), `"after_seconds":20`)
	var strict, plain users.User
	require.NoError(t, callmodel.DecodeJSON(b, &strict))
	require.NoError(t, json.Unmarshal(b, &plain))
	assert.Equal(t, u, strict)
	assert.Equal(t, u, plain)
	assert.Equal(t, `"7"`, u.ETag())
	assert.Equal(t, []string{"+491711234567", "100", "+4930123450", "+4930123451"}, u.Numbers.All())
	assert.True(t, users.Numbers{}.IsZero())
	assert.True(t, users.Preferences{}.IsZero())
}

// paths are those of the faults.
func paths(t *testing.T, err error) []string {
	t.Helper()
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	list := make([]string, len(faults))
	for i, f := range faults {
		list[i] = f.Path
		assert.Greater(t, len(f.Message), 10, "what is wrong and what would be right: %s", f.Path)
	}
	return list
}

// TestEveryFaultAtOnce: of a user that is wrong everywhere.
func TestEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", users.MaxURI)
	u := users.User{
		TenantID: "..", ID: "a b", Name: "a\nb",
		Numbers: users.Numbers{Mobile: "0171 1", Extension: "1", DIDs: []string{"+4930123450", "30", "+4930123450"}},
		Preferences: users.Preferences{
			CallerID: "me", Region: "de", Recording: "often", Consent: "perhaps",
			Forwarding: []users.Forward{
				{When: "later", To: "mars"},
				{When: users.ForwardBusy, To: "100", After: time.Second},
				{When: users.ForwardBusy, To: "100"},
				{When: users.ForwardNoAnswer, To: "100", After: time.Hour},
				{To: "100"},
			},
			Barring: users.Barring{Classes: []users.BarringClass{"all", users.BarPremium, users.BarPremium}, Prefixes: []string{"+", "+0", "12345678901234567", "*21"}},
			Devices: []users.Device{{ID: "a", URI: "http://a"}, {ID: "a", URI: "sip:" + long}, {ID: "", URI: "sip:x y", Ring: time.Millisecond}},
		},
		Metadata: map[string]string{"": "x"},
	}
	got := paths(t, u.Validate())
	want := []string{
		"tenant_id", "id", "name", "numbers.mobile", "numbers.extension", "numbers.dids[1]", "numbers.dids[2]",
		"preferences.caller_id", "preferences.region", "preferences.recording", "preferences.consent",
		"preferences.forwarding[0].when", "preferences.forwarding[0].to", "preferences.forwarding[1].after_seconds", "preferences.forwarding[2].when",
		"preferences.forwarding[3].after_seconds", "preferences.forwarding[4].when",
		"preferences.barring.classes[0]", "preferences.barring.classes[2]",
		"preferences.barring.prefixes[0]", "preferences.barring.prefixes[1]", "preferences.barring.prefixes[2]", "preferences.barring.prefixes[3]",
		"preferences.devices[0].uri", "preferences.devices[1].id", "preferences.devices[1].uri", "preferences.devices[2].id",
		"preferences.devices[2].uri", "preferences.devices[2].ring_seconds", `metadata[""]`,
	}
	assert.Equal(t, want, got)

	u = ann()
	u.Preferences.Consent = users.ConsentRefused
	assert.Equal(t, []string{"preferences.recording"}, paths(t, u.Validate()))
	u = ann()
	u.Numbers.DIDs = slices.Repeat([]string{"+4930123450"}, users.MaxDIDs+1)
	assert.Contains(t, paths(t, u.Validate()), "numbers.dids")
	u = ann()
	u.Preferences.Devices = slices.Repeat(u.Preferences.Devices, 9)
	u.Preferences.Barring.Prefixes = slices.Repeat([]string{"1"}, users.MaxBarred+1)
	assert.Subset(t, paths(t, u.Validate()), []string{"preferences.devices", "preferences.barring.prefixes"})
}

func TestTenant(t *testing.T) {
	t.Parallel()
	good := users.Tenant{
		ID: "acme", Profile: users.Profile{Name: "Acme", Contact: "ops@acme.example"},
		Defaults: users.Defaults{
			Region: "DE", OutsidePrefixes: []string{"0", "9"}, EmergencyNumbers: []string{"7777", "+4930123456"}, RetentionDays: 90,
			Recording: &record.Preference{Enabled: true, Outputs: []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutStereo}}},
			Webhooks:  []users.Webhook{{URL: "https://acme.example/hook", Events: []string{"recording.completed"}}},
		},
		Metadata: map[string]string{"plan": "gold"},
	}
	require.NoError(t, good.Validate())
	b, err := json.Marshal(good)
	require.NoError(t, err)
	var again users.Tenant
	require.NoError(t, callmodel.DecodeJSON(b, &again))
	assert.Equal(t, good, again)
	assert.True(t, users.Defaults{}.IsZero())

	bad := users.Tenant{
		ID: "-", Profile: users.Profile{Name: strings.Repeat("x", users.MaxText+1), Contact: "\x00"},
		Defaults: users.Defaults{
			Region: "Germany", OutsidePrefixes: []string{"12345", "*"}, EmergencyNumbers: []string{"1", "help", "+49"}, RetentionDays: -1,
			Recording: &record.Preference{PauseMode: "perhaps"},
			Webhooks: []users.Webhook{
				{URL: "ftp://x"}, {URL: "https://user:hunter2@acme.example/"}, {URL: "https://a", Events: []string{"a b", "c", "c"}},
			},
		},
		Metadata: map[string]string{"k": strings.Repeat("x", callmodel.MaxMetadataValue+1)},
	}
	assert.Equal(t, []string{
		"id", "profile.name", "profile.contact", "defaults.region", "defaults.outside_prefixes[0]", "defaults.outside_prefixes[1]",
		"defaults.emergency_numbers[0]", "defaults.emergency_numbers[1]", "defaults.emergency_numbers[2]",
		"defaults.recording.pause_mode", "defaults.retention_days", "defaults.webhooks[0].url", "defaults.webhooks[1].url",
		"defaults.webhooks[2].events[0]", "defaults.webhooks[2].events[2]", `metadata["k"]`,
	}, paths(t, bad.Validate()))
	assert.NotContains(t, bad.Validate().Error(), "hunter2")
}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p       users.Precondition
		version int64
		holds   bool
	}{
		{users.Always, 0, true},
		{users.Always, 3, true},
		{users.IfAbsent, 0, true},
		{users.IfAbsent, 3, false},
		{users.IfPresent, 0, false},
		{users.IfPresent, 3, true},
		{3, 3, true},
		{3, 4, false},
		{3, 0, false},
	} {
		err := c.p.Check(c.version)
		assert.Equal(t, c.holds, err == nil, "%d of %d", c.p, c.version)
		if !c.holds {
			assert.Equal(t, callmodel.CodePrecondition, callmodel.CodeOf(err))
		}
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	u := ann()
	u.Version = 3
	f := users.FactsOf(&u, "+49")
	assert.Equal(t, u.TenantID, f.TenantID)
	assert.Equal(t, u.ID, f.ID)
	assert.Equal(t, "DE", f.Region())
	assert.Equal(t, users.RecordAlways, f.Recording())
	assert.Equal(t, users.ConsentGiven, f.Consent())
	assert.True(t, f.DoNotDisturb())
	for _, w := range users.ForwardConditions() {
		assert.Equal(t, w == users.ForwardBusy || w == users.ForwardNoAnswer, f.Forwards(w), w)
	}
	for _, c := range users.BarringClasses() {
		assert.True(t, f.Bars(c), c)
	}
	assert.False(t, f.Bars("all"))
	for number, barred := range map[string]bool{
		"+4930123": false, "+49900123456": true, "01371": true, "0138": false, "+12025550123": true, "100": false, "+4990": false,
	} {
		assert.Equal(t, barred, f.Barred(number), number)
	}
	assert.Equal(t, u.Metadata, f.AllMetadata())
	for k, v := range u.Metadata {
		got, ok := f.Metadata(k)
		assert.True(t, ok, k)
		assert.Equal(t, v, got)
	}
	_, ok := f.Metadata("pla")
	assert.False(t, ok)
	other := users.FactsOf(&u, "")
	assert.False(t, other.Barred("+12025550123"), "where no country is known nothing is international")

	var none *users.Facts
	assert.Empty(t, none.Region())
	assert.Empty(t, none.Recording())
	assert.Empty(t, none.Consent())
	assert.False(t, none.DoNotDisturb() || none.Forwards(users.ForwardBusy) || none.Bars(users.BarPremium) || none.Barred("1"))
	assert.Empty(t, none.AllMetadata())
	_, ok = none.Metadata("plan")
	assert.False(t, ok)
}

func TestFactsAreReadWithoutAllocating(t *testing.T) {
	u := ann()
	f := users.FactsOf(&u, "+49")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if v, _ := f.Metadata("plan"); v != "gold" || !f.Barred("+49900") || f.Region() != "DE" {
			t.Error("it reads another user")
		}
	}))
}

// TestWhoIsRecorded: who refuses decides for both.
func TestWhoIsRecorded(t *testing.T) {
	t.Parallel()
	of := func(m users.RecordingMode, c users.RecordingConsent) *users.Facts {
		return users.FactsOf(&users.User{Preferences: users.Preferences{Recording: m, Consent: c}}, "")
	}
	for _, c := range []struct {
		caller, callee *users.Facts
		yes, ok        bool
	}{
		{nil, nil, false, false},
		{of("", ""), nil, false, false},
		{of("", users.ConsentGiven), of("", ""), false, false},
		{of(users.RecordAlways, ""), nil, true, true},
		{nil, of(users.RecordAlways, ""), true, true},
		{of(users.RecordOnDemand, ""), nil, false, true},
		{of(users.RecordOnDemand, ""), of(users.RecordAlways, ""), true, true},
		{of(users.RecordAlways, ""), of(users.RecordNever, ""), false, true},
		{of("", users.ConsentRefused), of(users.RecordAlways, ""), false, true},
	} {
		yes, ok := users.Records(c.caller, c.callee)
		assert.Equal(t, [2]bool{c.yes, c.ok}, [2]bool{yes, ok}, "%v %v", c.caller, c.callee)
	}
}

// FuzzUser: what is read and valid is written and read as the same.
func FuzzUser(f *testing.F) {
	b, err := json.Marshal(ann())
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"tenant_id":"a","id":"b","numbers":{"dids":["+"]},"preferences":{"forwarding":[{"when":"busy","to":"1","after_seconds":1e9}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var u users.User
		if callmodel.DecodeJSON(b, &u) != nil {
			return
		}
		text, err := json.Marshal(u)
		require.NoError(t, err)
		var again users.User
		require.NoError(t, callmodel.DecodeJSON(text, &again))
		if text2, err := json.Marshal(again); err != nil || string(text) != string(text2) {
			t.Fatalf("%s\n%s %v", text, text2, err)
		}
		facts := users.FactsOf(&u, "+1")
		if !maps.Equal(facts.AllMetadata(), u.Metadata) && len(u.Metadata) > 0 {
			t.Fatalf("%v of %v", facts.AllMetadata(), u.Metadata)
		}
		for _, n := range u.Numbers.All() {
			if !e164.Valid(n) && !e164.Short(n) {
				t.Fatal(n)
			}
		}
		var faults callmodel.FieldErrors
		if err := u.Validate(); errors.As(err, &faults) {
			t.Fatal(err)
		}
	})
}
