package calldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchtape/switchtape/callmodel"
)

// fail gives err a code and says what was being done to which database. Errors
// that carry a code already, and the end of a context, pass as they are.
func (d *DB) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if coded := codedIn(err); coded != nil {
		return coded
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("calldb: %s: %w", op, err)
	}
	code, what := callmodel.CodeInternal, ""
	switch d.dialect.classify(err) {
	case faultRetry:
		code, what = callmodel.CodeUnavailable, "too many others write the same rows; retry"
	case faultLocked:
		code = callmodel.CodeUnavailable
		what = fmt.Sprintf("the file is locked by another process, and was for %v; stop that process, or try again", d.opts.BusyTimeout)
	case faultUnavailable:
		code, what = callmodel.CodeUnavailable, "the database can't be reached or can't take the write"
	case faultNoFile:
		code, what = callmodel.CodeUnavailable, "the file can't be opened: check that its directory exists and may be written"
	case faultNotDatabase:
		what = "the file is not a SQLite database, or is damaged: check the path, or restore it from a backup"
	case faultReadOnly:
		code, what = callmodel.CodeUnavailable, "the file can't be written: check its owner and mode, and those of its directory"
	case faultNoTable:
		d.schema.Store(0) // it isn't what it was: look again
		code, what = callmodel.CodeUnavailable, "the schema is missing or older than this program: run \"switchtape migrate up\""
	case faultAccess:
		code, what = callmodel.CodeUnavailable, "the server refused the user, the password or the database's name"
	case faultOther:
	}
	if what == "" {
		return callmodel.Errorf(code, "calldb: %s: %s: %w", d.name, op, err)
	}
	return callmodel.Errorf(code, "calldb: %s: %s: %s: %w", d.name, op, what, err)
}

// codedIn finds the error of ours that ended a transaction, without what the
// rollback may have added to it.
func codedIn(err error) error {
	if callmodel.CodeOf(err) == callmodel.CodeInternal {
		var own *callmodel.Error
		if !errors.As(err, &own) {
			return nil
		}
		return own
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if callmodel.CodeOf(e) != callmodel.CodeInternal {
				return e
			}
		}
	}
	return err
}
