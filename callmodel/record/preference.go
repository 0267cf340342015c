package record

import "github.com/switchtape/switchtape/callmodel"

// Preference says whether and how a call is to be recorded, before its legs are known:
// of a call itself, and of a tenant for its calls that don't say.
type Preference struct {
	Enabled bool         `json:"enabled"`
	Outputs []OutputSpec `json:"outputs,omitempty"` // empty: the platform's default
	// As in a Spec.
	PauseMode string `json:"pause_mode,omitempty"`
	// PauseOnHold pauses the recording from "held" to "retrieved".
	PauseOnHold bool      `json:"pause_on_hold,omitempty"`
	Trim        *TrimSpec `json:"trim,omitempty"`
	LevelLUFS   float64   `json:"level_lufs,omitempty"`
}

// Validate reports every fault of the preference at once, for a call of a number
// of legs that isn't known yet. Whether its outputs can be made is not asked.
func (p *Preference) Validate() error {
	var e callmodel.FieldErrors
	e.AddAll("", ValidatePauses(nil, p.PauseMode))
	e.AddAll("", validateLevel(p.LevelLUFS, 0))
	if p.Trim != nil {
		e.AddAll("trim", p.Trim.Validate())
	}
	if len(p.Outputs) > 0 {
		e.AddAll("", ValidateOutputs(p.Outputs, 0))
	}
	return e.Err()
}
