package users

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// Limits of a user and a tenant.
const (
	MaxText     = 256 // bytes of a name or a contact
	MaxDIDs     = 100
	MaxDevices  = 16
	MaxBarred   = 64 // prefixes
	MaxURI      = 512
	MaxRing     = 2 * time.Minute
	MaxWebhooks = 16
	MaxEvents   = 32 // of a webhook
	// MaxOutsidePrefixes, MaxEmergencyNumbers and MaxRetentionDays bound what a tenant's
	// defaults say.
	MaxOutsidePrefixes  = 8
	MaxEmergencyNumbers = 16
	MaxRetentionDays    = 36500
)

// anonymous is calls.AnonymousCaller, of a package above this.
const anonymous = "anonymous"

// Validate reports every fault of the user at once, as [callmodel.FieldErrors]. Numbers
// must be normalised. Whether a region has a numbering plan is not asked.
func (u *User) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("tenant_id", string(u.TenantID))
	e.CheckID("id", string(u.ID))
	checkText(&e, "name", u.Name)
	e.AddAll("numbers", u.Numbers.validate().Err())
	e.AddAll("preferences", u.Preferences.validate().Err())
	e.CheckMetadata("metadata", u.Metadata)
	return e.Err()
}

func (n *Numbers) validate() (e callmodel.FieldErrors) {
	if n.Mobile != "" && !e164.Valid(n.Mobile) {
		e.Add("mobile", "%q %s", text.Clip(n.Mobile), e164Help)
	}
	if n.Extension != "" && !e164.Short(n.Extension) {
		e.Add("extension", "%q must be 2 to %d digits", text.Clip(n.Extension), e164.MaxShortDigits)
	}
	if len(n.DIDs) > MaxDIDs {
		e.Add("dids", "has %d numbers, at most %d are allowed", len(n.DIDs), MaxDIDs)
	}
	for i, s := range n.DIDs {
		switch p := fmt.Sprintf("dids[%d]", i); {
		case !e164.Valid(s):
			e.Add(p, "%q %s", text.Clip(s), e164Help)
		case slices.Contains(n.DIDs[:i], s) || s == n.Mobile:
			e.Add(p, "%s is given twice", s)
		}
	}
	return e
}

const e164Help = "is not E.164; give the international form with a plus, like \"+12025550123\""

func (p *Preferences) validate() (e callmodel.FieldErrors) {
	if p.CallerID != "" && p.CallerID != anonymous && !e164.Valid(p.CallerID) {
		e.Add("caller_id", "%q %s, or \"anonymous\"", text.Clip(p.CallerID), e164Help)
	}
	checkRegion(&e, p.Region)
	checkOneOf(&e, "recording", p.Recording, RecordingModes())
	checkOneOf(&e, "consent", p.Consent, Consents())
	if p.Consent == ConsentRefused && p.Recording == RecordAlways {
		e.Add("recording", "is %q, and the consent to it is %q; change one of them", p.Recording, p.Consent)
	}
	if p.RetentionDays < 0 || p.RetentionDays > MaxRetentionDays {
		e.Add("retention_days", "must be 1 to %d, or left out; is %d", MaxRetentionDays, p.RetentionDays)
	}
	p.checkForwarding(&e)
	p.checkBarring(&e)
	p.checkDevices(&e)
	return e
}

func (p *Preferences) checkForwarding(e *callmodel.FieldErrors) {
	for i := range p.Forwarding {
		f, at := &p.Forwarding[i], fmt.Sprintf("forwarding[%d]", i)
		if f.When == "" {
			e.Add(at+".when", "is missing; give one of %s", list(ForwardConditions()))
		}
		checkOneOf(e, at+".when", f.When, ForwardConditions())
		if slices.ContainsFunc(p.Forwarding[:i], func(o Forward) bool { return o.When == f.When }) {
			e.Add(at+".when", "%q is given twice; calls go to one place", text.Clip(string(f.When)))
		}
		if !e164.Valid(f.To) && !e164.Short(f.To) && !isURI(f.To) {
			e.Add(at+".to", "%q is neither E.164 with a plus, nor an extension, nor a sip:, sips: or tel: URI", text.Clip(f.To))
		}
		if f.After != 0 && f.When != ForwardNoAnswer {
			e.Add(at+".after_seconds", "goes with %q only; leave it out", ForwardNoAnswer)
		} else if f.After < 0 || f.After > MaxRing || f.After%time.Second != 0 {
			e.Add(at+".after_seconds", "must be 1 to %d whole seconds, or left out", MaxRing/time.Second)
		}
	}
}

func (p *Preferences) checkBarring(e *callmodel.FieldErrors) {
	for i, c := range p.Barring.Classes {
		at := fmt.Sprintf("barring.classes[%d]", i)
		if c == "" || slices.Contains(p.Barring.Classes[:i], c) {
			e.Add(at, "%q must be one of %s, each once", text.Clip(string(c)), list(BarringClasses()))
		}
		checkOneOf(e, at, c, BarringClasses())
		if c == BarInternational && p.Region == "" {
			e.Add(at, "%q needs the user's region, to know what is abroad; give preferences.region", c)
		}
	}
	if len(p.Barring.Prefixes) > MaxBarred {
		e.Add("barring.prefixes", "has %d prefixes, at most %d are allowed; rules bar more", len(p.Barring.Prefixes), MaxBarred)
	}
	for i, s := range p.Barring.Prefixes {
		if digits := strings.TrimPrefix(s, "+"); !e164.Digits(digits) || len(digits) > e164.MaxDigits || strings.HasPrefix(s, "+0") {
			e.Add(fmt.Sprintf("barring.prefixes[%d]", i), "%q must be 1 to %d digits, with a leading plus for international numbers", text.Clip(s), e164.MaxDigits)
		}
	}
}

func (p *Preferences) checkDevices(e *callmodel.FieldErrors) {
	if len(p.Devices) > MaxDevices {
		e.Add("devices", "has %d devices, at most %d are allowed", len(p.Devices), MaxDevices)
	}
	for i := range p.Devices {
		d, at := &p.Devices[i], fmt.Sprintf("devices[%d]", i)
		e.CheckID(at+".id", d.ID)
		if slices.ContainsFunc(p.Devices[:i], func(o Device) bool { return o.ID == d.ID }) {
			e.Add(at+".id", "%q is the id of a device before it", text.Clip(d.ID))
		}
		if !isURI(d.URI) {
			e.Add(at+".uri", "%q is not a sip:, sips: or tel: URI of at most %d bytes", text.Clip(d.URI), MaxURI)
		}
		if d.Ring < 0 || d.Ring > MaxRing || d.Ring%time.Second != 0 {
			e.Add(at+".ring_seconds", "must be 1 to %d whole seconds, or left out", MaxRing/time.Second)
		}
	}
}

// isURI reports whether s can be where a call is sent to: the form that rules ask of
// the URI of a destination.
func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	scheme = strings.ToLower(scheme)
	if !ok || rest == "" || len(s) > MaxURI || scheme != "sip" && scheme != "sips" && scheme != "tel" {
		return false
	}
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"", r) })
}

// checkRegion adds the fault of a region that doesn't have the form of one.
func checkRegion(e *callmodel.FieldErrors, s string) {
	upper := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	if s != "" && (len(s) != 2 || !upper(s[0]) || !upper(s[1])) {
		e.Add("region", "%q is not an ISO 3166-1 code; give two capital letters, like \"DE\"", text.Clip(s))
	}
}

// checkText adds the fault of a text that people read.
func checkText(e *callmodel.FieldErrors, path, s string) {
	if len(s) > MaxText {
		e.Add(path, "has %d bytes, at most %d are allowed", len(s), MaxText)
	}
	if !text.Plain(s) {
		e.Add(path, "holds control characters, or such that change the direction of text, or is not UTF-8")
	}
}

// checkOneOf adds the fault of a value that is given and is none of all.
func checkOneOf[S ~string](e *callmodel.FieldErrors, path string, v S, all []S) {
	if v != "" && !slices.Contains(all, v) {
		e.Add(path, "%q is not one of %s", text.Clip(string(v)), list(all))
	}
}

func list[S ~string](all []S) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}
