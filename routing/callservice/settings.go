package callservice

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing"
)

// SettingsMoment is when in a call its settings are asked for.
type SettingsMoment string

// The moments.
const (
	SettingsAtStart SettingsMoment = "start" // the call is routed, and not answered yet
	SettingsAtEnd   SettingsMoment = "end"   // its recording is about to be made
)

// SettingsMoments lists every moment.
func SettingsMoments() []SettingsMoment { return []SettingsMoment{SettingsAtStart, SettingsAtEnd} }

// SettingsQuestion is what a settings service is told of a call. Its JSON is the body of
// the request: see package settings.
type SettingsQuestion struct {
	Moment    SettingsMoment     `json:"moment"`
	TenantID  callmodel.TenantID `json:"tenant_id"`
	CallID    callmodel.CallID   `json:"call_id"`
	From      string             `json:"from"` // normalised, or calls.AnonymousCaller
	To        string             `json:"to"`
	Type      calls.Type         `json:"type"`
	Direction calls.Direction    `json:"direction,omitempty"`
	Trunk     string             `json:"trunk,omitempty"` // the one it came in by
	Metadata  map[string]string  `json:"metadata,omitempty"`
	User      users.ID           `json:"user,omitempty"`   // who calls, if that is one of the tenant
	Callee    users.ID           `json:"callee,omitempty"` // who is called
	At        time.Time          `json:"at"`               // when the call was made, or ended; UTC
}

// SettingsAnswer is what a settings service says of a call: a record.Preference in which
// whatever is left out isn't said.
type SettingsAnswer struct {
	Enabled     *bool               `json:"enabled,omitempty"`
	Outputs     []record.OutputSpec `json:"outputs,omitempty"`
	PauseMode   string              `json:"pause_mode,omitempty"`
	PauseOnHold *bool               `json:"pause_on_hold,omitempty"`
	Trim        *record.TrimSpec    `json:"trim,omitempty"`
	LevelLUFS   float64             `json:"level_lufs,omitempty"`
	// Fallback is why the service didn't answer, if this is what it said of another call.
	Fallback string `json:"-"`
}

// Validate reports every fault of the answer at once, as FieldErrors. Whether its outputs
// can be made is not asked.
func (a *SettingsAnswer) Validate() error {
	return (&record.Preference{Outputs: a.Outputs, PauseMode: a.PauseMode, Trim: a.Trim, LevelLUFS: a.LevelLUFS}).Validate()
}

// said is what the settings service said: nothing, with the reason, without a by.
type said struct {
	answer SettingsAnswer
	by     origin.Source // Service or Cache
}

// asksAt reports whether the settings service is asked at the moment.
func (s *Service) asksAt(m SettingsMoment) bool {
	return s.opts.Settings != nil && slices.Contains(s.opts.SettingsAt, m)
}

// settingsAtStart is what the settings service says of a call that was routed; nil if it
// isn't asked.
func (s *Service) settingsAtStart(ctx context.Context, call *calls.Call) *said {
	if !s.asksAt(SettingsAtStart) || call.Emergency || call.Recording != nil && !call.Recording.Enabled {
		return nil
	}
	return s.settings(ctx, call, SettingsAtStart, call.CreatedAt)
}

// settings asks the settings service.
func (s *Service) settings(ctx context.Context, call *calls.Call, m SettingsMoment, at time.Time) *said {
	asking, span := tracing.Start(ctx, s.opts.Tracer, askSettings)
	a, err := s.opts.Settings.Settings(asking, &SettingsQuestion{
		Moment: m, TenantID: call.TenantID, CallID: call.ID, From: call.From.Number, To: call.To.Number,
		Type: call.Type, Direction: call.Direction, Trunk: call.Trunk, Metadata: call.Metadata,
		User: call.From.User, Callee: call.To.User, At: at.UTC(),
	})
	span.End(err)
	reason := "error"
	if f, ok := errors.AsType[*routing.FallbackError](err); ok {
		reason = f.Reason
	}
	if err == nil {
		// A job of what can't be made would be refused, and the call's end with it.
		reason = "garbage"
		if err = a.Validate(); err == nil && len(a.Outputs) > 0 {
			err = s.opts.CheckOutputs(a.Outputs)
		}
	}
	switch {
	case err != nil:
		s.opts.Logger.WarnContext(ctx, "the settings service has no answer; the call is recorded as is known without it",
			"tenant", call.TenantID, "call", call.ID, "moment", m, "reason", reason, "error", err)
		return &said{answer: SettingsAnswer{Fallback: reason}}
	case a.Fallback != "":
		return &said{a, origin.Cache}
	}
	return &said{a, origin.Service}
}

// append stores the event of a call. One that ends it is settled first, if that is for the
// settings service to say.
func (s *Service) append(ctx context.Context, db CallStore, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string) (calls.Call, error) {
	if ev.Type == calls.EventEnded && s.asksAt(SettingsAtEnd) {
		call, err := db.Call(ctx, t, id)
		if err != nil {
			return calls.Call{}, err
		}
		ev.Settled = s.settleEnd(ctx, &call, &ev)
	}
	return db.AppendEvent(ctx, t, id, ev, actor, s.opts.DefaultOutputs)
}

// settleEnd is how the call that ends is recorded; nil for as is known of it.
func (s *Service) settleEnd(ctx context.Context, call *calls.Call, ev *calls.Event) *calls.Settled {
	was := settled{pref: call.Recording, from: call.SettingsFrom}
	switch {
	case call.Emergency, call.State.Final(), ev.Validate() != nil:
		return nil
	case call.AnsweredAt.IsZero() && len(ev.Legs) == 0:
		return nil // there is nothing to record
	case was.pref != nil && was.from.Enabled == origin.Call && !was.pref.Enabled:
		return nil
	case was.pref != nil && was.from.Enabled == "":
		return nil // of an earlier version, which didn't note what the call's request said
	}
	caller, callee := s.opts.Users.Find(call.TenantID, call.From.Number), s.opts.Users.Find(call.TenantID, call.To.Number)
	is := settleAtEnd(was, s.settings(ctx, call, SettingsAtEnd, ev.At), caller, callee, s.tenantsRecording(call.TenantID))
	return &calls.Settled{Recording: is.pref, From: is.from}
}
