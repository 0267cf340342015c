package adopt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/manifest"
)

// isOwn reports whether the key is of the form of Switchtape's own: record.ObjectKey's.
func isOwn(key string) bool {
	return strings.Contains("/"+key, "/year=") && strings.Contains(key, "/hour=")
}

// own adopts a recording that Switchtape itself has made, by its manifest, where the ledger
// doesn't know it: one that was restored from a back-up older than the bucket.
func (a *Adopter) own(ctx context.Context, f Found, do bool) (Found, error) {
	leave := func(why string) (Found, error) {
		return Found{Key: f.Key, Bytes: f.Bytes, LeftOut: why}, nil
	}
	if a.ledger == nil {
		return leave("a recording of Switchtape's own: whether a ledger knows it isn't known without one")
	}
	text, why, err := a.whole(ctx, f.Key)
	if err != nil || why != "" {
		return orLeft(f, why, err)
	}
	m, err := manifest.Parse(bytes.NewReader(text))
	if err != nil {
		return leave("its manifest can't be used: " + err.Error())
	}
	version, ok := versionOf(f.Key, m)
	if !ok {
		return leave("its manifest is of another recording than its name says")
	}
	f.Own, f.TenantID, f.CallID, f.RecordingID, f.StartedAt = true, m.TenantID, m.CallID, m.RecordingID, m.StartedAt
	jobs, err := a.ledger.Jobs(ctx, ledger.Filter{Kind: record.Kind, TenantID: m.TenantID, CallID: m.CallID, Limit: maxJobs})
	if err != nil {
		return f, err
	}
	if slices.ContainsFunc(jobs, func(j ledger.Job) bool { return j.Key == string(m.RecordingID) }) {
		return leave(known)
	}
	next, why, err := a.open(ctx, version.Next().String())
	if err != nil {
		return f, err
	}
	if why == "" {
		_ = next.Close() // nothing was read
		return leave("an earlier version of a recording, of which the later one is there")
	}
	r, why, err := a.made(ctx, f.Key, m, do)
	if err != nil || why != "" || !do {
		return orLeft(f, why, err)
	}
	sum := sha256.Sum256(text)
	r.Manifest = &record.ManifestResult{URL: a.bucket.URL(f.Key), Key: f.Key, Bytes: f.Bytes, SHA256: hex.EncodeToString(sum[:])}
	var created bool
	f.JobID, created, why, err = a.settle(ctx, &m.Spec, r)
	if err == nil && why == "" && !created {
		why = known // somebody else was faster
	}
	return orLeft(f, why, err)
}

// known is said of a recording whose job is there.
const known = "a recording of Switchtape's own: its ledger knows it"

// orLeft is f, or that it was left out.
func orLeft(f Found, why string, err error) (Found, error) {
	if err == nil && why != "" {
		return Found{Key: f.Key, Bytes: f.Bytes, LeftOut: why}, nil
	}
	return f, err
}

// versionOf is the manifest's key, if it is the one that such a manifest has.
func versionOf(key string, m *manifest.Manifest) (record.ObjectKey, bool) {
	k := m.Spec.ManifestKey()
	rest := strings.TrimSuffix(key, "."+k.Ext)
	v, err := strconv.Atoi(rest[strings.LastIndex(rest, ".v")+len(".v"):])
	k.Version = v
	return k, err == nil && k.Validate() == nil && k.String() == key
}

// whole reads a small object.
func (a *Adopter) whole(ctx context.Context, key string) (text []byte, why string, err error) {
	body, why, err := a.open(ctx, key)
	if body == nil {
		return nil, why, err
	}
	defer body.Close() //nolint:errcheck // only read from
	text, err = io.ReadAll(io.LimitReader(body, manifest.MaxBytes+1))
	return text, "", err
}

// made is the result that the manifest is of. With do every file is read, and compared with
// its hash; without, it is seen whether it is there.
func (a *Adopter) made(ctx context.Context, key string, m *manifest.Manifest, do bool) (r *record.Result, why string, err error) {
	r = &record.Result{
		Status: m.Status, Defects: m.Defects, Duration: m.Duration, Trimmed: m.Trimmed, Timeline: m.Timeline, Paused: m.Paused,
		Redacted: m.Redacted, Analysis: m.Analysis, HostSoftware: m.Spec.HostSoftware,
	}
	for i := range m.Sources {
		r.Legs = append(r.Legs, m.Sources[i].LegResult)
	}
	for i := range m.Outputs {
		o := m.Outputs[i].OutputResult
		o.Key = path.Join(path.Dir(key), m.Outputs[i].File)
		o.URL = a.bucket.URL(o.Key)
		if why, err := a.same(ctx, &o, do); err != nil || why != "" {
			return nil, why, err
		}
		r.Outputs = append(r.Outputs, o)
	}
	return r, "", nil
}

// same says why the object isn't the output.
func (a *Adopter) same(ctx context.Context, o *record.OutputResult, do bool) (why string, err error) {
	body, why, err := a.open(ctx, o.Key)
	if body == nil {
		if why != "" {
			why = o.Key + ", which its manifest names: " + why
		}
		return why, err
	}
	defer body.Close() //nolint:errcheck // only read from
	if !do {
		return "", nil
	}
	h := sha256.New()
	n, err := io.Copy(h, body)
	if err != nil {
		return "", err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != o.SHA256 {
		return fmt.Sprintf("%s isn't what its manifest says: %d bytes of SHA-256 %s, and not %d of %s", o.Key, n, sum, o.Bytes, o.SHA256), nil
	}
	return "", nil
}

// settle puts a job in the ledger that is done. why says what is wrong with one that can't be.
func (a *Adopter) settle(ctx context.Context, spec *record.Spec, r *record.Result) (id callmodel.JobID, created bool, why string, err error) {
	job, err := record.NewJob(*spec, "", 0)
	if err != nil {
		return "", false, "", err
	}
	job.Actor = a.opts.Actor
	o, err := record.Outcome(*r)
	if err != nil {
		return "", false, "", err
	}
	id, created, err = a.ledger.Adopt(ctx, job, o)
	if faults, invalid := errors.AsType[callmodel.FieldErrors](err); invalid {
		return "", false, "no recording can be made of it: " + faults.Error(), nil
	}
	return id, created, "", err
}
