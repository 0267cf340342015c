package callservice

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

// Request asks for a call. The JSON names are those of the body of POST
// /v1/calls, and of the paths of FieldErrors.
type Request struct {
	ID        callmodel.CallID  `json:"id,omitempty"`     // the caller's own; one is made if it is left out
	From      string            `json:"from"`             // as dialled, "anonymous", or whatever the caller is known by
	To        string            `json:"to"`               // as dialled
	Region    string            `json:"region,omitempty"` // where the numbers were dialled, ISO 3166-1 alpha-2
	Type      calls.Type        `json:"type,omitempty"`   // "" means voice
	Direction calls.Direction   `json:"direction,omitempty"`
	Priority  int               `json:"priority,omitempty"` // 0 to 9, the most urgent
	Metadata  map[string]string `json:"metadata,omitempty"`
	Trunk     string            `json:"trunk,omitempty"` // the id of the trunk that it came in by
	// Capabilities is what the call offers: codecs and other tags.
	Capabilities []string                   `json:"capabilities,omitempty"`
	Recording    *calls.RecordingPreference `json:"recording,omitempty"`
	Host         string                     `json:"host,omitempty"` // the telephone server that carries the call

	urgent bool // see CreateUrgent
}

// Check reports every fault of the request at once, as FieldErrors. It asks no
// store, and whether there is a route is not its question.
func (s *Service) Check(req *Request) error {
	_, err := s.newCall("check", req) // faults of the tenant are not the request's
	return err
}

// Normalize is the number as the service stores it of the tenant's calls, in the region, or
// else the tenant's own, or else the default region, without what a tenant's Numbering says of it. FieldErrors name
// "number" and "region".
func (s *Service) Normalize(t callmodel.TenantID, number, region string) (calls.Party, error) {
	var faults callmodel.FieldErrors
	p := s.number(&faults, "number", number, s.region(&faults, t, region), nil)
	return p, faults.Err()
}

// newCall is the call that the request asks for, normalised but not routed.
func (s *Service) newCall(t callmodel.TenantID, req *Request) (calls.Call, error) {
	var faults callmodel.FieldErrors
	region := s.region(&faults, t, req.Region)
	numbering := s.numbering(t)
	from := caller(req.From, region, numbering)
	to, known := s.extension(t, req.To)
	if !known {
		if req.Region == "" {
			region = cmp.Or(s.callerRegion(t, from.Number), region)
		}
		to = s.number(&faults, "to", req.To, region, numbering)
	}
	call := calls.Call{
		ID: req.ID, TenantID: t, Type: cmp.Or(req.Type, calls.TypeVoice), Direction: req.Direction, Priority: req.Priority,
		From: from, To: to, Metadata: req.Metadata, Recording: req.Recording, Host: req.Host, CreatedAt: s.opts.Now().UTC(),
		Trunk: req.Trunk, Capabilities: req.Capabilities,
	}
	cr := call.Request(call.CreatedAt)
	cr.CallID = "" // checked below, under the name it has here
	var more callmodel.FieldErrors
	if err := cr.Validate(); errors.As(err, &more) {
		faults = append(faults, more...)
	}
	if req.ID != "" {
		faults.CheckID("id", string(req.ID))
	}
	if req.Host != "" {
		faults.CheckID("host", req.Host)
	}
	if rec := req.Recording; rec != nil {
		var wrong callmodel.FieldErrors
		if !errors.As(rec.Validate(), &wrong) && len(rec.Outputs) > 0 {
			_ = errors.As(s.opts.CheckOutputs(rec.Outputs), &wrong)
		}
		faults.AddAll("recording", wrong.Err())
	}
	if err := faults.Err(); err != nil {
		return calls.Call{}, err
	}
	return call, nil
}

// caller is the party that calls. The number of one that withholds it is
// calls.AnonymousCaller. One that can't be normalised is kept as it was given, and
// refuses no call. For neither does any rule's caller condition hold.
func caller(raw, region string, numbering *normalize.Numbering) calls.Party {
	if normalize.Withheld(raw) {
		return calls.Party{Number: calls.AnonymousCaller, Raw: asKept(raw)}
	}
	if !normalize.ValidRegion(region) {
		region = ""
	}
	n, err := numbering.Parse(raw, region)
	if err != nil {
		return calls.Party{Number: asKept(raw), AsGiven: raw != ""}
	}
	return party(&n, raw)
}

// region is the one that was given, or the tenant's default.
func (s *Service) region(faults *callmodel.FieldErrors, t callmodel.TenantID, given string) string {
	if given == "" || normalize.ValidRegion(given) {
		return cmp.Or(given, s.defaultRegion(t))
	}
	faults.Add("region", "is not a known ISO 3166-1 code; give two capital letters, like \"DE\"")
	return s.defaultRegion(t)
}

func (s *Service) number(faults *callmodel.FieldErrors, field, raw, region string, numbering *normalize.Numbering) calls.Party {
	if raw == "" {
		faults.Add(field, "is missing; give a telephone number")
		return calls.Party{}
	}
	n, err := numbering.Parse(raw, region)
	if err != nil {
		faults.Add(field, "%s", err)
		return calls.Party{}
	}
	return party(&n, raw)
}

// party is the number, and how it was given where that differs.
func party(n *normalize.Number, raw string) calls.Party {
	p := calls.Party{Number: n.Value, PostDial: asKept(n.PostDial), Params: asKept(n.Params)}
	if n.Value != raw {
		p.Raw = asKept(raw)
	}
	return p
}

// maxRawNumber bounds what is kept of a number as it was given, in bytes.
const maxRawNumber = 512

// asKept is a text as it can be stored: valid, of a bounded length and without
// control characters, which databases refuse.
func asKept(raw string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(raw[:min(len(raw), maxRawNumber)], ""))
}

// shown is a number as logs have it: short codes and URNs whole, of others the last digits.
func shown(number string) string {
	const last = 3
	if len(number) <= e164.MaxShortDigits || strings.HasPrefix(number, "urn:") {
		return number
	}
	return "…" + strings.ToValidUTF8(number[len(number)-last:], "")
}

// emergencyRegions are the regions in which a number may be an emergency number:
// the one that was given in any case of its letters, that of the user who calls, the
// tenant's, the default, and none.
func (s *Service) emergencyRegions(t callmodel.TenantID, from, given string) []string {
	regions := append(make([]string, 0, 5), strings.ToUpper(given))
	for _, r := range [4]string{s.callerRegion(t, from), s.defaultRegion(t), s.opts.DefaultRegion, ""} {
		if !slices.Contains(regions, r) {
			regions = append(regions, r)
		}
	}
	return regions
}
