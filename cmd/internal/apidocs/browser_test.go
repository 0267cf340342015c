package apidocs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/apidocs"
)

// browse has a browser open the page, and returns what it made of it and what it has to
// say.
func browse(t *testing.T, page string) (dom, console string) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
			require.NoError(t, err)
		}
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: chromium is not installed")
	}
	cmd := exec.CommandContext(t.Context(), browser,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", page)
	var says strings.Builder
	cmd.Stderr = &says
	out, err := cmd.Output()
	require.NoError(t, err, "%s", says.String())
	var lines []string
	for line := range strings.Lines(says.String()) {
		if strings.Contains(line, "CONSOLE") {
			lines = append(lines, line)
		}
	}
	return string(out), strings.Join(lines, "")
}

// TestInABrowser: the page shows every operation under its policy, with nothing refused
// and so nothing asked for elsewhere.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	require.NoError(t, apidocs.Mount(mux, contracts()...))
	// A page that does what it may not: what the browser says of it is what would be
	// said of the other.
	mux.HandleFunc("GET /bad", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", get(t, mux, "/docs/").Header().Get("Content-Security-Policy"))
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<script>document.title = "inline"</script><img src="http://192.0.2.1/x.png">`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	dom, console := browse(t, server.URL+"/docs/")
	assert.Empty(t, console)
	for _, c := range contracts() {
		for _, m := range regexp.MustCompile(`operationId: (\w+)`).FindAllSubmatch(c, -1) {
			assert.Contains(t, dom, "-"+string(m[1])+`"`, "the operation is shown")
		}
	}
	_, console = browse(t, server.URL+"/bad")
	assert.Contains(t, console, "script", "refused")
	assert.Contains(t, console, "192.0.2.1", "refused")
}
