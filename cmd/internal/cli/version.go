package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the program's, as the build stamped it: the module's version, or the commit it
// was built at, and with what.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown) " + runtime.Version()
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "development"
	}
	if commit := settings["vcs.revision"]; commit != "" {
		v += fmt.Sprintf(" (commit %.12s of %s", commit, settings["vcs.time"])
		if settings["vcs.modified"] == "true" {
			v += ", changed since"
		}
		v += ")"
	}
	return fmt.Sprintf("%s, %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
