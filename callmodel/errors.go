package callmodel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Code says what kind of failure an error is, in a form that programs can
// switch on. HTTP handlers map it to a status in one place.
type Code string

// The codes.
const (
	CodeInvalid             Code = "invalid"              // the input breaks a rule; see the field errors
	CodeMalformed           Code = "malformed"            // the input could not be parsed at all
	CodeNotFound            Code = "not_found"            // no such call, job or rule set, or another tenant's
	CodeGone                Code = "gone"                 // it was there, and was deleted
	CodeNoRoute             Code = "no_route"             // no rule matches the call
	CodeNoCapacity          Code = "no_capacity"          // every destination of the rule is full or down; retry later
	CodeConflict            Code = "conflict"             // an illegal move of a state machine
	CodeIdempotencyMismatch Code = "idempotency_mismatch" // the same key came with another body
	CodeInFlight            Code = "in_flight"            // the same key is being worked on now
	CodeLeaseLost           Code = "lease_lost"           // another worker holds the job now
	CodeUnauthenticated     Code = "unauthenticated"      // no principal
	CodeForbidden           Code = "forbidden"            // the principal may not do this
	CodeTooLarge            Code = "too_large"            // the input is over its limit
	CodeOverloaded          Code = "overloaded"           // the bounded queue is full; retry later
	CodeUnavailable         Code = "unavailable"          // a dependency is down; retry later
	CodeUnsupported         Code = "unsupported"          // a codec or feature that this build can't do
	CodeInternal            Code = "internal"             // a defect of Switchtape's own

	// Of requests over HTTP.
	CodePrecondition         Code = "precondition_failed"    // what was to be changed is not in the state that was named
	CodePreconditionRequired Code = "precondition_required"  // a change must name the state that it is of
	CodeMethodNotAllowed     Code = "method_not_allowed"     // the path has other methods
	CodeNotAcceptable        Code = "not_acceptable"         // the client takes no type that the answer can have
	CodeUnsupportedMediaType Code = "unsupported_media_type" // the body is of a type that isn't read here
	CodeMisdirected          Code = "misdirected"            // this server takes other requests

	CodeDamaged    Code = "recording_damaged" // the stored object isn't as it was stored; trying again doesn't mend it
	CodeKeyMissing Code = "key_missing"       // the program has no key for what is encrypted
)

// Error is an error with a code, for errors.As. Its text says what happened, to
// which leg, call or key, and what to do.
type Error struct {
	Code    Code
	Message string // all of the text, that of the cause included
	Err     error  // the cause, for errors.Is and errors.As; may be nil
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [*Error]. %w verbs in format become its causes.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: code, Message: err.Error()}
	switch err.(type) { //nolint:errorlint // err was made here
	case interface{ Unwrap() error }:
		e.Err = errors.Unwrap(err)
	case interface{ Unwrap() []error }:
		e.Err = err
	}
	return e
}

// CodeOf finds the code of err: that of the outermost coded error in its
// chain, [CodeInvalid] for [FieldErrors], [CodeInternal] for any other error
// and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	for e := err; e != nil; {
		switch t := e.(type) { //nolint:errorlint // this walks the chain itself, to find the outermost code
		case *Error:
			return t.Code
		case FieldErrors:
			return CodeInvalid
		case *TransitionError:
			return CodeConflict
		case interface{ Unwrap() []error }:
			for _, inner := range t.Unwrap() {
				if c := CodeOf(inner); c != CodeInternal {
					return c
				}
			}
			return CodeInternal
		}
		e = errors.Unwrap(e)
	}
	return CodeInternal
}

// FieldError says what is wrong with one field of an input.
type FieldError struct {
	Path    string `json:"path"`           // JSON path from the root: "outputs[0].codec"
	Line    int    `json:"line,omitempty"` // 1-based line of a file, 0 if there is none
	Message string `json:"message"`        // what is wrong and what would be right
}

func (e FieldError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		b.WriteString("line " + strconv.Itoa(e.Line) + ": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// FieldErrors is every fault of one input, all at once.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i := range e {
		parts[i] = e[i].Error()
	}
	return strings.Join(parts, "; ")
}

// Add appends a fault at path.
func (e *FieldErrors) Add(path, format string, args ...any) {
	*e = append(*e, FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

// AddAll appends what a nested value's Validate found, with the paths below
// prefix; "" leaves them as they are. An error without fields is a fault of the
// value as a whole. Nil adds nothing.
func (e *FieldErrors) AddAll(prefix string, nested error) {
	var faults FieldErrors
	if nested != nil && !errors.As(nested, &faults) {
		faults = FieldErrors{{Message: nested.Error()}}
	}
	for _, f := range faults {
		f.Path = joinPath(prefix, f.Path)
		*e = append(*e, f)
	}
}

// Err is e, or nil when there is no fault.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func joinPath(prefix, path string) string {
	switch {
	case prefix == "":
		return path
	case path == "":
		return prefix
	case path[0] == '[':
		return prefix + path
	default:
		return prefix + "." + path
	}
}

// TransitionError is a move that a state machine doesn't have.
type TransitionError struct {
	Subject string // "call c1", "job j1"
	From    string // the state it is in
	Event   string // what was asked
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("%s: %s is not possible while it is %s", e.Subject, e.Event, e.From)
}

// The sentinels of the stores and the ledger. They carry their code.
var (
	// ErrNotFound: no such row, or it belongs to another tenant.
	ErrNotFound error = &Error{Code: CodeNotFound, Message: "not found"}
	// ErrLeaseLost: the lease ended and somebody else may hold the job. What
	// was done under it must not be committed.
	ErrLeaseLost error = &Error{Code: CodeLeaseLost, Message: "the lease is lost: another worker may hold the job"}
	// ErrIdempotencyMismatch: the idempotency key was used with another request.
	ErrIdempotencyMismatch error = &Error{
		Code: CodeIdempotencyMismatch, Message: "the idempotency key was used before with another request; use a new key",
	}
)

// PermanentError marks a failure that retrying can't mend: its job is
// quarantined at once, its inputs kept.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

func (e *PermanentError) Unwrap() error { return e.Err }

// Permanent wraps err as a [*PermanentError]; nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &PermanentError{Err: err}
}

// RetryAfterError marks a failure of something else (a bucket, a missing leg)
// that will mend by itself: the job waits at least After and the attempt does
// not count towards quarantine. Of a request, it says when to ask again.
type RetryAfterError struct {
	Err   error
	After time.Duration // 0: the usual back-off
}

func (e *RetryAfterError) Error() string { return e.Err.Error() }

func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter wraps err as a [*RetryAfterError]; nil stays nil.
func RetryAfter(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &RetryAfterError{Err: err, After: after}
}
