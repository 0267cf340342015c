package subprocess_test

import (
	"context"
	"encoding"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/routing/subprocess"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

func TestMain(m *testing.M) {
	if subprocess.Main() {
		return
	}
	os.Exit(m.Run())
}

// rules is a set of n rules in YAML.
func rules(n int) []byte {
	var b strings.Builder
	b.WriteString("destinations: {a: {uri: \"sip:a.example.com\"}}\nrules:\n")
	for i := range n {
		fmt.Fprintf(&b, "- {id: r%d, match: {to: {prefix: \"+49%07d\"}}, route: {to: a}}\n", i, i)
	}
	return []byte(b.String())
}

func TestSetsAreCompiledAsHere(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 1000, 30_000} {
		here, packed, err := routing.CompileAndPack(rules(n))
		require.NoError(t, err)
		want, err := packed.MarshalBinary()
		require.NoError(t, err)
		there, form, err := subprocess.Compile(t.Context(), rules(n))
		require.NoError(t, err)
		got, err := form.MarshalBinary()
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, here.Hash(), there.Hash())
	}
}

func TestFaultsAreThoseOfHere(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"rules":     "destinations: {a: {uri: \"sip:a\"}}\nrules:\n- {id: r, route: {to: b}, oops: 1}\n- {id: r, route: {to: a}}\n",
		"malformed": "rules: [",
		"nothing":   "",
		"binary":    "\x00\x01",
	} {
		_, _, here := routing.CompileAndPack([]byte(text))
		require.Error(t, here, name)
		_, _, there := subprocess.Compile(t.Context(), []byte(text))
		require.Error(t, there, name)
		assert.Equal(t, here.Error(), there.Error(), name)
		assert.Equal(t, callmodel.CodeOf(here), callmodel.CodeOf(there), name)
		var want, got callmodel.FieldErrors
		assert.Equal(t, assert.ErrorAs(new(testing.T), here, &want), assert.ErrorAs(new(testing.T), there, &got), name)
		assert.Equal(t, want, got, name)
	}
}

// The service puts a large set in service though its process is killed.
func TestServiceWithoutTheProcess(t *testing.T) {
	t.Parallel()
	dir, err := snapshot.Open(t.TempDir())
	require.NoError(t, err)
	for name, compile := range map[string]func(context.Context, []byte) error{
		"compiled apart": nil,
		"no process":     func(context.Context, []byte) error { return callmodel.Errorf(callmodel.CodeUnavailable, "no memory") },
	} {
		o := callservice.Options{Snapshot: dir, Compile: subprocess.Compile}
		if compile != nil {
			apart := o.Compile
			o.Compile = func(ctx context.Context, text []byte) (_ *routing.Router, _ encoding.BinaryMarshaler, err error) {
				if err := compile(ctx, text); err != nil {
					return nil, nil, err
				}
				return apart(ctx, text)
			}
		}
		s := callservice.New(memdb.New(nil), &o)
		body := rules(30_000)
		require.Greater(t, len(body), 1<<20)
		state, err := s.InstallRules(t.Context(), "acme", body, "test", "")
		require.NoError(t, err, name)
		assert.NotEmpty(t, state.ActiveHash())
		_, err = s.ChangeRules(t.Context(), rulesets.Change{TenantID: "acme", Action: rulesets.ActionActivate, Hash: state.ActiveHash(), Actor: "test"})
		require.NoError(t, err, name)
		_, err = s.InstallRules(t.Context(), "acme", append(rules(30_000), "- {id: r0, route: {to: nowhere}}\n"...), "test", "")
		assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%v", err)
	}
}
