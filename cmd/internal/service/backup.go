package service

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
)

// backupBucket is the worker's backup: recordings are made in it while their bucket is
// away, and moved home from it.
type backupBucket struct {
	*recording.Processor

	home, backup *storage.Store
}

// BringHome implements worker.Backup.
func (b *backupBucket) BringHome(ctx context.Context, key, sha256 string) (string, error) {
	info, err := b.home.TakeFrom(ctx, b.backup, key, sha256)
	return info.URL, err
}

// Remove implements worker.Backup.
func (b *backupBucket) Remove(ctx context.Context, key, sha256 string) error {
	return b.backup.Remove(ctx, key, sha256)
}

// Bucket implements worker.Backup.
func (b *backupBucket) Bucket() string { return b.backup.String() }

// comparedBackup is the backup as a comparison uses it.
type comparedBackup struct {
	*storage.Store

	home *storage.Store
}

// BringHome implements reconcile.Backup.
func (b comparedBackup) BringHome(ctx context.Context, key, sha256 string) (string, error) {
	info, err := b.home.TakeFrom(ctx, b.Store, key, sha256)
	return info.URL, err
}

// Compared are the recordings' bucket and its backup, each for itself, as reconcile.Run
// compares them. The backup is nil if there is none.
func (s *Stores) Compared() (reconcile.Bucket, reconcile.Backup) {
	home := s.Objects.Alone()
	if s.Backup == nil {
		return home, nil
	}
	return home, comparedBackup{s.Backup, home}
}

// SweepBackup sweeps the backup bucket, if there is one, as SweepUploads does theirs, and
// moves home what lies there for long, now and then until ctx ends.
func (s *Stores) SweepBackup(ctx context.Context, log *slog.Logger) error {
	if s.Backup == nil {
		return nil
	}
	return everySweep(ctx, func(ctx context.Context, before time.Time) {
		sweepOnce(ctx, s.Backup, before, log)
		n, err := s.moveLeft(ctx, before)
		if n > 0 {
			log.InfoContext(ctx, "objects that were left in the backup bucket have been moved home", "bucket", s.Objects.String(), "backup", s.Backup.String(), "objects", n)
		}
		if err != nil {
			log.WarnContext(ctx, "objects are left in the backup bucket", "bucket", s.Objects.String(), "backup", s.Backup.String(), "error", err)
		}
	})
}

// moveLeft moves the objects home that have been in the backup since before that time: those
// of workers that were killed when they had told the ledger and not yet removed them, and of
// jobs that somebody has ended. What the bucket has under another object's key stays.
func (s *Stores) moveLeft(ctx context.Context, before time.Time) (moved int, err error) {
	var kept []error
	for token := ""; ; {
		page, err := s.Backup.ListPage(ctx, token)
		if err != nil {
			return moved, err
		}
		for _, o := range page.Objects {
			if _, ours := record.ParseObjectKey(o.Key); !ours || !o.Current || o.Deleted || !o.ModTime.Before(before) {
				continue
			}
			err := s.moveHome(ctx, o.Key)
			switch {
			case err == nil:
				moved++
			case errors.Is(err, fs.ErrNotExist): // others sweep, too, and jobs move theirs
			case !stays(err):
				return moved, err
			case len(kept) < maxTold:
				kept = append(kept, err)
			}
		}
		if token = page.Next; token == "" {
			return moved, errors.Join(kept...)
		}
	}
}

// stays reports whether the error is one object's, which stays where it is: the others can
// be moved all the same.
func stays(err error) bool {
	code := callmodel.CodeOf(err)
	return code == callmodel.CodeConflict || code == callmodel.CodeDamaged
}

// maxTold is how many objects that stay a line of the log names at most.
const maxTold = 10

func (s *Stores) moveHome(ctx context.Context, key string) error {
	head, err := s.Backup.Stat(ctx, key)
	if err != nil {
		return err
	}
	if _, err = s.Objects.TakeFrom(ctx, s.Backup, key, head.SHA256); err != nil {
		return err
	}
	return s.Backup.Remove(ctx, key, head.SHA256)
}
