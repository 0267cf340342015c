package spool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

// File is a file of a call.
type File struct {
	Path    string // slash-separated, relative to the spool
	Size    int64  // bytes
	ModTime time.Time
	Name    Name
}

// Set is the files of a call.
type Set struct {
	Pattern *Pattern
	Files   []File // at least one
	// Whole says that no other files will come: legs that the pattern lists and that
	// aren't there are left out.
	Whole bool
	// Notes is what a file beside them says of the call; the zero value for nothing.
	Notes Notes
}

// id is what the recording of all files of the call is named for.
type id [16]byte

// idOf is the set's. It is made of what never changes while the call's files come in.
func (o *Options) idOf(tenant callmodel.TenantID, identity string) id {
	sum := sha256.Sum256([]byte(string(tenant) + "\x00" + path.Join(o.Below, identity)))
	return id(sum[:16])
}

// recordingID is the id of the recording that is made of a set.
func (i id) recordingID() callmodel.RecordingID {
	return callmodel.RecordingID("s-" + hex.EncodeToString(i[:]))
}

// tenantOf is whose the file is, by the mapping alone; "" for nobody's.
func (o *Options) tenantOf(n *Name) callmodel.TenantID {
	if n.Tenant == "" {
		return o.Tenant
	}
	return o.Tenants[n.Tenant]
}

// validID makes an id of text that somebody else wrote: the text itself if it is one,
// else what of it can be a part of one, and a sum of the whole, so that no two are alike.
func validID(text string) string {
	if callmodel.ValidID(text) {
		return text
	}
	const keep = 64 // bytes
	clean := strings.Map(func(c rune) rune {
		if c < 0x80 && callmodel.ValidID("x"+string(c)) {
			return c
		}
		return '-'
	}, text)
	for strings.Contains(clean, "..") {
		clean = strings.ReplaceAll(clean, "..", ".-")
	}
	clean = strings.Trim(clean[:min(len(clean), keep)], "-._")
	sum := sha256.Sum256([]byte(text))
	return strings.TrimPrefix(clean+"-"+hex.EncodeToString(sum[:8]), "-")
}

// Spec is what to record of the set's files. It is the same whatever order they are in.
// The error tells why nothing can be, as FieldErrors.
//
// A leg that the pattern lists is in it by name, whether it is there or not. The call's
// start is what the notes or the names say, else when the first of its files was last
// written: about the call's end. Offsets are known from the names and the notes alone,
// never from the files' times: without them every file begins with the call.
func (o *Options) Spec(s *Set) (record.Spec, error) {
	files := slices.Clone(s.Files)
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Name.Segment, b.Name.Segment), a.Name.Begin.Compare(b.Name.Begin), cmp.Compare(a.Path, b.Path))
	})
	first := &files[0].Name
	tenant := o.tenantOf(first)
	if tenant == "" { // which WithDefaults would give one
		return record.Spec{}, callmodel.FieldErrors{{Path: "tenant_id", Message: "isn't known: the mapping has no tenant for this name"}}
	}
	spec := record.Spec{
		TenantID: tenant, CallID: callmodel.CallID(cmp.Or(s.Notes.CallID, validID(first.Call))),
		RecordingID: o.idOf(tenant, first.identity).recordingID(),
		StartedAt:   s.start(files), EndedAt: s.Notes.EndedAt, Span: s.Notes.Span, LegsBelow: o.legsBelow(s.Pattern, first),
		Outputs: o.outputsOf(tenant), HostSoftware: cmp.Or(s.Notes.HostSoftware, o.HostSoftware),
	}
	for _, leg := range s.legs(files) {
		l := record.LegSpec{Name: validID(cmp.Or(s.Notes.Legs[leg].Name, leg))}
		for i := range files {
			if files[i].Name.Leg == leg {
				l.Segments = append(l.Segments, o.segment(&files[i], spec.StartedAt, s.Notes.Legs[leg].Offset))
			}
		}
		if len(l.Segments) == 0 { // it may come yet
			l.Segments = []record.SegmentSpec{o.segment(&File{Path: first.other(files[0].Path, leg), Name: Name{Ext: first.Ext}}, spec.StartedAt, s.Notes.Legs[leg].Offset)}
		}
		spec.Legs = append(spec.Legs, l)
	}
	spec = spec.WithDefaults() // the layouts
	for i := range spec.Outputs {
		spec.Outputs[i] = spec.Outputs[i].ForLegs(len(spec.Legs))
	}
	err := spec.Validate()
	if err == nil {
		err = record.ValidateRelative(spec.Legs)
	}
	return spec, err
}

// legs are the names of the set's legs, in the order of channels.
func (s *Set) legs(files []File) []string {
	var there []string
	for i := range files {
		if leg := files[i].Name.Leg; !slices.Contains(there, leg) {
			there = append(there, leg)
		}
	}
	slices.Sort(there)
	listed := s.Pattern.Legs()
	if len(listed) == 0 {
		return there
	}
	return slices.DeleteFunc(listed, func(leg string) bool {
		return !slices.Contains(there, leg) && (s.Whole || !files[0].Name.fixed)
	})
}

// missing reports whether a leg isn't there that the pattern lists, or fewer are than
// there must be.
func (s *Set) missing(least int) bool {
	legs := map[string]bool{}
	for i := range s.Files {
		legs[s.Files[i].Name.Leg] = true
	}
	return len(legs) < max(len(s.Pattern.Legs()), least)
}

// start is when the call began.
func (s *Set) start(files []File) time.Time {
	if !s.Notes.StartedAt.IsZero() {
		return s.Notes.StartedAt.UTC()
	}
	var named, written time.Time
	for i := range files {
		f := &files[i]
		at := f.Name.Start
		if at.IsZero() {
			at = f.Name.Begin
		}
		if !at.IsZero() && (named.IsZero() || at.Before(named)) {
			named = at
		}
		if written.IsZero() || f.ModTime.Before(written) {
			written = f.ModTime
		}
	}
	if named.IsZero() {
		named = written.UTC().Truncate(time.Second)
	}
	return named
}

// segment is a file of a leg of a call that began at start.
func (o *Options) segment(f *File, start time.Time, offset time.Duration) record.SegmentSpec {
	s := record.SegmentSpec{URI: path.Join(o.Below, f.Path), Offset: offset, Raw: rawFormat(f.Name.Ext)}
	if begin := f.Name.Begin; !begin.IsZero() && offset == 0 {
		s.Offset = max(begin.Sub(start), 0)
	}
	return s
}

// rawFormat is what a file of that extension holds that has no header; nil for files
// that say it themselves. In a spool .raw is Asterisk's other name for .sln.
func rawFormat(ext string) *record.RawFormat {
	if ext == "raw" {
		ext = "sln"
	}
	return codec.RawByName("leg." + ext)
}

// legsBelow is the directory that all of the call's files must be in when the worker
// opens them: the tenant's own where the tree has one, else the spool.
func (o *Options) legsBelow(p *Pattern, n *Name) string {
	dir := o.Below
	if len(p.fields) > 0 && p.fields[0].kind == "tenant" && strings.HasPrefix(p.text, "{tenant}/") {
		dir = path.Join(dir, n.Tenant)
	}
	if callmodel.ValidateRelativePath(dir) != nil {
		return ""
	}
	return dir
}

// outputsOf are those of a tenant's recordings.
func (o *Options) outputsOf(tenant callmodel.TenantID) []record.OutputSpec {
	if own := o.OutputsOf[tenant]; len(own) > 0 {
		return own
	}
	return o.Outputs
}
