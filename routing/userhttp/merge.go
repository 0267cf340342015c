package userhttp

import (
	"bytes"
	"encoding/json"

	"github.com/switchtape/switchtape/callmodel"
)

// merge is the document with the merge patch applied (RFC 7396): members of the patch
// take the place of the document's, those that are null take it away, objects are
// merged. The patch must be an object.
func merge(document any, patch []byte) ([]byte, error) {
	var into, with map[string]any
	doc, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	if err := exact(doc, &into); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := callmodel.DecodeJSON(patch, &raw); err != nil {
		return nil, err
	}
	if exact(raw, &with) != nil || with == nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "a merge patch must be an object")
	}
	return json.Marshal(merged(into, with))
}

// exact reads JSON whose numbers are kept as they are written.
func exact(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

func merged(into, with map[string]any) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for name, v := range with {
		switch v := v.(type) {
		case nil:
			delete(into, name)
		case map[string]any:
			inner, _ := into[name].(map[string]any)
			into[name] = merged(inner, v)
		default:
			into[name] = v
		}
	}
	return into
}
