package users

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/internal/text"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Tenant is a customer of the platform: who it is, and what holds for its calls and
// its users where they don't say. A tenant needs none to have users, calls and rules.
type Tenant struct {
	ID       callmodel.TenantID `json:"id"`
	Profile  Profile            `json:"profile,omitzero"`
	Defaults Defaults           `json:"defaults,omitzero"`
	Metadata map[string]string  `json:"metadata,omitempty"`

	Revision
}

// Profile is who a tenant is, for people.
type Profile struct {
	Name    string `json:"name,omitempty"`
	Contact string `json:"contact,omitempty"` // whom to ask: an address, a number
}

// Defaults are what holds for a tenant's calls that don't say it themselves.
type Defaults struct {
	// Region is where its numbers are dialled, ISO 3166-1 alpha-2.
	Region string `json:"region,omitempty"`
	// OutsidePrefixes are dialled for an outside line, 1 to 4 digits each: emergency
	// numbers are recognised behind them.
	OutsidePrefixes []string `json:"outside_prefixes,omitempty"`
	// EmergencyNumbers are emergency numbers of its own besides those of the world's
	// plans, as an in-house fire brigade's: digits as dialled, or E.164 with a plus.
	EmergencyNumbers []string `json:"emergency_numbers,omitempty"`
	// Recording is how its calls are recorded; nil: as the platform does.
	Recording *record.Preference `json:"recording,omitempty"`
	// RetentionDays is how long its recordings are to be kept, of which neither they nor the
	// users of their calls say it. 0: as the platform does.
	RetentionDays int `json:"retention_days,omitempty"`
	// Webhooks are told what happens: see package webhooks, which has their secrets. One
	// URL is one, however often it is given.
	Webhooks []Webhook `json:"webhooks,omitempty"`
}

// IsZero reports whether nothing is said.
func (d Defaults) IsZero() bool {
	return d.Region == "" && len(d.OutsidePrefixes) == 0 && len(d.EmergencyNumbers) == 0 && d.Recording == nil && d.RetentionDays == 0 && len(d.Webhooks) == 0
}

// Webhook is where events are delivered.
type Webhook struct {
	URL string `json:"url"` // https, or http
	// Events are the types to deliver, like "recording.completed". Empty: all.
	Events []string `json:"events,omitempty"`
}

// Validate reports every fault of the tenant at once, as [callmodel.FieldErrors].
// Whether its region has a numbering plan and its recordings can be made is not asked.
func (t *Tenant) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("id", string(t.ID))
	checkText(&e, "profile.name", t.Profile.Name)
	checkText(&e, "profile.contact", t.Profile.Contact)
	e.AddAll("defaults", t.Defaults.validate().Err())
	e.CheckMetadata("metadata", t.Metadata)
	return e.Err()
}

func (d *Defaults) validate() (e callmodel.FieldErrors) {
	checkRegion(&e, d.Region)
	if len(d.OutsidePrefixes) > MaxOutsidePrefixes {
		e.Add("outside_prefixes", "has %d prefixes, at most %d are allowed", len(d.OutsidePrefixes), MaxOutsidePrefixes)
	}
	for i, s := range d.OutsidePrefixes {
		if !e164.Digits(s) || len(s) > maxOutsidePrefix {
			e.Add(fmt.Sprintf("outside_prefixes[%d]", i), "%q is no prefix for an outside line; give 1 to %d digits", text.Clip(s), maxOutsidePrefix)
		}
	}
	if len(d.EmergencyNumbers) > MaxEmergencyNumbers {
		e.Add("emergency_numbers", "has %d numbers, at most %d are allowed", len(d.EmergencyNumbers), MaxEmergencyNumbers)
	}
	for i, s := range d.EmergencyNumbers {
		if !e164.Valid(s) && (!e164.Digits(s) || len(s) < 2 || len(s) > e164.MaxDigits) {
			e.Add(fmt.Sprintf("emergency_numbers[%d]", i), "%q is no emergency number; give 2 to %d digits, or E.164 with a plus", text.Clip(s), e164.MaxDigits)
		}
	}
	if d.Recording != nil {
		e.AddAll("recording", d.Recording.Validate())
	}
	if d.RetentionDays < 0 || d.RetentionDays > MaxRetentionDays {
		e.Add("retention_days", "must be 1 to %d, or left out; is %d", MaxRetentionDays, d.RetentionDays)
	}
	if len(d.Webhooks) > MaxWebhooks {
		e.Add("webhooks", "has %d, at most %d are allowed", len(d.Webhooks), MaxWebhooks)
	}
	for i := range d.Webhooks {
		d.Webhooks[i].validate(&e, fmt.Sprintf("webhooks[%d]", i))
	}
	return e
}

// maxOutsidePrefix is that of e164/normalize, which isn't for vocabularies.
const maxOutsidePrefix = 4

func (w *Webhook) validate(e *callmodel.FieldErrors, at string) {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(w.URL) > MaxURI:
		e.Add(at+".url", "%q is not an https or http URL of at most %d bytes", text.Clip(w.URL), MaxURI)
	case u.User != nil:
		e.Add(at+".url", "holds a name or a password; secrets don't stand in a URL")
	}
	if len(w.Events) > MaxEvents {
		e.Add(at+".events", "has %d types, at most %d are allowed", len(w.Events), MaxEvents)
	}
	for i, s := range w.Events {
		p := fmt.Sprintf("%s.events[%d]", at, i)
		e.CheckID(p, s)
		if slices.Contains(w.Events[:i], s) {
			e.Add(p, "%q is given twice", text.Clip(s))
		}
	}
}
