package doctor

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/worker"
)

// Plan is what a program's settings need.
type Plan struct {
	Program  string
	DB       service.DBOptions
	Migrates bool // the program brings the schema up to date itself
	Bucket   service.BucketOptions
	Buckets  service.Buckets
	Legs     string // a directory or a bucket; "": the program reads none
	Dirs     []Dir
	Queues   []string // that a worker serves
	Codec    record.Codec
	TLS      service.TLSOptions
	Private  []Private
	Listen   []Address
	Now      func() time.Time
}

// Dir is a directory that a program writes to.
type Dir struct {
	Flag, Path string
	// Reserve is how much must be free for the program to go on well, in bytes.
	Reserve uint64
}

// Private is a file that only the program's own user may read.
type Private struct{ Flag, Path string }

// Address is where a program listens.
type Address struct{ Flag, Address string }

const (
	mega = 1 << 20
	// someSpace is what a disk should have free for files that are small, or wait shortly.
	someSpace = 512 * mega
)

// OfAPI is the plan of switchtape-api.
func OfAPI(p *service.APIProgram, b service.Buckets, now func() time.Time) *Plan {
	plan := &Plan{
		Program: "switchtape-api", DB: p.DBOptions, Migrates: p.Migrate, Buckets: b, Now: now, Codec: record.Codec(p.RecordCodec),
		Bucket: service.BucketOptions{Bucket: p.Bucket, BackupBucket: p.BackupBucket, EncryptionOptions: p.EncryptionOptions},
	}
	plan.api(&p.APIOptions)
	plan.listens("--listen", p.Listen)
	return plan
}

// OfWorker is the plan of switchtape-worker.
func OfWorker(p *service.WorkerProgram, b service.Buckets, now func() time.Time) *Plan {
	plan := &Plan{
		Program: "switchtape-worker", DB: p.DBOptions, Migrates: p.Migrate, Bucket: p.BucketOptions, Buckets: b, Now: now,
		Legs: p.Legs, Queues: p.Served(),
	}
	plan.writes("--spool-dir", p.SpoolDir, someSpace)
	plan.writes("--finished-dir", p.FinishedDir, mega)
	plan.writes("--verify-dir", p.VerifyDir, someSpace)
	plan.listens("--listen", p.Listen)
	plan.listens("--admin-listener", p.AdminListener)
	return plan
}

// Serve is what a process with an API and a worker uses.
type Serve struct {
	Dir, DB, Bucket, BackupBucket, Legs, Listen string
	Keys                                        service.EncryptionOptions
	Secrets                                     service.SecretOptions
	API                                         *service.APIOptions
}

// OfServe is the plan of switchtape serve.
func OfServe(s *Serve, b service.Buckets, now func() time.Time) *Plan {
	plan := &Plan{
		Program: "switchtape serve", DB: service.DBOptions{DB: s.DB, SecretOptions: s.Secrets}, Migrates: true, Buckets: b, Now: now,
		Bucket: service.BucketOptions{Bucket: s.Bucket, BackupBucket: s.BackupBucket, EncryptionOptions: s.Keys}, Legs: s.Legs, Queues: []string{worker.AllQueues}, Codec: record.Codec(s.API.RecordCodec),
	}
	plan.writes("--dir", s.Dir, someSpace)
	plan.api(s.API)
	plan.listens("--listen", s.Listen)
	return plan
}

func (p *Plan) api(o *service.APIOptions) {
	p.TLS = o.TLSOptions
	p.writes("--journal", o.Journal, uint64(max(o.JournalReserve, 0))*mega)
	p.writes("--rules-snapshot", o.RulesSnapshot, someSpace)
	p.writes("--verify-dir", o.VerifyDir, someSpace)
	if o.Keys != "" {
		p.Private = append(p.Private, Private{"--keys", o.Keys})
	}
	if o.TLSKey != "" {
		p.Private = append(p.Private, Private{"--tls-key", o.TLSKey})
	}
	p.listens("--admin-listener", o.AdminListener)
	p.listens("--emergency-listen", o.EmergencyListen)
}

func (p *Plan) writes(flag, path string, reserve uint64) {
	if path != "" {
		p.Dirs = append(p.Dirs, Dir{Flag: flag, Path: path, Reserve: reserve})
	}
}

func (p *Plan) listens(flag, address string) {
	if address != "" {
		p.Listen = append(p.Listen, Address{Flag: flag, Address: address})
	}
}

// Settings adds the file of settings, which is private if it holds a secret: one that
// isn't in a file of its own.
func (p *Plan) Settings(path string, settings []cli.Setting) {
	if path == "" {
		return
	}
	if slices.ContainsFunc(settings, func(s cli.Setting) bool { return s.Secret && strings.HasPrefix(s.Origin, path+":") }) {
		p.Private = append(p.Private, Private{"--config", path})
	}
}

// below is the nearest directory that exists, of path or above it.
func below(path string, exists func(string) bool) string {
	for !exists(path) {
		up := filepath.Dir(path)
		if up == path {
			break
		}
		path = up
	}
	return path
}
