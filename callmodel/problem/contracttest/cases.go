package contracttest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// example is a request of an operation that is as its file wants it, and what it is made
// from.
type example struct {
	doc      *document
	op       object
	route    string // "POST /v1/calls"
	method   string
	template string
	path     map[string]string // of its parameters
	query    url.Values
	header   http.Header // of the parameters that are given
	body     any         // of JSON
	schema   object      // its
	text     []byte      // of a body that is not only JSON
	types    []string
	scope    callmodel.Scope
	// mayBeNone says that a body may be left out.
	mayBeNone bool
}

// attempt is a request, made from an example.
type attempt struct {
	what   string
	want   want
	status []int // any of these, if there are some

	method string
	target string
	header http.Header
	body   []byte
	nobody bool // it has no principal
	scopes []callmodel.Scope
}

// examples are one of each operation of the document.
func (d *document) examples(values map[string]string) []*example {
	var list []*example
	paths, _ := d.root["paths"].(object)
	for _, template := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[template].(object)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			if op, is := item[method].(object); is {
				list = append(list, d.example(strings.ToUpper(method), template, item, op, values))
			}
		}
	}
	return list
}

func (d *document) example(method, template string, item, op object, values map[string]string) *example {
	x := &example{
		doc: d, op: op, route: method + " " + template, method: method, template: template,
		path: map[string]string{}, query: url.Values{}, header: http.Header{},
	}
	for _, p := range d.parameters(item, op) {
		name, _ := p["name"].(string)
		value, given := values[x.route+" "+name]
		if !given {
			value, given = values[name]
		}
		if !given {
			value = text(d.sample(d.parameterSchema(p)))
			if e, has := p["example"]; has {
				value = text(e)
			}
		}
		switch {
		case p["in"] == "path":
			x.path[name] = value
		case p["in"] == "query" && p["required"] == true:
			x.query.Set(name, value)
		case p["in"] == "header" && given:
			x.header.Set(name, value)
		}
	}
	request := d.sub(op, "requestBody")
	content, _ := request["content"].(object)
	x.mayBeNone = request["required"] != true
	x.types = slices.Sorted(maps.Keys(content))
	if media, has := content["application/json"].(object); has {
		x.schema = d.sub(media, "schema")
		x.body = media["example"]
		if x.body == nil {
			x.body = d.sample(x.schema)
		}
		x.text = encode(x.body)
	}
	for _, m := range content {
		if e, is := child(m, "example").(string); is {
			x.text, x.body = []byte(e), nil
		}
	}
	security, _ := op["security"].([]any)
	for _, s := range security {
		scopes, _ := child(s, "bearer").([]any)
		for _, scope := range scopes {
			x.scope = callmodel.Scope(text(scope))
		}
	}
	return x
}

// text is a value of a parameter as it is written.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return text(v[0])
		}
		return ""
	}
	return string(encode(v))
}

// parameters are those of the operation, with those of its path.
func (d *document) parameters(item, op object) []object {
	var list []object
	for _, of := range []object{item, op} {
		all, _ := of["parameters"].([]any)
		for _, p := range all {
			if m, is := p.(object); is {
				list = append(list, d.resolve(m))
			}
		}
	}
	return list
}

func (d *document) parameterSchema(p object) object { return d.sub(p, "schema") }

// target is the path and the query, with more values of the query.
func (x *example) target(path map[string]string, more url.Values) string {
	at := x.template
	for name, value := range x.path {
		if v, has := path[name]; has {
			value = v
		} else {
			value = url.PathEscape(value)
		}
		at = strings.ReplaceAll(at, "{"+name+"}", value)
	}
	query := maps.Clone(x.query)
	maps.Copy(query, more)
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	return at
}

// attempt is the example itself, to be changed.
func (x *example) attempt(what string, w want, status ...int) *attempt {
	return &attempt{
		what: x.route + ": " + what, want: w, status: status,
		method: x.method, target: x.target(nil, nil), header: x.header.Clone(), body: x.text, scopes: callmodel.Scopes(),
	}
}

// with is an attempt with a header.
func (a *attempt) with(name, value string) *attempt {
	a.header.Set(name, value)
	return a
}

// saying is an attempt with another body.
func (a *attempt) saying(body []byte) *attempt {
	a.body = body
	return a
}

// to is an attempt at another target.
func (a *attempt) to(target string) *attempt {
	a.target = target
	return a
}

// attempts are all that is made of the example.
func (x *example) attempts() []*attempt {
	list := []*attempt{x.attempt("as it is", taken)}
	list = append(list, x.atTheDoor()...)
	for _, p := range x.doc.parameters(nil, x.op) {
		if p["in"] == "query" {
			list = append(list, x.parameter(p)...)
		}
	}
	list = append(list, x.names()...)
	if x.types != nil {
		list = append(list, x.bodies()...)
	}
	if x.body != nil {
		list = append(list, x.fields()...)
	}
	return list
}

// atTheDoor are requests that are refused, or not, before anybody looks inside.
func (x *example) atTheDoor() []*attempt {
	alone := x.attempt("without credentials", refused, http.StatusUnauthorized)
	alone.nobody = true
	others := x.attempt("without the scope", refused, http.StatusForbidden)
	others.scopes = slices.DeleteFunc(callmodel.Scopes(), func(s callmodel.Scope) bool { return s == x.scope })
	mark := "?"
	if len(x.query) > 0 {
		mark = "&"
	}
	add := func(more string) string { return x.target(nil, nil) + mark + more }
	list := []*attempt{
		alone,
		others,
		x.attempt("an Accept of what there isn't", refused, http.StatusNotAcceptable).with("Accept", "image/png"),
		x.attempt("an Accept that refuses all", refused, http.StatusNotAcceptable).with("Accept", "*/*;q=0"),
		x.attempt("an Accept of anything", taken).with("Accept", "image/png, */*;q=0.1"),
		x.attempt("an Accept that can't be read", asContract).with("Accept", "\";;=,/"),
		x.attempt("a body of HTML", refused, http.StatusUnsupportedMediaType).with("Content-Type", "text/html"),
		x.attempt("a body of parts", refused, http.StatusUnsupportedMediaType).with("Content-Type", "multipart/form-data; boundary=x"),
		x.attempt("a body of a type that can't be read", refused, http.StatusUnsupportedMediaType).with("Content-Type", "json"),
		x.attempt("what curl says of a body", taken).with("Content-Type", form),
		x.attempt("an unknown parameter", refused, http.StatusUnprocessableEntity).to(add("bogus=1")),
		x.attempt("an unknown parameter without a value", refused, http.StatusUnprocessableEntity).to(add("%24where")),
		x.attempt("a query that can't be read", refused, http.StatusBadRequest).to(add("x=%zz")),
		x.attempt("a query with a semicolon", refused, http.StatusBadRequest).to(add("limit=1;limit=2")),
		x.attempt("an id of the request", taken).with("X-Request-Id", "abc-1"),
		x.attempt("a broken id of the request", taken).with("X-Request-Id", strings.Repeat("x", 4096)),
		x.attempt("a large header", taken).with("X-Anything", strings.Repeat("x", 8192)),
	}
	for _, p := range x.doc.parameters(nil, x.op) {
		name, _ := p["name"].(string)
		if p["in"] != "query" {
			continue
		}
		value := url.QueryEscape(x.value(p))
		list = append(list, x.attempt("misspelt "+name, refused, http.StatusUnprocessableEntity).to(add(name[:len(name)-1]+"="+value)),
			x.attempt("capital "+name, refused, http.StatusUnprocessableEntity).to(add(strings.ToUpper(name)+"="+value)))
		if !slices.Contains(types(x.doc.parameterSchema(p)), "array") {
			list = append(list, x.attempt(name+" twice", refused, http.StatusUnprocessableEntity).to(add(name+"="+value+"&"+name+"="+value)))
		}
	}
	return list
}

// value is a value of the parameter.
func (x *example) value(p object) string {
	if e, has := p["example"]; has {
		return text(e)
	}
	return text(x.doc.sample(x.doc.parameterSchema(p)))
}

// parameter are requests with values of the parameter.
func (x *example) parameter(p object) []*attempt {
	name, _ := p["name"].(string)
	schema := x.doc.parameterSchema(p)
	if slices.Contains(types(schema), "array") {
		return x.repeated(name, schema, x.value(p))
	}
	var list []*attempt
	for _, t := range x.doc.values(schema) {
		switch t.what {
		case "of the type string", "digits in a text", "a word":
			t.value = "12x"
		case "of the type null", "of the type boolean", "of the type object", "of the type array", "of the type number", "null", "half of a surrogate pair":
			continue // all that a query has are texts
		case "nothing", "not UTF-8":
			t.value, t.want = map[string]string{"nothing": "", "not UTF-8": "\xff\xfe"}[t.what], asContract
		}
		value := text(t.value)
		if raw, is := t.value.(interface{ MarshalJSON() ([]byte, error) }); is {
			b, _ := raw.MarshalJSON()
			value = strings.Trim(string(b), `"`)
		}
		list = append(list, x.attempt(name+": "+t.what, t.want).to(x.target(nil, url.Values{name: {value}})))
	}
	if slices.Contains(types(schema), "string") {
		list = append(list,
			x.attempt(name+": very long", asContract).to(x.target(nil, url.Values{name: {strings.Repeat("a", 8192)}})))
		if _, has := p["example"]; has {
			list = append(list, x.attempt(name+": its example", taken).to(x.target(nil, url.Values{name: {x.value(p)}})))
		}
	} else {
		for _, bad := range []string{"1.5", "0x10", "1e1", " 1", "١"} {
			list = append(list, x.attempt(name+": "+bad, refused).to(x.target(nil, url.Values{name: {bad}})))
		}
	}
	return list
}

func (x *example) repeated(name string, schema object, value string) []*attempt {
	list := []*attempt{x.attempt(name+": its example", taken).to(x.target(nil, url.Values{name: {value}}))}
	if most, has := number(schema["maxItems"]); has {
		var values []string
		for i := range int(most) + 1 {
			values = append(values, strings.Repeat("k", i+1)+value)
		}
		list = append(list, x.attempt(name+": more than the most", refused).to(x.target(nil, url.Values{name: values})))
	}
	for _, bad := range []string{"", "=", "\x00", "\xff", strings.Repeat("a", 8192)} {
		list = append(list, x.attempt(name+": "+bad[:min(len(bad), 4)], asContract).to(x.target(nil, url.Values{name: {bad}})))
	}
	return list
}

// names are requests for what nobody has.
func (x *example) names() []*attempt {
	var list []*attempt
	for name := range x.path {
		for _, bad := range []string{
			"none", "%00", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a%20b", "%27%3B--", "%ff%fe", "%F0%9F%93%9E", "%0d%0aSet-Cookie:x",
			strings.Repeat("a", 129), strings.Repeat("a", 8192), "-1", "*", "null",
		} {
			list = append(list, x.attempt(name+": "+bad[:min(len(bad), 20)], asContract,
				http.StatusNotFound, http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict,
				http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusMethodNotAllowed, http.StatusPreconditionFailed,
			).to(x.target(map[string]string{name: bad}, nil)))
		}
	}
	return list
}

// bodies are requests whose bodies are broken as a whole.
func (x *example) bodies() []*attempt {
	var list []*attempt
	for _, t := range x.types {
		if strings.HasPrefix(t, "application/json") && !json.Valid(x.text) {
			continue // not what it would be said to be
		}
		a := x.attempt("said to be "+t, asContract).with("Content-Type", t)
		if t == "application/json" && x.body != nil {
			a.want = taken
			list = append(list, x.attempt("said to be JSON of its own kind", taken).with("Content-Type", "application/vnd.x+json"),
				x.attempt("said to be JSON in UTF-8", taken).with("Content-Type", "application/json; charset=utf-8"))
		}
		list = append(list, a)
	}
	nested := bytes.Repeat([]byte("["), 100_000)
	for _, b := range []struct {
		what, body string
		status     int // or 413
	}{
		{"none", "", http.StatusBadRequest},
		{"blanks", " \n\t", http.StatusBadRequest},
		{"cut off", string(x.text[:len(x.text)/2]), http.StatusBadRequest},
		{"followed by another", string(x.text) + "{}", http.StatusBadRequest},
		{"with a mark of its bytes' order", "\ufeff" + string(x.text), http.StatusBadRequest},
		{"nested without an end", string(nested), http.StatusBadRequest},
		{"nested too deep", string(nested[:1000]) + strings.Repeat("]", 1000), http.StatusBadRequest},
		{"objects in objects", strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), http.StatusBadRequest},
		{"NUL bytes", strings.Repeat("\x00", 64), http.StatusBadRequest},
		{"not UTF-8", "{\"\xff\xfe\": 1}", http.StatusBadRequest},
		{"in UTF-16", "{\x00\"\x00", http.StatusBadRequest},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00", http.StatusBadRequest},
		{"with a comment", "/* */" + string(x.text), http.StatusBadRequest},
		{"in single quotes", "{'a': 1}", http.StatusBadRequest},
		{"not a number", `{"a": NaN}`, http.StatusBadRequest},
		{"a form", "a=1&b=2", http.StatusBadRequest},
		{"null", "null", http.StatusUnprocessableEntity},
		{"a list", "[]", http.StatusUnprocessableEntity},
		{"a text", `"x"`, http.StatusUnprocessableEntity},
		{"a number", "1", http.StatusUnprocessableEntity},
		{"an unknown field", `{"bogus": 1}`, http.StatusUnprocessableEntity},
		{"the name of a prototype", `{"__proto__": {"x": 1}}`, http.StatusUnprocessableEntity},
	} {
		a := x.attempt("a body: "+b.what, refused).saying([]byte(b.body))
		if mayBeNone := x.mayBeNone && strings.TrimSpace(b.body) == ""; x.body != nil && !mayBeNone { // JSON and nothing else
			a.status = []int{b.status, http.StatusRequestEntityTooLarge}
			a = a.with("Content-Type", "application/json")
		} else {
			a.want = asContract
		}
		list = append(list, a)
	}
	return append(list, x.attempt("a body in another encoding", refused, http.StatusUnsupportedMediaType).with("Content-Encoding", "br"))
}

// fields are requests with one field of the body changed.
func (x *example) fields() []*attempt {
	var list []*attempt
	add := func(a *attempt, body any) {
		list = append(list, a.saying(encode(body)).with("Content-Type", "application/json"))
	}
	for _, p := range x.doc.places(x.schema, nil) {
		name := p.String()
		if p.required {
			add(x.attempt(name+" is missing", refused, http.StatusUnprocessableEntity, http.StatusBadRequest), x.doc.set(x.body, x.schema, p.path, absent{}))
		}
		for _, t := range x.doc.values(p.schema) {
			a := x.attempt(name+": "+t.what, t.want)
			if t.want == refused {
				a.status = []int{http.StatusUnprocessableEntity, http.StatusBadRequest}
			}
			add(a, x.doc.set(x.body, x.schema, p.path, t.value))
		}
		if p.schema["additionalProperties"] == false {
			at := append(slices.Clone(p.path), "bogus")
			add(x.attempt(name+" has an unknown field", refused, http.StatusUnprocessableEntity), x.doc.set(x.body, x.schema, at, 1))
		}
	}
	for _, name := range x.own() {
		v := x.doc.at(x.body, x.schema, []string{name})
		add(x.attempt(name+" in capitals", refused, http.StatusUnprocessableEntity),
			x.doc.set(x.doc.set(x.body, x.schema, []string{name}, absent{}), x.schema, []string{strings.ToUpper(name)}, v))
		twice := encode(x.doc.set(x.body, x.schema, []string{name}, v))
		twice = append(twice[:len(twice)-1], `,"`+name+`":`...)
		twice = append(append(twice, encode(v)...), '}')
		list = append(list, x.attempt(name+" is given twice", refused, http.StatusUnprocessableEntity).saying(twice).with("Content-Type", "application/json"))
	}
	return list
}

// own are the names of the body's own fields.
func (x *example) own() []string {
	properties, _ := x.schema["properties"].(object)
	return slices.Sorted(maps.Keys(properties))
}
