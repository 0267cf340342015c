package spool

import (
	"fmt"
	"slices"
	"strings"
)

// preset is the naming of a telephone server. The patterns of one never change, as the
// ids of recordings are made of them; another naming is another preset.
type preset struct {
	name     string
	patterns []string
}

// presets are those by name.
func presets() []preset {
	return []preset{
		// Monitor's -in and -out; what dialplans commonly give MixMonitor's options
		// r() (received) and t() (transmitted) for.
		{"asterisk", []string{"{dirs}{call}-{leg:in|out}.{ext}", "{dirs}{call}-{leg:r|t}.{ext}", "{dirs}{call}-{leg:rx|tx}.{ext}"}},
		// record_session with RECORD_READ_ONLY and RECORD_WRITE_ONLY, each to a file of
		// its own; else one file of the call, which RECORD_STEREO gives two channels.
		{"freeswitch", []string{"{dirs}{call}-{leg:read|write}.{ext}", "{dirs}{call}_{leg:read|write}.{ext}", "{dirs}{call}.{ext}"}},
		// The record-template of FusionPBX's SIP profiles: a tree a domain.
		{"fusionpbx", []string{"{tenant}/archive/{time:2006}/{time:Jan}/{time:02}/{call}.{ext}"}},
		// The recording daemon's default output-pattern for single streams, %c-%r-%t, and
		// %c-%t before it; channels are in the order of the streams' numbers. The mixed one is
		// another name, and not a leg. What else the daemon knows of a call it tells a
		// database: the metadata in rtpengine's spool are gone when the call is.
		{"rtpengine", []string{"{dirs}{call:uri}-{tag}-{ssrc}.{ext}", "{dirs}{call:uri}-{ssrc}.{ext}"}},
		// Campaigns' FULLDATE_… file names, before they are mixed.
		{"vicidial", []string{"{dirs}{call:20060102-150405}-{leg:in|out}.{ext}"}},
	}
}

// Presets lists the names of the telephone servers whose namings are known.
func Presets() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// Patterns are those of a preset, by its name, or the pattern itself. They are tried
// in order.
func Patterns(presetOrPattern string) ([]Pattern, error) {
	texts := []string{presetOrPattern}
	if i := slices.IndexFunc(presets(), func(p preset) bool { return p.name == presetOrPattern }); i >= 0 {
		texts = presets()[i].patterns
	} else if !strings.Contains(presetOrPattern, "{") {
		return nil, fmt.Errorf("%q is no pattern, as {call}-{leg:in|out}.wav, and not one of %s", presetOrPattern, strings.Join(Presets(), ", "))
	}
	list := make([]Pattern, 0, len(texts))
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// match reads the path by the first of the patterns that it fits.
func (o *Options) match(path string) (*Pattern, Name, bool) {
	for i := range o.Patterns {
		if n, ok := o.Patterns[i].Match(path, o.Zone); ok {
			return &o.Patterns[i], n, true
		}
	}
	return nil, Name{}, false
}
