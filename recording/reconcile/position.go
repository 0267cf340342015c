package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// phase is what a run is at.
type phase string

const (
	phaseCalls   phase = "calls"
	phaseJobs    phase = "jobs"
	phaseObjects phase = "objects"
	phaseBackup  phase = "backup"
	phaseLegs    phase = "legs"
	phaseDone    phase = "done"
)

// position is how far a run has come.
type position struct {
	Form     int              `json:"form"`
	Begun    time.Time        `json:"begun"` // the ledger's clock
	Phase    phase            `json:"phase"`
	Call     ledger.CallPlace `json:"call"`
	Job      callmodel.JobID  `json:"job"`
	Home     bucketPosition   `json:"home"`
	Backup   bucketPosition   `json:"backup"`
	Legs     runsState        `json:"legs"`
	Leg      string           `json:"leg"`      // legs up to this one were compared
	Findings int64            `json:"findings"` // bytes of the file of what was found
	Report   Report           `json:"report"`
}

// bucketPosition is how far a run has come with one of the buckets.
type bucketPosition struct {
	Bucket string    `json:"bucket"` // its URL; "" without a backup
	Runs   runsState `json:"runs"`   // what the ledger names there
	Token  string    `json:"token"`  // of the page in which the listing goes on
	Key    string    `json:"key"`    // objects up to this one were compared
}

const (
	// positionForm is that of this code. Form 1 knew no backup: such a run begins again.
	positionForm = 2
	positionFile = "position.json"
	findingsFile = "findings.jsonl"
)

// loadPosition is the position that the directory keeps; a new one if it has none.
func loadPosition(dir string) (position, error) {
	b, err := os.ReadFile(filepath.Join(dir, positionFile)) //nolint:gosec // the directory is the caller's
	if errors.Is(err, fs.ErrNotExist) {
		return position{}, nil
	}
	if err != nil {
		return position{}, err
	}
	var p position
	err = json.Unmarshal(b, &p)
	if err == nil && p.Form > 0 && p.Form < positionForm {
		return position{}, nil
	}
	if err != nil || p.Form != positionForm {
		return p, callmodel.Errorf(callmodel.CodeInvalid, "the position in %s can't be read; empty the directory to begin again: %w",
			dir, errors.Join(err, fmt.Errorf("form %d, and not %d", p.Form, positionForm)))
	}
	return p, nil
}

// keep writes the position, whole or not at all.
func (p *position) keep(dir string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".position-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, positionFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// forget removes what a run has left in the directory, and nothing else.
func forget(dir string) error {
	err := os.Remove(filepath.Join(dir, positionFile)) // first: without it the rest is nothing
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		for _, pattern := range []string{findingsFile, "objects-*.run", "backup-*.run", "legs-*.run", ".position-*"} {
			if ours, _ := path.Match(pattern, e.Name()); ours {
				err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
			}
		}
	}
	return err
}
