package cmd_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocumentsLinkToWhatIsThere: every link of every document within the repository leads
// to a file, and to a heading of it where it names one. Links elsewhere aren't followed.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range documents(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllSubmatch(withoutCode(text), -1) {
			u, err := url.Parse(string(m[1]))
			if !assert.NoError(t, err, "%s: %s", page, m[1]) || u.IsAbs() {
				continue
			}
			links++
			to := page
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(page), filepath.FromSlash(u.Path))
			}
			if _, err := os.Stat(to); !assert.NoError(t, err, "%s leads to %s, which isn't there", page, m[1]) || u.Fragment == "" {
				continue
			}
			target, err := os.ReadFile(to)
			require.NoError(t, err)
			assert.Contains(t, anchors(target), u.Fragment, "%s leads to %s, and %s has no such heading", page, m[1], to)
		}
	}
	assert.Greater(t, links, 50)
}

// documents are the Markdown files of the repository.
func documents(t *testing.T) (pages []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "data" || d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != ".."):
			return fs.SkipDir // others' texts
		case strings.HasSuffix(path, ".md"):
			pages = append(pages, path)
		}
		return nil
	}))
	return pages
}

// withoutCode is the text without what stands in code.
func withoutCode(text []byte) []byte {
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAll(text, nil)
	return regexp.MustCompile("`[^`\n]*`").ReplaceAll(text, nil)
}

// anchors are the fragments of the headings, as forges make them: in lower case, without
// punctuation, with hyphens for spaces.
func anchors(text []byte) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`).FindAllSubmatch(regexp.MustCompile("(?s)```.*?```").ReplaceAll(text, nil), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, string(m[1])))
	}
	return all
}
