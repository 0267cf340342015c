package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// finished is the directory that notes recordings which are in their bucket while the
// ledger can't be told, a file for each job: Options.FinishedDir. A process that is
// restarted meanwhile commits them then, and makes none again. With "" it notes nothing.
type finished struct{ dir string }

// finishedFor is how long a note is kept at least: of a job that another worker did
// nobody asks again.
const finishedFor = 7 * 24 * time.Hour

// note is a file of the directory.
type note struct {
	JobID callmodel.JobID `json:"job_id"`
	// Of is what was done: what the job said, and the version before. A job that a person
	// has put back is another one.
	Of     string        `json:"of"`
	Result record.Result `json:"result"`
}

func noteOf(j *ledger.Job) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %d %s %d", len(j.Payload), j.Payload, len(j.Result), j.Result, j.CreatedAt.UnixMicro())
	return hex.EncodeToString(h.Sum(nil))
}

// path is the file for the job, whose id may be of any form.
func (f finished) path(j *ledger.Job) string {
	name := sha256.Sum256([]byte(j.ID))
	return filepath.Join(f.dir, hex.EncodeToString(name[:16])+".json")
}

// put notes the recording. It is durable when put returns without an error.
func (f finished) put(j *ledger.Job, r *record.Result) (err error) {
	if f.dir == "" {
		return nil
	}
	body, err := json.Marshal(note{JobID: j.ID, Of: noteOf(j), Result: *r})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(f.dir, ".note-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(body)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), f.path(j)); err != nil {
		return err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// take is the recording that was noted for just this job; nil for none. A note that can't
// be read is none: the recording is made again then, and is the same.
func (f finished) take(j *ledger.Job) *record.Result {
	if f.dir == "" {
		return nil
	}
	body, err := os.ReadFile(f.path(j))
	if err != nil {
		return nil
	}
	var n note
	if json.Unmarshal(body, &n) != nil || n.JobID != j.ID || n.Of != noteOf(j) {
		f.drop(j)
		return nil
	}
	return &n.Result
}

// drop forgets the job's recording.
func (f finished) drop(j *ledger.Job) {
	if f.dir != "" {
		_ = os.Remove(f.path(j))
	}
}

// sweep removes what nobody has asked for, and what a crash has left half written.
func (f finished) sweep() error {
	if f.dir == "" {
		return nil
	}
	list, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		info, infoErr := e.Info()
		ours := strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".note-")
		if infoErr == nil && ours && info.Mode().IsRegular() && now().Sub(info.ModTime()) > finishedFor {
			err = errors.Join(err, os.Remove(filepath.Join(f.dir, e.Name())))
		}
	}
	return err
}

// committed repeats the commit of a recording until the ledger answers. Meanwhile the
// recording is noted, so that the end of the process doesn't lose the work. What is noted
// stays if the lease is lost: this worker may be who has the job next.
func (t *recordingAttempt) committed(ctx context.Context, r *record.Result, commit func() error) error {
	noted := false
	note := func() {
		if noted {
			return
		}
		noted = true
		if fault := t.w.finished.put(&t.Job, r); fault != nil {
			t.w.opts.Logger.WarnContext(ctx, "a finished recording can't be noted; if the worker ends before the ledger answers it is made again",
				"job", t.Job.ID, "error", fault)
		}
	}
	if t.w.ledger.silent() {
		note() // a kill while the ledger is asked in vain must not lose it either
	}
	err := t.w.untilAnswered(ctx, t.attempt, func() error {
		err := commit()
		switch {
		case err == nil:
			t.w.finished.drop(&t.Job)
		case callmodel.CodeOf(err) == callmodel.CodeUnavailable:
			note()
		}
		return err
	})
	if err == nil {
		t.movedHome(ctx, r)
	}
	return err
}
