package routing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// form is how the text of a rule set is laid out.
type form string

const (
	yamlForm  form = "yaml"
	jsonForm  form = "json"
	linesForm form = "lines of JSON"
)

// layOut writes the fields of a set and its rules, each of them JSON. The rules stand
// behind so many of the fields.
func layOut(f form, fields [][2]string, rules []string, behind int) string {
	if f == linesForm {
		behind = len(fields)
	}
	var before, after []string
	for i, kv := range fields {
		s := fmt.Sprintf("%q:%s", kv[0], kv[1])
		if f == yamlForm {
			s = kv[0] + ": " + kv[1] + "\n"
		}
		if i < behind {
			before = append(before, s)
		} else {
			after = append(after, s)
		}
	}
	switch f {
	case yamlForm:
		return strings.Join(before, "") + "rules:\n- " + strings.Join(rules, "\n- ") + "\n" + strings.Join(after, "")
	case jsonForm:
		return "{" + strings.Join(append(append(before, "\"rules\":[\n"+strings.Join(rules, ",\n")+"]"), after...), ",\n") + "}\n"
	default:
		return "{" + strings.Join(before, ",") + "}\n" + strings.Join(rules, "\n") + "\n"
	}
}

// asText is the set with rules that make it too long to be read in one part, in
// which so many texts are broken.
func asText(t require.TestingT, d draw, f form, rs *routing.RuleSet, breaks int) string {
	var head map[string]json.RawMessage
	b, err := json.Marshal(rs)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &head))
	var rules []json.RawMessage
	require.NoError(t, json.Unmarshal(head["rules"], &rules))
	delete(head, "rules")
	var fields [][2]string
	for _, k := range []string{"name", "order", "lists", "destinations", "currency", "rates", "failover"} {
		if v, ok := head[k]; ok {
			fields = append(fields, [2]string{k, string(v)})
		}
	}
	texts := make([]string, 0, 900)
	for _, r := range rules {
		texts = append(texts, string(r))
	}
	for i := range 800 {
		texts = append(texts, fmt.Sprintf(`{"id":"fill-%d","match":{"to":{"prefix":["+999%06d"]}},"route":[[{"to":"x","weight":%d}]]}`, i, i, 1+i%3))
	}
	for range breaks {
		i := d(len(texts))
		switch d(8) {
		case 0:
			texts[i] = strings.Replace(texts[i], `"id"`, `"idd"`, 1)
		case 1:
			texts[i] = texts[d(len(texts))]
		case 2:
			texts[i] = strings.Replace(texts[i], `"to":"x"`, `"to":"nowhere"`, 1)
		case 3:
			texts[i] = strings.Replace(texts[i], `"+`, `"`, 1)
		case 4:
			texts[i] = strings.Replace(texts[i], `"route":[`, `"priority":"high","route":[`, 1)
		case 5:
			texts[i] = strings.Replace(texts[i], `]]`, `]`, 1) // neither JSON nor YAML
		case 6:
			fields[d(len(fields))][1] = one(d, `{"x":{"uri":1}}`, `[`, `"é"`, `null`)
		case 7:
			texts[i] = fmt.Sprintf(`{"id":"%s","default":true,"route":[[{"to":"x"}]]}`, one(d, "fill-1", "", "é", "all"))
		}
	}
	return layOut(f, fields, texts, d(len(fields)+1))
}

// TestTextsAreCompiledAsTheirRules: rule by rule a file gives the router, the binary
// form and the faults that it gives when all of it is read first.
func TestTextsAreCompiledAsTheirRules(t *testing.T) {
	t.Parallel()
	whole, broken := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := draw(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		rs := genRules(d)
		for _, f := range []form{yamlForm, jsonForm, linesForm} {
			data := []byte(asText(t, d, f, rs, one(d, 0, 0, 0, 1, 3)))
			var want *routing.Router
			read, err := routing.Parse(data)
			if err == nil {
				want, err = routing.Compile(read)
			}
			have, herr := routing.CompileText(data)
			packing, packed, perr := routing.CompileAndPack(data)
			if err != nil {
				broken++
				require.Equal(t, err, herr)
				require.Equal(t, err, perr)
				continue
			}
			whole++
			require.NoError(t, herr)
			require.NoError(t, perr)
			sameRouter(t, d, want, have)
			sameRouter(t, d, want, packing)
			form, err := read.MarshalBinary()
			require.NoError(t, err)
			got, err := packed.MarshalBinary()
			require.NoError(t, err)
			require.Equal(t, form, got)
			binary, err := routing.CompileBinary(form)
			require.NoError(t, err)
			sameRouter(t, d, want, binary)
		}
	})
	assert.Positive(t, whole)
	assert.Positive(t, broken)
}

// sameRouter compares what can be compared, and what calls get.
func sameRouter(t require.TestingT, d draw, want, have *routing.Router) {
	require.Equal(t, want.Hash(), have.Hash())
	require.Equal(t, want.Stats(), have.Stats())
	for range 3 {
		call := genCall(d)
		require.Equal(t, want.Explain(call), have.Explain(call))
	}
}

// TestShortTextsAreCompiledAsTheirRules: so does a file that is read in one part.
func TestShortTextsAreCompiledAsTheirRules(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"", "name: x\n", "rules: []\ndestinations: {a: {uri: \"sip:a\"}}\n", "destinations: {a: {uri: \"sip:a\"}}\nrules: [{id: r, default: true, route: {to: a}}]\n",
		"destinations: {a: {uri: x}}\nrules: [{id: r, default: true, route: {to: b}}]\n",
		"destinations: {a: {uri: \"sip:a\"}}\nrules: [{id: r, default: true, route: {to: a}}, {id: s, default: true, route: {to: a}}]\n",
	} {
		var want *routing.Router
		rs, err := routing.Parse([]byte(data))
		if err == nil {
			want, err = routing.Compile(rs)
		}
		have, herr := routing.CompileText([]byte(data))
		assert.Equal(t, err, herr, data)
		if want != nil {
			assert.Equal(t, want.Hash(), have.Hash(), data)
		}
	}
}

// TestCompileBinaryRefuses: what can't be read, and what can't be compiled, is told as
// it is when all of it is read first.
func TestCompileBinaryRefuses(t *testing.T) {
	t.Parallel()
	rs := everything(t)
	b, err := rs.MarshalBinary()
	require.NoError(t, err)
	for n := range b {
		_, err := routing.CompileBinary(b[:n])
		require.Equal(t, callmodel.CodeMalformed, callmodel.CodeOf(err), n)
	}
	_, err = routing.CompileBinary(append(b, 0))
	require.ErrorContains(t, err, "something follows")
	rs.Rules[1].ID = rs.Rules[0].ID
	b, err = rs.MarshalBinary()
	require.NoError(t, err)
	_, err = routing.CompileBinary(b)
	require.ErrorAs(t, err, new(callmodel.FieldErrors))
	_, want := routing.Compile(rs)
	var one, other callmodel.FieldErrors
	require.True(t, errors.As(err, &one) && errors.As(want, &other))
	for i := range other {
		other[i].Line = 0 // the binary form has no lines
	}
	assert.Equal(t, other, one)
}

// replaced is the text with each of the first of a pair replaced by the second.
func replaced(text string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(text)
}
