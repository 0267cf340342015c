package console_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unzipped is the body of an answer that is said to be compressed.
func unzipped(t *testing.T, body string) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(raw)
}

// TestCompressedFiles: a file is compressed for who takes that, its two forms have tags of
// their own, and who has one isn't sent it again.
func TestCompressedFiles(t *testing.T) {
	t.Parallel()
	s, _ := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "reader")
	b := browser(t)
	file := s.URL + "/console/wavesurfer/wavesurfer.esm.js"
	get := func(head http.Header) (int, http.Header, string) { return send(t, b, http.MethodGet, file, nil, head) }
	tags := map[string]bool{}
	var whole string
	for _, of := range []struct {
		takes  string
		zipped bool
	}{{"identity", false}, {"gzip", true}, {"br, gzip;q=0.5", true}, {"GZIP", true}, {"gzip;q=0", false}, {"gzip; q=0.0, br", false}, {"x-gzip", false}} {
		status, head, body := get(http.Header{"Accept-Encoding": {of.takes}})
		require.Equal(t, http.StatusOK, status)
		assert.Equal(t, "Accept-Encoding", head.Get("Vary"))
		assert.Contains(t, head.Get("Content-Type"), "javascript")
		tag := head.Get("ETag")
		tags[tag] = true
		if of.zipped {
			assert.Equal(t, "gzip", head.Get("Content-Encoding"), of.takes)
			assert.Less(t, len(body), len(whole)/2)
			body = unzipped(t, body)
		} else {
			assert.Empty(t, head.Get("Content-Encoding"), of.takes)
		}
		if whole == "" {
			whole = body
		}
		assert.Equal(t, whole, body, of.takes)
		status, head, body = get(http.Header{"Accept-Encoding": {of.takes}, "If-None-Match": {tag}})
		assert.Equal(t, http.StatusNotModified, status, of.takes)
		assert.Equal(t, tag, head.Get("ETag"))
		assert.Empty(t, body)
	}
	assert.Len(t, tags, 2, "a tag for each form")
	for _, nothing := range []string{"/console/", "/console/htmx/", "/console/pages/layout.html", "/console/%2e%2e/pages/layout.html"} {
		status, _, body := look(t, b, s.URL+nothing)
		assert.NotEqual(t, http.StatusOK, status, nothing)
		assert.NotContains(t, body, "{{", nothing)
	}
}

// TestCompressedPages: a page is compressed for the console's own pages and for who types its
// address, and not where another site had it opened: see asksItself.
func TestCompressedPages(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "operator")
	b := browser(t)
	logIn(t, b, s.URL, key)
	for site, zipped := range map[string]bool{"same-origin": true, "none": true, "same-site": false, "cross-site": false, "": false} {
		head := http.Header{"Accept-Encoding": {"gzip"}}
		if site != "" {
			head.Set("Sec-Fetch-Site", site)
		}
		for _, page := range []string{"/calls?number=1", "/calls/c-1", "/jobs", "/live/jobs", "/fleet"} {
			status, got, body := send(t, b, http.MethodGet, s.URL+page, nil, head)
			require.Equal(t, http.StatusOK, status, page)
			assert.Equal(t, "Accept-Encoding, Sec-Fetch-Site", got.Get("Vary"), page)
			if zipped {
				require.Equal(t, "gzip", got.Get("Content-Encoding"), "%s from %q", page, site)
				body = unzipped(t, body)
			} else {
				assert.Empty(t, got.Get("Content-Encoding"), "%s from %q", page, site)
			}
			assert.Contains(t, body, "&lt;script&gt;", page)
		}
	}
}

// maxFirstView bounds what a browser that has nothing yet is sent for a page: bytes of HTML,
// styles, scripts and the icon, over the wire.
const maxFirstView = 150 << 10

// TestFirstView: a page and all that it loads, with what its scripts load, is light.
func TestFirstView(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "operator,compliance")
	b := browser(t)
	logIn(t, b, s.URL, key)
	loads := regexp.MustCompile(`(?:src|href)="(/console/[^"]+)"`)
	imports := regexp.MustCompile(`(?:from|import\() ?['"](\./[^'"]+)['"]`)
	for _, page := range []string{"/calls", "/calls/c-1", "/rules/edit", "/fleet"} {
		bytes, seen, todo := 0, map[string]bool{}, []string{page}
		for len(todo) > 0 {
			at := todo[0]
			todo = todo[1:]
			if seen[at] {
				continue
			}
			seen[at] = true
			status, head, body := send(t, b, http.MethodGet, s.URL+at, nil, http.Header{"Accept-Encoding": {"gzip"}, "Sec-Fetch-Site": {"same-origin"}})
			require.Equal(t, http.StatusOK, status, at)
			bytes += len(body)
			if head.Get("Content-Encoding") == "gzip" {
				body = unzipped(t, body)
			}
			for _, m := range loads.FindAllStringSubmatch(body, -1) {
				todo = append(todo, m[1])
			}
			if path.Ext(at) == ".js" {
				for _, m := range imports.FindAllStringSubmatch(body, -1) {
					todo = append(todo, path.Join(path.Dir(at), m[1]))
				}
			}
		}
		assert.True(t, seen["/console/wavesurfer/wavesurfer.esm.js"] && seen["/console/htmx/htmx.min.js"] && seen["/console/console.css"] && seen["/console/icon.svg"], "what it loads is found: %v", seen)
		assert.LessOrEqual(t, bytes, maxFirstView, page)
		t.Logf("%s: %d bytes in %d files", page, bytes, len(seen))
	}
}
