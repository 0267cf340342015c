package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Kind is a kind of job. [Of] makes one of a payload's type and a function.
type Kind struct {
	// Name is what ledger.Job.Kind is of its jobs: a valid id.
	Name string
	// Check reports every fault of a job to enqueue, as callmodel.FieldErrors. It does no
	// I/O. Nil: any JSON is a payload.
	Check func(r *ledger.Request) error
	// Do does a job, and returns what is to be committed of it. Nil: this process
	// enqueues such jobs, and others do them.
	//
	// Do stops soon after ctx ends, else it is abandoned. It may be called again for the
	// same job, and even at the same time, by a worker that took the job over: what it
	// leaves behind must be the same then. Only one of them commits. Its errors are:
	//
	//   - a [callmodel.PermanentError]: the job is quarantined;
	//   - a [callmodel.RetryAfterError], a [callmodel.BucketAwayError], or one with the code
	//     unavailable, as those of a database that is down: the job waits, and the attempt
	//     doesn't count;
	//   - any other, and a panic: the attempt counts, and the third is the last.
	Do func(ctx context.Context, j *Job) (ledger.Outcome, error)
}

// Job is a job that is to be done.
type Job struct {
	ledger.Job

	// Token is the fence: it grows whenever the job is claimed.
	Token int64
}

// ErrUndecodable says that a payload isn't what its kind reads. It is never mended by
// another attempt.
var ErrUndecodable = errors.New("the job can't be read")

// Of is the kind of that name whose payload is a P, which do does. P is a struct, read
// strictly: unknown fields, wrong types and what its Validate method finds, if it has
// one, are faults, all told at once. See [callmodel.DecodeJSON].
//
// The result of do becomes the job's, as JSON; nil is none. If it has a method Retriable()
// bool that says whether a person may put the job back. A ledger.Outcome is committed as it
// is, so that do can leave an event in the outbox. do may be nil: see Kind.Do.
func Of[P any](name string, do func(ctx context.Context, j *Job, p P) (result any, err error)) Kind {
	read := func(payload []byte) (p P, err error) {
		err = under("payload", callmodel.DecodeJSON(payload, &p))
		return p, err
	}
	k := Kind{Name: name, Check: func(r *ledger.Request) error {
		_, err := read(r.Payload)
		return err
	}}
	if do == nil {
		return k
	}
	k.Do = func(ctx context.Context, j *Job) (ledger.Outcome, error) {
		p, err := read(j.Payload)
		if err != nil {
			return ledger.Outcome{}, callmodel.Permanent(fmt.Errorf("%w: %w", ErrUndecodable, err))
		}
		result, err := do(ctx, j, p)
		if err != nil {
			return ledger.Outcome{}, err
		}
		return OutcomeOf(j, result)
	}
	return k
}

// under has the faults of a payload below its field. What can't be parsed at all is one
// fault of the field.
func under(field string, err error) error {
	if err == nil {
		return nil
	}
	var e callmodel.FieldErrors
	e.AddAll(field, err)
	return e.Err()
}

// OutcomeOf is the outcome of a job of [Of] whose function has returned the result.
func OutcomeOf(j *Job, result any) (ledger.Outcome, error) {
	switch r := result.(type) {
	case nil:
		return ledger.Outcome{}, nil
	case ledger.Outcome:
		return r, nil
	}
	b, err := json.Marshal(result)
	if err != nil {
		return ledger.Outcome{}, callmodel.Permanent(fmt.Errorf("encode the result of job %s: %w", j.ID, err))
	}
	o := ledger.Outcome{Result: b}
	if r, ok := result.(interface{ Retriable() bool }); ok {
		o.Retriable = r.Retriable()
	}
	return o, nil
}

// Recordings is the kind of the jobs that make recordings. check is what a spec must pass
// besides [record.CheckJob], as the Check of a recording.Processor; nil for nothing. A
// worker does them by its Processor, so that Do is nil.
func Recordings(check func(record.Spec) error) Kind {
	return Kind{Name: record.Kind, Check: func(r *ledger.Request) error {
		if err := record.CheckJob(r); err != nil || check == nil {
			return err
		}
		spec, err := record.SpecOf(&ledger.Job{Kind: r.Kind, Payload: r.Payload})
		if err != nil {
			return err
		}
		return check(spec)
	}}
}

// Kinds are the kinds that a process knows. The zero value has none. It doesn't change,
// and may be used by any number of goroutines.
type Kinds struct{ byName map[string]Kind }

// NewKinds are these kinds. Names that are no ids, or that two have, are FieldErrors.
func NewKinds(kinds ...Kind) (Kinds, error) {
	k := Kinds{byName: make(map[string]Kind, len(kinds))}
	var faults callmodel.FieldErrors
	for i, kind := range kinds {
		at := fmt.Sprintf("kinds[%d]", i)
		faults.CheckID(at, kind.Name)
		if _, twice := k.byName[kind.Name]; twice {
			faults.Add(at, "two kinds have the name %q", kind.Name)
		}
		k.byName[kind.Name] = kind
	}
	if err := faults.Err(); err != nil {
		return Kinds{}, err
	}
	return k, nil
}

// Of is the kind of that name, and whether there is one.
func (k Kinds) Of(name string) (Kind, bool) {
	kind, ok := k.byName[name]
	return kind, ok
}

// Names are those of all kinds, sorted.
func (k Kinds) Names() []string { return slices.Sorted(maps.Keys(k.byName)) }

// Doing are the kinds of k that this process does, and not only enqueues.
func (k Kinds) Doing() Kinds {
	own := maps.Clone(k.byName)
	maps.DeleteFunc(own, func(_ string, kind Kind) bool { return kind.Do == nil })
	return Kinds{byName: own}
}

// Only are the kinds of these names. Others than k has are FieldErrors.
func (k Kinds) Only(names ...string) (Kinds, error) {
	some := Kinds{byName: make(map[string]Kind, len(names))}
	var faults callmodel.FieldErrors
	for _, name := range names {
		kind, ok := k.byName[name]
		if !ok {
			faults.Add("kinds", "%s", k.unknown(name))
		}
		some.byName[name] = kind
	}
	if err := faults.Err(); err != nil {
		return Kinds{}, err
	}
	return some, nil
}

// Check reports every fault of a job to enqueue, as callmodel.FieldErrors: that its kind
// is unknown, and what the kind's own check finds. It does no I/O. The tenant, the key,
// the queue and the priority are the ledger's to check, as it enqueues the job.
func (k Kinds) Check(r *ledger.Request) error {
	kind, ok := k.byName[r.Kind]
	switch {
	case !ok:
		return callmodel.FieldErrors{{Path: "kind", Message: k.unknown(r.Kind)}}
	case kind.Check == nil:
		return nil
	}
	return kind.Check(r)
}

func (k Kinds) unknown(name string) string {
	if len(k.byName) == 0 {
		return fmt.Sprintf("%.64q is not known: there are no kinds here", name)
	}
	return fmt.Sprintf("%.64q is not one of %s", name, strings.Join(k.Names(), ", "))
}
