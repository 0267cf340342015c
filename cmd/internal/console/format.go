package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
)

// parsePages reads the templates: each page with the layout and the parts that it shares
// with others.
func parsePages() (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	base, err := template.New("").Funcs(functions()).ParseFS(files, "pages/layout.html", "pages/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		of := strings.TrimSuffix(path.Base(name), ".html")
		if of == "layout" || of == "parts" {
			continue
		}
		t, err := base.Clone()
		if err == nil {
			_, err = t.ParseFS(files, name)
		}
		if err != nil {
			return nil, err
		}
		pages[of] = t
	}
	return pages, nil
}

// functions are what templates can say.
func functions() template.FuncMap {
	return template.FuncMap{
		"time": timeOf, "clock": clock, "length": length, "bytes": size, "ms": milliseconds, "seconds": seconds,
		"percent": func(f float64) string { return strconv.FormatFloat(100*f, 'f', 1, 64) + " %" },
		"join":    strings.Join,
		"tone":    tone,
		"defect":  defectKind,
		"cause":   causeText,
		"list":    func(s ...string) []string { return s }, "party": party,
		"count": count, "short": short, "kind": changeKind,
		"hour": strings.NewReplacer("T", " ", ":00Z", "").Replace, "moment": fieldTime, "reason": reasonText, "clip": func(n int, s string) string { return clipped(s, n) },
		"contains": slices.Contains[[]string],
		"words":    spaced,
	}
}

// timeOf is a moment as a browser shows it in its own zone; without scripts in UTC.
func timeOf(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format("2006-01-02T15:04:05.000Z") + `">` + t.Format("2006-01-02 15:04:05") + ` UTC</time>`) //nolint:gosec // digits alone
}

// fieldTime is a time as a field of one takes it (HTML, section 2.3.5.5), in UTC; "" for what
// is none, of which browsers would complain.
func fieldTime(s string) string {
	for _, form := range append(formTimes(), time.RFC3339) {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC().Format("2006-01-02T15:04:05")
		}
	}
	return ""
}

// reasonText is a reason for people: codes of it are words, other text stays as it is.
func reasonText(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) >= 0 {
		return s
	}
	return strings.ReplaceAll(s, "_", " ")
}

// clock is a time in a recording, as 1:02:03.5.
func clock(d time.Duration) string {
	tenths := int64(math.Round(d.Seconds() * 10))
	s := fmt.Sprintf("%d:%02d.%d", tenths/600%60, tenths/10%60, tenths%10)
	if h := tenths / 36_000; h > 0 {
		s = fmt.Sprintf("%d:%02d:%02d.%d", h, tenths/600%60, tenths/10%60, tenths%10)
	}
	return s
}

// length is how long something lasted, for people: "49 s", "3 min 5 s", "1 h 2 min".
func length(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d <= 0:
		return "–"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
}

// count is a number of things: "1 rule", "2 rules".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// size is a number of bytes, for people.
func size(n int64) string {
	const k = 1000
	switch f := float64(n); {
	case n < k:
		return fmt.Sprintf("%d B", n)
	case n < k*k:
		return fmt.Sprintf("%.0f kB", f/k)
	case n < k*k*k:
		return fmt.Sprintf("%.1f MB", f/k/k)
	default:
		return fmt.Sprintf("%.1f GB", f/k/k/k)
	}
}

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// tone says how good the state of a call, a recording or a job is: it is the class of a
// badge, whose word says the same.
func tone(state any) string {
	switch fmt.Sprint(state) {
	case "completed", "answered", "done", "active", "healthy", "up", "success":
		return "good"
	case "degraded", "completed_degraded", "pending", "ringing", "routed", "running", "queued", "canary", "held":
		return "busy"
	case "absent", "missing", "quarantined", "failed", "rejected", "erased", "down", "error":
		return "bad"
	default:
		return "plain"
	}
}

// defectKind is what a defect means, and what to do about it.
func defectKind(code record.DefectCode) record.DefectKind {
	for _, k := range record.DefectKinds() {
		if k.Code == code {
			return k
		}
	}
	return record.DefectKind{Code: code, Means: strings.ReplaceAll(string(code), "_", " ")}
}

// causeText is why an attempt or a call ended, for people.
func causeText(c *calls.Cause) string {
	if c == nil {
		return ""
	}
	var s []string
	if c.SIP != 0 {
		s = append(s, fmt.Sprintf("SIP %d", c.SIP))
	}
	if c.Q850 != 0 {
		name := q850[c.Q850]
		if name != "" {
			name = " " + name
		}
		s = append(s, fmt.Sprintf("Q.850 %d%s", c.Q850, name))
	}
	if c.Text != "" {
		s = append(s, c.Text)
	}
	return strings.Join(s, ", ")
}

// q850 names the causes that are met often (ITU-T Q.850 (2018), table 1).
var q850 = map[int]string{
	1: "unallocated number", 2: "no route to transit network", 3: "no route to destination", 16: "normal clearing", 17: "user busy",
	18: "no user responding", 19: "no answer", 20: "subscriber absent", 21: "call rejected", 22: "number changed", 27: "destination out of order",
	28: "invalid number format", 31: "normal, unspecified", 34: "no circuit available", 38: "network out of order", 41: "temporary failure",
	42: "switching equipment congestion", 47: "resource unavailable", 50: "facility not subscribed", 57: "bearer capability not authorised",
	58: "bearer capability not available", 65: "bearer capability not implemented", 79: "service not implemented", 88: "incompatible destination",
	102: "recovery on timer expiry", 111: "protocol error", 127: "interworking",
}

// indented is JSON for people; what isn't JSON stays as it is.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// spaced is a code as words.
func spaced(code any) string {
	return strings.NewReplacer("_", " ", "-", " ").Replace(fmt.Sprint(code))
}
