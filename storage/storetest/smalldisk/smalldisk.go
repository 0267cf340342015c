// Package smalldisk gives a test a file system of its own to fill.
package smalldisk

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// env names the small file system to the test's own program when it runs again.
const env = "SWITCHTAPE_TEST_SMALL_DISK"

// Run runs the test of the name again, in a process of its own that has a file system
// of so many MiB, and there calls test with its directory. The file system is a
// tmpfs, in a mount namespace or, where there can be none, mounted by root. Where
// neither is to be had the test is skipped, or fails if services are required.
func Run(t *testing.T, mib int, test func(t *testing.T, dir string)) {
	t.Helper()
	if dir := os.Getenv(env); dir != "" {
		test(t, dir)
		return
	}
	mount := fmt.Sprintf(`mount -t tmpfs -o size=%dm tmpfs "$1"`, mib)
	again := fmt.Sprintf(`"$2" -test.run '^%s$' -test.v`, t.Name())
	out, err := on(t, "unshare", "-rm", "sh", "-c", mount+" && exec "+again)
	if err != nil && !strings.Contains(out, "=== RUN") {
		var more string
		more, err = on(t, "sh", "-c", mount+` || exit; `+again+`; rc=$?; umount "$1"; exit $rc`)
		out += more
	}
	switch {
	case err == nil:
	case strings.Contains(out, "=== RUN"):
		t.Fatalf("on the small disk: %v\n%s", err, out)
	case os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1":
		t.Fatalf("a small file system can't be mounted (unshare, mount): %v\n%s", err, out)
	default:
		t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: no small file system can be mounted here (unshare, mount): %v\n%s", err, out)
	}
}

// on runs a command that is given a directory to mount on and this program.
func on(t *testing.T, command ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], "sh", dir, os.Args[0])...)
	cmd.Env = append(os.Environ(), env+"="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
