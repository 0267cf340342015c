package users

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// ID names a user within its tenant, by the rules of [callmodel.ValidID].
type ID string

// User is a person, or whatever else has numbers and preferences of its own.
type User struct {
	TenantID callmodel.TenantID `json:"tenant_id"`
	ID       ID                 `json:"id"`
	Name     string             `json:"name,omitempty"`
	Numbers  Numbers            `json:"numbers,omitzero"`
	// Preferences are what it asks of its calls.
	Preferences Preferences       `json:"preferences,omitzero"`
	Metadata    map[string]string `json:"metadata,omitempty"`

	Revision
}

// Revision is which state of a document it is, and who made it. The store sets it.
type Revision struct {
	// Version counts up from 1 with every change, beyond a deletion too.
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updated_at,omitzero"` // the database's clock
	UpdatedBy string    `json:"updated_by,omitempty"`
}

// Numbers are those by which calls find the user.
type Numbers struct {
	Mobile    string `json:"mobile,omitempty"`    // E.164 with a plus
	Extension string `json:"extension,omitempty"` // 2 to 6 digits, as dialled within the tenant
	// DIDs are in E.164 with a plus. No other user of any tenant has them.
	DIDs []string `json:"dids,omitempty"`
}

// All lists the numbers: the mobile, the extension and the DIDs.
func (n *Numbers) All() []string {
	list := make([]string, 0, 2+len(n.DIDs))
	for _, s := range [2]string{n.Mobile, n.Extension} {
		if s != "" {
			list = append(list, s)
		}
	}
	return append(list, n.DIDs...)
}

// IsZero reports whether there are none.
func (n Numbers) IsZero() bool { return n.Mobile == "" && n.Extension == "" && len(n.DIDs) == 0 }

// Preferences are what a user asks of its calls. What is left out is as its tenant or
// the platform does.
type Preferences struct {
	// CallerID is the number that others are to see: E.164, or calls.AnonymousCaller.
	CallerID string `json:"caller_id,omitempty"`
	// Region is where it dials from, ISO 3166-1 alpha-2.
	Region    string           `json:"region,omitempty"`
	Recording RecordingMode    `json:"recording,omitempty"`
	Consent   RecordingConsent `json:"consent,omitempty"`
	// RetentionDays is how long the recordings of its calls are kept, 1 to MaxRetentionDays;
	// of a caller and a callee who both say it the longer time. 0: as its tenant does.
	RetentionDays int  `json:"retention_days,omitempty"`
	DoNotDisturb  bool `json:"do_not_disturb,omitempty"`
	// Forwarding has each condition once.
	Forwarding []Forward `json:"forwarding,omitempty"`
	Barring    Barring   `json:"barring,omitzero"`
	// Devices are where it can be reached, in the order to try them.
	Devices []Device `json:"devices,omitempty"`
}

// IsZero reports whether nothing is asked for.
func (p Preferences) IsZero() bool {
	return p.CallerID == "" && p.Region == "" && p.Recording == "" && p.Consent == "" && p.RetentionDays == 0 && !p.DoNotDisturb &&
		len(p.Forwarding) == 0 && p.Barring.IsZero() && len(p.Devices) == 0
}

// RecordingMode says which of a user's calls are recorded.
type RecordingMode string

// The modes.
const (
	RecordAlways   RecordingMode = "always"
	RecordNever    RecordingMode = "never"
	RecordOnDemand RecordingMode = "on_demand" // those alone whose request says so
)

// RecordingModes lists every mode.
func RecordingModes() []RecordingMode {
	return []RecordingMode{RecordAlways, RecordNever, RecordOnDemand}
}

// RecordingConsent is what the user said when it was asked whether it may be recorded.
type RecordingConsent string

// The answers; "" is none.
const (
	ConsentGiven   RecordingConsent = "given"
	ConsentRefused RecordingConsent = "refused" // as RecordNever
)

// Consents lists every answer.
func Consents() []RecordingConsent { return []RecordingConsent{ConsentGiven, ConsentRefused} }

// ForwardWhen is when a call is forwarded.
type ForwardWhen string

// The conditions.
const (
	ForwardAlways      ForwardWhen = "always"
	ForwardBusy        ForwardWhen = "busy"
	ForwardNoAnswer    ForwardWhen = "no_answer"
	ForwardUnreachable ForwardWhen = "unreachable"
)

// ForwardConditions lists every condition.
func ForwardConditions() []ForwardWhen {
	return []ForwardWhen{ForwardAlways, ForwardBusy, ForwardNoAnswer, ForwardUnreachable}
}

// Forward sends calls elsewhere.
type Forward struct {
	When ForwardWhen `json:"when"`
	To   string      `json:"to"` // E.164, an extension, or a SIP URI
	// After is how long it rings first, 1 s to 2 min; for no_answer alone. 0: the
	// platform's.
	After time.Duration `json:"after_seconds,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (f Forward) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(f) }

// UnmarshalJSON implements json.Unmarshaler.
func (f *Forward) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, f) }

// BarringClass is a class of calls that a user may not make.
type BarringClass string

// The classes.
const (
	BarInternational BarringClass = "international" // to countries with another code than the user's region
	BarPremium       BarringClass = "premium"       // to numbers that the rules know to be dear
)

// BarringClasses lists every class.
func BarringClasses() []BarringClass { return []BarringClass{BarInternational, BarPremium} }

// Barring is which calls a user may not make.
type Barring struct {
	Classes []BarringClass `json:"classes,omitempty"`
	// Prefixes are of numbers, in E.164 with a plus or as dialled.
	Prefixes []string `json:"prefixes,omitempty"`
}

// IsZero reports whether nothing is barred.
func (b Barring) IsZero() bool { return len(b.Classes) == 0 && len(b.Prefixes) == 0 }

// Device is where a user can be reached.
type Device struct {
	ID  string `json:"id"`
	URI string `json:"uri"` // "sip:ann@pbx.example.com", "tel:+4930123456"
	// Ring is how long it is tried, 1 s to 2 min. 0: the platform's.
	Ring time.Duration `json:"ring_seconds,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (d Device) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(d) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Device) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, d) }
