package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// takesGzip reports whether the browser takes gzip (RFC 9110, section 12.5.3).
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		text, given := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
		if !given {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		return err == nil && q > 0
	}
	return false
}

// asksItself reports whether a page of the console asks, or a person who typed the address
// (Fetch Metadata, section 2.3).
//
// Only such requests get compressed pages. A page holds what a caller or a search has put
// there beside what is nobody else's business, numbers above all. Whoever can have a browser
// open addresses of his choice, and sees how long the encrypted answers are, could find the
// one by guessing at the other: the better a guess is, the shorter the answer (BREACH). The
// cookie is SameSite=Lax and forms of other sites are refused, but links of theirs bring the
// cookie, so that their pages' requests get answers whose length says nothing. There are no
// tokens against forged requests to be guessed: see http.CrossOriginProtection.
func asksItself(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "none"
}

// minZipped is the shortest page that is compressed, in bytes: it fits into a packet or two
// as it is.
const minZipped = 1 << 11

// sendPage sends a body that belongs to a principal, compressed where that tells nobody
// else anything.
func sendPage(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Vary", "Accept-Encoding, Sec-Fetch-Site")
	if len(body) >= minZipped && takesGzip(r) && asksItself(r) {
		if zipped, err := zip(body, gzip.DefaultCompression); err == nil {
			h.Set("Content-Encoding", "gzip")
			body = zipped
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the browser may be gone
}

// zip compresses b. A buffer refuses no bytes: the error is that of a level that isn't one.
func zip(b []byte, level int) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// asset is a file that pages load, as it is and compressed.
type asset struct {
	name          string
	plain, zipped []byte // zipped is nil where it would be no shorter
	tag           string // a hash of plain; the compressed form has another one
}

// readAssets reads the files, by their paths below /console/, and compresses each once.
func readAssets() (map[string]*asset, error) {
	all := map[string]*asset{}
	inside, err := fs.Sub(files, "assets")
	if err != nil {
		return nil, err
	}
	return all, fs.WalkDir(inside, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a := &asset{name: name}
		if a.plain, err = fs.ReadFile(inside, name); err != nil {
			return err
		}
		sum := sha256.Sum256(a.plain)
		a.tag = hex.EncodeToString(sum[:12])
		if a.zipped, err = zip(a.plain, gzip.BestCompression); err != nil {
			return fmt.Errorf("the file %s: %w", name, err)
		}
		if len(a.zipped) >= len(a.plain) {
			a.zipped = nil
		}
		all[name] = a
		return nil
	})
}

// ServeHTTP sends the file. A browser asks whether it still has the right one, as another
// binary's may be another.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	body, tag := a.plain, a.tag
	if a.zipped != nil && takesGzip(r) {
		body, tag = a.zipped, a.tag+"-gzip"
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(body))
}

// mountAssets mounts the files that pages load.
func mountAssets(mux *http.ServeMux) error {
	all, err := readAssets()
	if err != nil {
		return err
	}
	mux.HandleFunc("GET /console/", func(w http.ResponseWriter, r *http.Request) {
		a := all[strings.TrimPrefix(r.URL.Path, "/console/")]
		if a == nil {
			http.NotFound(w, r)
			return
		}
		a.ServeHTTP(w, r)
	})
	return nil
}
