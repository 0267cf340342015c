package storeform

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// maxTerm bounds a term in bytes: every valid pair of metadata fits.
const maxTerm = 600

// TrunkTerm is the term of the calls that came in by the trunk.
func TrunkTerm(trunk string) string { return Text("t"+trunk, maxTerm) }

// PairTerm is the term of the calls that have the pair in their metadata.
func PairTerm(key, value string) string { return Text("m"+key+"="+value, maxTerm) }

// Terms are those that a call is found by, each once. Few of other calls have the same
// without what they stand for, so what is found by them is to be looked at.
func Terms(c *calls.Call) []string {
	var terms []string
	if c.Trunk != "" {
		terms = append(terms, TrunkTerm(c.Trunk))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		terms = append(terms, PairTerm(key, c.Metadata[key]))
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// CallOfAnswer is the call that the answer to a request tells of: "id" of a call that
// was routed, "call_id" of a problem. "" if it tells of none.
func CallOfAnswer(body []byte) callmodel.CallID {
	var told struct {
		ID     callmodel.CallID `json:"id"`
		CallID callmodel.CallID `json:"call_id"`
	}
	if json.Unmarshal(body, &told) != nil {
		return ""
	}
	id := told.ID
	if id == "" {
		id = told.CallID
	}
	if !callmodel.ValidID(string(id)) {
		return ""
	}
	return id
}
