package snapshot_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/snapshot"
)

// noon is a time for calls whose time decides nothing.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func parse(t testing.TB, rule string) *routing.RuleSet {
	t.Helper()
	rs, err := routing.Parse([]byte("destinations: {a: {uri: \"sip:a\"}}\nrules: [{id: " + rule + ", default: true, route: {to: a}}]\n"))
	require.NoError(t, err)
	return rs
}

// saved is a directory in which the tenant has the rule as its active version
// and another as its canary.
func save(t testing.TB, d *snapshot.Dir, tenant callmodel.TenantID, rule, canary string) snapshot.State {
	t.Helper()
	one, two := parse(t, rule), parse(t, canary)
	require.NoError(t, d.SaveRules(tenant, one.Hash(), one))
	require.NoError(t, d.SaveRules(tenant, two.Hash(), two))
	s := snapshot.State{
		Tenant: tenant, Active: one.Hash(), SavedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Canary: &rulesets.Canary{Hash: two.Hash(), Share: 125, Salt: "s"},
	}
	require.NoError(t, d.SaveState(s))
	return s
}

func open(t testing.TB) *snapshot.Dir {
	t.Helper()
	d, err := snapshot.Open(filepath.Join(t.TempDir(), "rules [1]*", "kept"))
	require.NoError(t, err)
	return d
}

func TestLoadsWhatWasSaved(t *testing.T) {
	t.Parallel()
	d := open(t)
	tenants, without, err := d.Load()
	require.NoError(t, err)
	require.Empty(t, tenants)
	require.Empty(t, without)

	assert.False(t, snapshot.Exists(d.String()))
	want := save(t, d, "acme", "one", "two")
	assert.True(t, snapshot.Exists(d.String()))
	assert.False(t, snapshot.Exists(filepath.Join(d.String(), "nowhere")))
	save(t, d, "globex", "three", "four")
	require.NoError(t, d.SaveWithout([]callmodel.TenantID{"poor", "bare"}))
	tenants, without, err = d.Load()
	require.NoError(t, err)
	assert.Equal(t, []callmodel.TenantID{"bare", "poor"}, without)
	require.Len(t, tenants, 2)
	got := tenants[0]
	assert.Equal(t, want, got.State)
	assert.Equal(t, want.Active, got.Versions.Active.Hash())
	assert.Equal(t, want.Canary.Hash, got.Versions.Canary.Hash())
	assert.Equal(t, rulesets.Share(125), got.Versions.Share)
	assert.Equal(t, "s", got.Versions.Salt)
	dec, err := got.Versions.Active.Route(&calls.Request{At: noon, To: "+12125550100"})
	require.NoError(t, err)
	assert.Equal(t, "one", dec.Rule)
}

func TestOnlyWhatIsInServiceStays(t *testing.T) {
	t.Parallel()
	d := open(t)
	s := save(t, d, "acme", "one", "two")
	three := parse(t, "three")
	require.ErrorContains(t, d.SaveState(snapshot.State{Tenant: "acme", Active: three.Hash()}), "not there")
	require.NoError(t, d.SaveRules("acme", three.Hash(), three))
	left := filepath.Join(d.String(), "acme", ".new-123")
	require.NoError(t, os.WriteFile(left, []byte("cut"), 0o600))
	require.NoError(t, d.SaveState(snapshot.State{Tenant: "acme", Active: three.Hash(), Previous: s.Active}))
	assert.True(t, d.HasRules("acme", three.Hash()))
	assert.True(t, d.HasRules("acme", s.Active), "a rollback goes there")
	assert.False(t, d.HasRules("acme", s.Canary.Hash))
	assert.NoFileExists(t, left)
	_, err := d.Rules("acme", s.Canary.Hash)
	assert.Equal(t, callmodel.CodeNotFound, callmodel.CodeOf(err))
	for _, bad := range []string{"", "../state", strings.Repeat("A", 32)} {
		require.Error(t, d.SaveRules("acme", bad, three))
		_, err := d.Rules("acme", bad)
		require.Error(t, err)
	}
	require.Error(t, d.SaveRules("../x", three.Hash(), three))
}

// TestDamage: whatever becomes of a file, it is named, and the others load.
func TestDamage(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"state", "active", "canary", "_without"} {
		for damage, spoil := range map[string]func([]byte) []byte{
			"empty":     func([]byte) []byte { return nil },
			"cut":       func(b []byte) []byte { return b[:len(b)-1] },
			"half":      func(b []byte) []byte { return b[:len(b)/2] },
			"longer":    func(b []byte) []byte { return append(b, 0) },
			"first bit": func(b []byte) []byte { b[0] ^= 1; return b },
			"one bit":   func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
			"zeros":     func(b []byte) []byte { return make([]byte, len(b)) },
		} {
			t.Run(file+"/"+damage, func(t *testing.T) {
				t.Parallel()
				d := open(t)
				s := save(t, d, "acme", "one", "two")
				save(t, d, "globex", "three", "four")
				require.NoError(t, d.SaveWithout([]callmodel.TenantID{"poor"}))
				path := filepath.Join(d.String(), "acme",
					map[string]string{"state": "state", "active": s.Active + ".rules", "canary": s.Canary.Hash + ".rules"}[file])
				if file == "_without" {
					path = filepath.Join(d.String(), file)
				}
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(path, spoil(b), 0o600))

				tenants, without, err := d.Load()
				require.ErrorContains(t, err, path)
				assert.Equal(t, callmodel.CodeMalformed, callmodel.CodeOf(err))
				assert.Equal(t, file == "_without", len(without) == 0)
				var got []string
				for _, x := range tenants {
					got = append(got, fmt.Sprint(x.Tenant, " ", x.Versions.Canary != nil))
				}
				switch file {
				case "_without":
					assert.Equal(t, []string{"acme true", "globex true"}, got)
				case "canary":
					assert.Equal(t, []string{"acme false", "globex true"}, got)
				default:
					assert.Equal(t, []string{"globex true"}, got)
				}
			})
		}
	}
}

// TestEveryByte: no byte of a file may be another, and no end of it missing,
// without its being named; what is loaded is never another rule.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	d := open(t)
	s := save(t, d, "acme", "one", "two")
	for _, file := range []string{"state", s.Active + ".rules"} {
		path := filepath.Join(d.String(), "acme", file)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		check := func(b []byte, what string, i int) {
			require.NoError(t, os.WriteFile(path, b, 0o600))
			tenants, _, err := d.Load()
			require.ErrorContains(t, err, path, "%s, %s %d", file, what, i)
			require.Empty(t, tenants, "%s, %s %d", file, what, i)
		}
		for i := range whole {
			check(whole[:i], "cut at", i)
			b := bytes.Clone(whole)
			b[i] ^= byte(1 << (i % 8))
			check(b, "byte", i)
			check(append(bytes.Clone(whole[:i]), whole[i+1:]...), "without byte", i)
		}
		require.NoError(t, os.WriteFile(path, whole, 0o600))
	}
	tenants, _, err := d.Load()
	require.NoError(t, err)
	require.Len(t, tenants, 1)
}

// TestMixedUp: a file of another tenant or version is not taken for this one's.
func TestMixedUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	a, b := save(t, d, "acme", "one", "two"), save(t, d, "globex", "three", "four")
	in := func(tenant, name string) string { return filepath.Join(d.String(), tenant, name) }
	require.NoError(t, os.Rename(in("globex", b.Active+".rules"), in("globex", a.Active+".rules")))
	require.NoError(t, os.Rename(in("globex", a.Active+".rules"), in("acme", a.Active+".rules")))
	require.NoError(t, os.Rename(in("acme", "state"), in("globex", "state")))
	_, err := d.Rules("acme", a.Active)
	require.ErrorContains(t, err, "another tenant or version")
	tenants, _, err := d.Load()
	require.ErrorContains(t, err, `it is of the tenant "acme"`)
	assert.Empty(t, tenants)
	_, err = snapshot.Open(in("globex", "state"))
	require.ErrorContains(t, err, "can't be used")
}

// FuzzFiles puts anything into the files of a tenant: nothing but errors may come of it.
func FuzzFiles(f *testing.F) {
	d := open(f)
	s := save(f, d, "acme", "one", "two")
	for _, name := range []string{"state", s.Active + ".rules"} {
		b, err := os.ReadFile(filepath.Join(d.String(), "acme", name))
		require.NoError(f, err)
		f.Add(name == "state", b)
	}
	f.Add(true, []byte("{}\n00000000\n"))
	f.Fuzz(func(t *testing.T, state bool, data []byte) {
		d := open(t)
		s := save(t, d, "acme", "one", "two")
		name := s.Active + ".rules"
		if state {
			name = "state"
		}
		require.NoError(t, os.WriteFile(filepath.Join(d.String(), "acme", name), data, 0o600))
		tenants, _, err := d.Load()
		if err == nil && len(tenants) == 1 && tenants[0].Versions.Active.Hash() != tenants[0].Active {
			t.Fatal("another version was loaded")
		}
	})
}
