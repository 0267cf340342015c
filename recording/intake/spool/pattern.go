package spool

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Pattern says how the files of calls are named, relative to the spool:
//
//	{call}         what the files of a call have in common, and their call's id
//	{call:LAYOUT}  the same, beginning with the call's start
//	{call:uri}     the same, percent-encoded (RFC 3986, section 2.1)
//	{tag}          16 hexadecimal digits that tell apart what one call's id was given twice for
//	{leg}          which leg it is; {leg:in|out}: one of these, in the order of channels
//	{ssrc}         the same, a hexadecimal number of up to 8 digits
//	{segment}      a number: which file of the leg; needs {legtime:LAYOUT}
//	{tenant}       whose call it is, by the mapping of the spool
//	{time:LAYOUT}  the call's start, or a part of it; may be repeated
//	{legtime:LAYOUT} when the file begins, which other files of the call needn't share
//	{dirs}         any number of directories, each with its slash
//	{any}          anything within a name
//	{ext}          a file extension of audio: wav, mp3, flac, gsm, ulaw, alaw, sln …
//
// Everything else stands for itself. A LAYOUT is one of package time's with 2006, 06,
// 01, Jan, January, 02, 15, 04 and 05, or "unix" for seconds since 1970. Names of legs
// and extensions match in upper and lower case. Without {leg} or {ssrc} a call is one
// file, whose leg is named "call".
//
// A Pattern is made by [ParsePattern] and may be used by any number of goroutines.
type Pattern struct {
	text   string
	form   *regexp.Regexp
	fields []field
	legs   []string // that {leg:…} lists
}

// field is what a group of the pattern's form stands for.
type field struct {
	kind   string
	spec   string         // what stands behind the colon
	layout string         // of a time
	begins *regexp.Regexp // what a call begins with that has one
}

// Name is what a file's name tells.
type Name struct {
	Call    string    // as it stands in the name, decoded if the pattern says {call:uri}
	Leg     string    // as the pattern spells it; "call" if it has no legs
	Segment int       // 0 if there are none
	Tenant  string    // as it stands in the name; "" if it doesn't
	Start   time.Time // of the call; zero if the name doesn't say the date
	Begin   time.Time // of the file; zero if the name doesn't say
	Ext     string    // in lower case, without a dot; "" if the pattern has none

	identity string // what all files of the call have in common
	leg      [2]int // where the leg stands in the path; {0, 0} if nowhere
	fixed    bool   // the path of another leg differs in that alone
}

// uriEncoded is what stands behind {call: for one that is percent-encoded.
const uriEncoded = "uri"

// onlyLeg is the name of the leg of a call that is one file.
const onlyLeg = "call"

// extensions are those of audio that telephone servers write.
func extensions() []string {
	return []string{
		"wav49", "wave", "wav", "mp3", "flac", "gsm", "ulaw", "mulaw", "pcmu", "ul", "mu",
		"alaw", "pcma", "al", "sln16", "sln", "slin", "raw",
	}
}

// isAudioName reports whether a file is audio by its name.
func isAudioName(file string) bool {
	return slices.Contains(extensions(), strings.ToLower(strings.TrimPrefix(path.Ext(file), ".")))
}

// ParsePattern reads a pattern. Every fault of it is told at once.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	var form strings.Builder
	var faults []error
	rest := text
	for rest != "" {
		literal, after, found := strings.Cut(rest, "{")
		form.WriteString(regexp.QuoteMeta(literal))
		if !found {
			break
		}
		inside, behind, closed := strings.Cut(after, "}")
		if !closed {
			faults = append(faults, fmt.Errorf("{%s has no }", after))
			break
		}
		f, group, err := parseField(inside)
		if err != nil {
			faults = append(faults, fmt.Errorf("{%s} %w", inside, err))
		}
		if f.kind == "leg" && f.spec != "" {
			p.legs = strings.Split(f.spec, "|")
		}
		p.fields = append(p.fields, f)
		form.WriteString("(" + group + ")")
		rest = behind
	}
	faults = append(faults, p.check()...)
	if err := errors.Join(faults...); err != nil {
		return Pattern{}, fmt.Errorf("the pattern %q: %w", text, err)
	}
	var err error
	if p.form, err = regexp.Compile("^" + form.String() + "$"); err != nil {
		return Pattern{}, fmt.Errorf("the pattern %q: %w", text, err)
	}
	return p, nil
}

// parseField reads what stands between braces, and gives what it matches.
func parseField(inside string) (field, string, error) {
	kind, spec, given := strings.Cut(inside, ":")
	f := field{kind: kind, spec: spec}
	plain := map[string]string{
		"call": `[^/]+`, "leg": `[^/]+?`, "ssrc": `[0-9a-fA-F]{1,8}`, "segment": `[0-9]{1,9}`, "tenant": `[^/]+?`,
		"tag": `[0-9a-fA-F]{16}`, "dirs": `(?:[^/]+/)*`, "any": `[^/]*`, "ext": `(?i:` + strings.Join(extensions(), "|") + `)`,
	}
	switch form, known := plain[kind]; {
	case kind == "call" && spec == uriEncoded:
		return f, form, nil
	case kind == "time" || kind == "legtime" || kind == "call" && given:
		form, err := layoutForm(spec)
		f.layout = spec
		if kind == "call" && err == nil {
			f.begins, err = regexp.Compile("^" + form)
			form += `[^/]*`
		}
		return f, form, err
	case kind == "leg" && given:
		var names []string
		for name := range strings.SplitSeq(spec, "|") {
			if name == "" || strings.Contains(name, "/") || slices.Contains(names, name) {
				return f, "", errors.New("must list the names of legs once each, as {leg:in|out}")
			}
			names = append(names, name)
		}
		quoted := make([]string, len(names))
		for i, name := range names {
			quoted[i] = regexp.QuoteMeta(name)
		}
		return f, `(?i:` + strings.Join(quoted, "|") + `)`, nil
	case !known:
		return f, "", errors.New("is unknown; there are call, leg, ssrc, tag, segment, tenant, time, legtime, dirs, any and ext")
	case given:
		return f, "", errors.New("takes nothing behind a colon")
	default:
		return f, form, nil
	}
}

// check reports what is wrong with the fields together.
func (p *Pattern) check() []error {
	var faults []error
	count := map[string]int{}
	for _, f := range p.fields {
		count[f.kind]++
	}
	if count["call"] != 1 {
		faults = append(faults, errors.New("must have {call} once: it tells whose call a file is"))
	}
	for _, kind := range []string{"segment", "tenant", "ext", "legtime", "tag"} {
		if count[kind] > 1 {
			faults = append(faults, fmt.Errorf("has {%s} more than once", kind))
		}
	}
	if count["leg"]+count["ssrc"] > 1 {
		faults = append(faults, errors.New("has more than one {leg} or {ssrc}"))
	}
	if count["segment"] > 0 && count["legtime"] == 0 {
		faults = append(faults, errors.New("has {segment} and no {legtime:…}: nothing says where on the call the second file of a leg begins"))
	}
	return faults
}

// String is the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Legs are the names of the legs of every call, in the order of channels; nil where
// the pattern doesn't say which there are.
func (p *Pattern) Legs() []string {
	if len(p.legs) == 0 && !p.hasLeg() {
		return []string{onlyLeg}
	}
	return slices.Clone(p.legs)
}

// HasTenant reports whether names say whose the calls are.
func (p *Pattern) HasTenant() bool {
	return slices.ContainsFunc(p.fields, func(f field) bool { return f.kind == "tenant" })
}

func (p *Pattern) hasLeg() bool {
	return slices.ContainsFunc(p.fields, func(f field) bool { return f.kind == "leg" || f.kind == "ssrc" })
}

// Match reads the slash-separated path of a file, relative to the spool. Times without
// a zone are those of zone. False: it is another kind of file.
func (p *Pattern) Match(path string, zone *time.Location) (Name, bool) {
	at := p.form.FindStringSubmatchIndex(path)
	if at == nil {
		return Name{}, false
	}
	n := Name{Leg: onlyLeg, fixed: true}
	var identity strings.Builder
	var call, begin moment
	done := 0
	for i, f := range p.fields {
		from, to := at[2*i+2], at[2*i+3]
		value := path[from:to]
		identity.WriteString(path[done:from])
		done = to
		switch f.kind {
		case "leg", "ssrc":
			n.Leg, n.leg = p.spelled(value), [2]int{from, to}
			identity.WriteString("{" + f.kind + ":" + f.spec + "}")
		case "segment":
			n.Segment, _ = strconv.Atoi(value) // of at most nine digits
			n.fixed = false
		case "ext":
			n.Ext = strings.ToLower(value)
		case "legtime":
			begin.add(f.layout, value)
			n.fixed = false
		case "time":
			call.add(f.layout, value)
			identity.WriteString(value)
		case "call":
			n.Call = value
			if f.spec == uriEncoded {
				var err error
				if n.Call, err = url.PathUnescape(value); err != nil {
					return Name{}, false
				}
			}
			if f.begins != nil {
				call.add(f.layout, f.begins.FindString(value))
			}
			identity.WriteString(value)
		case "tenant":
			n.Tenant = value
			identity.WriteString(value)
		default:
			identity.WriteString(value)
		}
	}
	identity.WriteString(path[done:])
	n.identity = identity.String()
	var fits [2]bool
	n.Start, fits[0] = call.in(zone)
	n.Begin, fits[1] = begin.in(zone)
	return n, fits[0] && fits[1]
}

// spelled is the leg as the pattern spells it.
func (p *Pattern) spelled(leg string) string {
	for _, l := range p.legs {
		if strings.EqualFold(l, leg) {
			return l
		}
	}
	return leg
}

// other is the path of another leg of the call, as the one at path is written.
func (n *Name) other(path, leg string) string {
	was := path[n.leg[0]:n.leg[1]]
	if was == strings.ToUpper(was) && was != strings.ToLower(was) {
		leg = strings.ToUpper(leg)
	}
	return path[:n.leg[0]] + leg + path[n.leg[1]:]
}
