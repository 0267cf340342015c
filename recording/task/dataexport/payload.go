package dataexport

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
)

// Kind is the kind of the jobs that make exports. Their payload is a [Payload], their
// result an [Exported].
const Kind = "data-export"

// What an export is of.
const (
	OfCall   = "call"
	OfNumber = "number"
	OfTenant = "tenant"
)

// Bounds of an export.
const (
	MinPartBytes     = 64 << 10
	DefaultPartBytes = 1 << 30
	MaxPartBytes     = 64 << 30
	// DefaultKeepDays is for how long an export can be fetched.
	DefaultKeepDays = 7
	MaxKeepDays     = 90
	// MaxCalls is how many calls an export of a number may have.
	MaxCalls = 100_000
)

// Payload is what an export job is to export: data of the job's own tenant.
type Payload struct {
	Of     string           `json:"of"`                // OfCall, OfNumber or OfTenant
	CallID callmodel.CallID `json:"call_id,omitempty"` // of OfCall
	Number string           `json:"number,omitempty"`  // of OfNumber: as calls have it, in E.164 or short
	// Since and Until bound when the calls of a number were made: at Since or later, and
	// before Until. Zero: no bound.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// PartBytes is how large a part becomes before the next one begins. 0:
	// DefaultPartBytes.
	PartBytes int64 `json:"part_bytes,omitempty"`
	// KeepDays is for how many days after the job was made the export is kept. 0:
	// DefaultKeepDays.
	KeepDays int `json:"keep_days,omitempty"`
}

// Validate reports every fault of the payload, as FieldErrors.
func (p *Payload) Validate() error {
	var e callmodel.FieldErrors
	switch p.Of {
	case OfCall:
		e.CheckID("call_id", string(p.CallID))
	case OfNumber:
		if !e164.Valid(p.Number) && !e164.Short(p.Number) {
			e.Add("number", "is neither a number in E.164, as +493012345678, nor an extension or a short code")
		}
	case OfTenant:
	default:
		e.Add("of", "%.32q is not one of %s, %s, %s", p.Of, OfCall, OfNumber, OfTenant)
	}
	if p.Of != OfCall && p.CallID != "" {
		e.Add("call_id", "goes with an export of a call alone")
	}
	if p.Of != OfNumber && (p.Number != "" || !p.Since.IsZero() || !p.Until.IsZero()) {
		e.Add("number", "number, since and until go with an export of a number alone")
	}
	if !p.Since.IsZero() && !p.Until.IsZero() && !p.Since.Before(p.Until) {
		e.Add("until", "is not behind since")
	}
	if p.PartBytes != 0 && (p.PartBytes < MinPartBytes || p.PartBytes > MaxPartBytes) {
		e.Add("part_bytes", "must be %d to %d, is %d", MinPartBytes, int64(MaxPartBytes), p.PartBytes)
	}
	if p.KeepDays < 0 || p.KeepDays > MaxKeepDays {
		e.Add("keep_days", "must be 1 to %d, is %d; 0 means %d", MaxKeepDays, p.KeepDays, DefaultKeepDays)
	}
	return e.Err()
}

func (p *Payload) partBytes() int64 {
	if p.PartBytes == 0 {
		return DefaultPartBytes
	}
	return p.PartBytes
}

// keep is for how long the export is kept.
func (p *Payload) keep() time.Duration {
	days := p.KeepDays
	if days == 0 {
		days = DefaultKeepDays
	}
	return time.Duration(days) * 24 * time.Hour
}
