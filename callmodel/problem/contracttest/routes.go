package contracttest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel/problem"
)

// file is what is compared of an OpenAPI file.
type file struct {
	Paths map[string]pathItem `yaml:"paths"`
}

// pathItem is the operations of a path by their methods, in lower case.
type pathItem map[string]operation

// UnmarshalYAML leaves out what isn't an operation.
func (p *pathItem) UnmarshalYAML(n *yaml.Node) error {
	var all map[string]yaml.Node
	if err := n.Decode(&all); err != nil {
		return err
	}
	*p = pathItem{}
	for method, node := range all {
		if method == "parameters" {
			continue
		}
		var op operation
		if err := node.Decode(&op); err != nil {
			return err
		}
		(*p)[method] = op
	}
	return nil
}

type operation struct {
	OperationID string                `yaml:"operationId"`
	Summary     string                `yaml:"summary"`
	Description string                `yaml:"description"`
	Security    []map[string][]string `yaml:"security"`
	Parameters  []parameter           `yaml:"parameters"`
	RequestBody struct {
		Content map[string]any `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Content map[string]any `yaml:"content"`
	} `yaml:"responses"`
}

type parameter struct {
	Name   string `yaml:"name"`
	In     string `yaml:"in"`
	Schema struct {
		Type any `yaml:"type"`
	} `yaml:"schema"`
}

// operation is the one at the path, and its template; nil if there is none. A template
// whose segments are the path's own goes before one with parameters, as in a mux.
func (f *file) operation(method, path string) (template string, op *operation) {
	for t, item := range f.Paths {
		o, has := item[method]
		if has && matches(t, path) && (op == nil || strings.Count(t, "{") < strings.Count(template, "{")) {
			template, op = t, &o
		}
	}
	return template, op
}

func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && (have[i] == "" || !strings.HasPrefix(want[i], "{")) {
			return false
		}
	}
	return true
}

// SameRoutes checks that the operations of the first file are the routes, with their scopes,
// their parameters and the types of their bodies and answers, both ways.
func (c *Contract) SameRoutes(t testing.TB, routes []problem.Route) {
	t.Helper()
	var want, have []string
	ids := map[string]bool{}
	for path, item := range c.parts[0].file.Paths {
		for method, op := range item {
			want = append(want, strings.ToUpper(method)+" "+path)
			assert.NotEmpty(t, op.Summary, "%s %s", method, path)
			assert.NotEmpty(t, op.Description, "%s %s", method, path)
			assert.False(t, op.OperationID == "" || ids[op.OperationID], "%s %s: the id %q", method, path, op.OperationID)
			ids[op.OperationID] = true
		}
	}
	for _, r := range routes {
		have = append(have, r.Pattern)
		method, path, _ := strings.Cut(r.Pattern, " ")
		if op, is := c.parts[0].file.Paths[path][strings.ToLower(method)]; is {
			op.same(t, &r)
		}
	}
	assert.ElementsMatch(t, want, have, "the operations of the file and the endpoints of the handler")
}

func (op *operation) same(t testing.TB, r *problem.Route) {
	t.Helper()
	assert.Equal(t, []map[string][]string{{"bearer": {string(r.Scope)}}}, op.Security, "%s: scope", r.Pattern)
	var names []string
	for _, p := range op.Parameters {
		switch {
		case p.In != "query":
		case p.Schema.Type == "array":
			names = append(names, p.Name+"*")
		default:
			names = append(names, p.Name)
		}
	}
	assert.ElementsMatch(t, r.Door.Query, names, "%s: parameters", r.Pattern)
	takes, gives := r.Door.Takes, r.Door.Gives
	if takes == nil {
		takes = []string{problem.JSON}
	}
	if gives == nil {
		gives = []string{problem.JSON}
	}
	if op.RequestBody.Content != nil {
		assert.ElementsMatch(t, takes, keys(op.RequestBody.Content), "%s: bodies", r.Pattern)
	}
	for status, answer := range op.Responses {
		if strings.HasPrefix(status, "20") {
			assert.ElementsMatch(t, gives, keys(answer.Content), "%s: answers %s", r.Pattern, status)
		}
	}
	always := []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotAcceptable,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
	for _, status := range always {
		assert.Contains(t, keys(op.Responses), strconv.Itoa(status), "%s", r.Pattern)
	}
}

func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
