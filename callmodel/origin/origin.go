// Package origin is the vocabulary of whence the settings of a recording came.
//
//	the call's own request ─ else ▶ settings service ─ else ▶ its users ─ else ▶ its tenant ─ else ▶ default
//
// It is found for each setting by itself: a call may be recorded because a user is
// always recorded, in a codec that the service names, at the loudness of its tenant.
package origin

import "strings"

// Source is who said a setting; "" for a setting that nobody said.
type Source string

// The sources, the first that says something wins. Cache and Service have one place.
const (
	Call    Source = "call"    // the request for the call
	Service Source = "service" // the settings service, asked about this call
	Cache   Source = "cache"   // the settings service, asked about another call of the kind
	User    Source = "user"    // the caller or the callee
	Tenant  Source = "tenant"  // the tenant's defaults
	Default Source = "default" // the platform's
)

// Sources lists every source.
func Sources() []Source { return []Source{Call, Service, Cache, User, Tenant, Default} }

// Settings say for each setting of a recording who said it. The names are those of
// record.Preference.
type Settings struct {
	Enabled     Source `json:"enabled,omitempty"`
	Outputs     Source `json:"outputs,omitempty"`
	PauseMode   Source `json:"pause_mode,omitempty"`
	PauseOnHold Source `json:"pause_on_hold,omitempty"`
	Trim        Source `json:"trim,omitempty"`
	LevelLUFS   Source `json:"level_lufs,omitempty"`
	// Fallback is why the settings service didn't answer when it was last asked about
	// the call, a word like "timeout"; "" if it did, or was not asked.
	Fallback string `json:"fallback,omitempty"`
}

// String is the settings that were said, "enabled=user outputs=service", for a line of the
// audit log; "" for none.
func (s Settings) String() string {
	if s == (Settings{}) {
		return ""
	}
	var b strings.Builder
	b.Grow(128) // as long as one that says everything, about
	for _, f := range [...]struct {
		name string
		from Source
	}{
		{"enabled", s.Enabled},
		{"outputs", s.Outputs},
		{"pause_mode", s.PauseMode},
		{"pause_on_hold", s.PauseOnHold},
		{"trim", s.Trim},
		{"level_lufs", s.LevelLUFS},
		{"fallback", Source(s.Fallback)},
	} {
		if f.from == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.name)
		b.WriteByte('=')
		b.WriteString(string(f.from))
	}
	return b.String()
}
